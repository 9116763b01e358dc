r"""How fast are evaluation, classification and a single answer, against PyTorch and ONNX Runtime?

    python benchmarks/bench_inference.py --model=runs/2026-11-22-174400 \
        --eval_data="rnn_tutorial_data/eval.tfrecord-?????-of-?????" drawings.ndjson...

PyTorch, where it is installed (requirements-bench.txt), and ONNX Runtime compute the same network
with the same weights on batches that they are handed ready, an evaluation's as they are, other
drawings sorted into batches of the size that is best for each; that they find the same
probabilities is checked first. Ours is timed with all that belongs to it: reading and metrics in
an evaluation; parsing, batching and writing answers for lines of ndjson. A model without
`--positions` and `--batch_norm` is needed. All run alternately; the median of the rounds is
reported.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import orjson
from absl import flags

import classify_drawings  # whose --model this program takes too
import input_pipeline
import model
import peers
import shared
from common import estimators, programs
from drawings import ink, ndjson
from evaluation import guesses
from model_folder import models
from serving import classifier
from serving import weights as network_weights
from training import run

_EVAL_DATA = flags.DEFINE_string("eval_data", None, "Pattern of records.", required=True)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds; the median counts.")
_LINES = flags.DEFINE_integer("lines", 10000, "Lines of ndjson, taken from the files in turn.")
_SINGLE = flags.DEFINE_integer("single", 300, "Drawings that are asked for one at a time.")

tf1 = tf.compat.v1

# Greatest difference of a probability that two ways of the same computation may have.
TOLERANCE = 1e-4

Batch = tuple[np.ndarray, np.ndarray]  # ink, lengths


def evaluation(trained: models.Model, input_fn: Callable) -> Callable[[], None]:
    """Returns what evaluates as train_model.py does, from building the graph to the metrics."""
    with tempfile.TemporaryDirectory() as folder:
        estimator = estimators.Estimator(model.model_fn, model_dir=folder, params=trained.params)

    def evaluate() -> None:
        collector = guesses.CollectGuesses(kept_inks=guesses.KEPT_EMBEDDINGS)
        estimator.evaluate(input_fn, hooks=[collector], checkpoint_path=trained.checkpoint)

    return evaluate


def lines_in_turn(paths: Sequence[str]) -> Iterator[bytes]:
    """Yields the files' first lines, then their second ones, and so on."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(path, "rb")) for path in paths]
        for row in itertools.zip_longest(*files):
            yield from filter(None, row)


def classification(served: classifier.Classifier, path: str) -> Callable[[], None]:
    """Returns what does the work of classify_drawings.py, once it has started."""

    def classify() -> None:
        for chunk in classify_drawings.read_chunks([path], hints=[]):
            for answer in classify_drawings.classify(served, chunk):
                orjson.dumps(answer)

    return classify


def sorted_batches(inks: Sequence[np.ndarray], *, batch_size: int) -> list[Batch]:
    """Makes batches as classify_drawings.py does: sorted within chunks of its size."""
    batches = []
    for start in range(0, len(inks), classify_drawings.CHUNK_DRAWINGS):
        chunk = sorted(inks[start : start + classify_drawings.CHUNK_DRAWINGS], key=len)
        for first in range(0, len(chunk), batch_size):
            group = chunk[first : first + batch_size]
            lengths = np.array([len(one) for one in group])
            padded = np.zeros((len(group), lengths[-1], model.INK_COLUMNS), np.float32)
            for row, one in zip(padded, group):
                row[: len(one)] = one
            batches.append((padded, lengths))
    return batches


def forward_all(peer: peers.Peer, batches: Sequence[Batch]) -> Callable[[], None]:
    prepared = [peer.prepare(*batch) for batch in batches]

    def run_all() -> None:
        for batch in prepared:
            peer.forward(batch)

    return run_all


def check_agreement(
    others: dict[str, peers.Peer], served: classifier.Classifier, documents: Sequence[dict]
) -> None:
    """Raises ValueError where another's first guess has another probability than ours."""
    for document in documents:
        rows = ink.strokes_to_ink(document["drawing"])
        ours = served.classify(document["drawing"])[0].probability
        for name, peer in others.items():
            theirs = peer.forward(peer.prepare(rows[np.newaxis], np.array([len(rows)])))[0]
            if abs(theirs - ours) > TOLERANCE:
                raise ValueError(f"{name} finds {theirs}, Classifier {ours}")


def median_latency(answer: Callable[[int], object]) -> float:
    """Returns seconds: the median over the drawings that are asked for alone."""
    times = []
    for i in range(_SINGLE.value):
        started = time.perf_counter()
        answer(i)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def latency_of(peer: peers.Peer, inks: Sequence[np.ndarray]) -> Callable[[], float]:
    prepared = [peer.prepare(one[np.newaxis], np.array([len(one)])) for one in inks]
    return lambda: median_latency(lambda i: peer.forward(prepared[i]))


def measure(ways: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Returns the median of each way's results; they take turns."""
    results: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(_ROUNDS.value):
        for name, way in ways.items():
            results[name].append(way())
    return {name: statistics.median(values) for name, values in results.items()}


def rate(count: int, work: Callable[[], None]) -> Callable[[], float]:
    def once() -> float:
        started = time.perf_counter()
        work()
        return count / (time.perf_counter() - started)

    return once


def compare(trained: models.Model, paths: Sequence[str]) -> None:
    """Prints the table, of a trained model and files of drawings."""
    served = classifier.Classifier(flags.FLAGS.model)
    weights = network_weights.calibrated(
        network_weights.read(trained.checkpoint, params=trained.params),
        temperature=trained.temperature,
    )
    others = peers.peers(weights, params=trained.params, classes=trained.classes)

    files = input_pipeline.match_files(_EVAL_DATA.value, flag="--eval_data")
    input_fn = input_pipeline.eval_input_fn(
        files, batch_size=run.EVAL_BATCH_SIZE, num_classes=len(trained.classes)
    )
    eval_batches = [(f["ink"], f["lengths"]) for f, _ in peers.read_batches(input_fn)]
    evaluated = sum(len(lengths) for _, lengths in eval_batches)
    lines = list(itertools.islice(lines_in_turn(paths), _LINES.value))
    documents = [ndjson.parse_document(line) for line in lines]
    inks = [ink.strokes_to_ink(document["drawing"]) for document in documents]
    check_agreement(others, served, documents[: _SINGLE.value])
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        file.write(b"".join(lines))
        file.flush()
        evaluating = {"ours": rate(evaluated, evaluation(trained, input_fn))}
        classifying = {"ours": rate(len(inks), classification(served, file.name))}
        single = {
            "ours": lambda: median_latency(lambda i: served.classify(documents[i]["drawing"]))
        }
        for name, peer in others.items():
            evaluating[name] = rate(evaluated, forward_all(peer, eval_batches))
            batches = sorted_batches(inks, batch_size=peer.batch_size)
            classifying[name] = rate(len(inks), forward_all(peer, batches))
            single[name] = latency_of(peer, inks[: _SINGLE.value])
        print(f"{shared.NUM_CORES} cores\n")
        print("| what | by | | ours is |\n|---|---|---|---|")
        for what, ways in (
            (f"evaluating {evaluated:,} drawings", evaluating),
            (f"classifying {len(inks):,} lines of ndjson", classifying),
        ):
            rates = measure(ways)
            for name, value in rates.items():
                print(
                    f"| {what} | {name} | {value:,.0f} drawings/s | {rates['ours'] / value:.2f} × |"
                )
        latencies = measure(single)
        for name, value in latencies.items():
            print(
                f"| one drawing, median of {_SINGLE.value} | {name} | {1000 * value:.2f} ms "
                f"| {latencies['ours'] / value:.2f} × as long |"
            )


def main(paths: Sequence[str]) -> None:
    tf1.disable_eager_execution()
    with models.copied_model(flags.FLAGS.model) as (_, trained):
        compare(trained, paths)


if __name__ == "__main__":
    programs.run(main, operands=True)
