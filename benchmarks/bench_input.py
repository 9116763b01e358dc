r"""How many drawings a second does the input function deliver?

    python benchmarks/bench_input.py \
        --training_data="rnn_tutorial_data/training.tfrecord-?????-of-?????" \
        --classes_file=rnn_tutorial_data/training.tfrecord.classes

Compares ours, as the records are and with drawings changed (--distortion=1 --beginnings=0.3), with
one written the tutorial's way (tutorial_input.py). They run alternately, and the median of the
rounds is reported: the time to the first batch, drawings a second, and how many times the drawings'
points the padded batches hold.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import functools
import statistics
import time

from absl import flags

import input_pipeline
import shared
import tutorial_input
from common import programs
from records import class_list

_TRAINING_DATA = flags.DEFINE_string("training_data", None, "Pattern of records.", required=True)
_CLASSES_FILE = flags.DEFINE_string("classes_file", None, "Their class list.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 5.0, "Time for each input function and round.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds; the median counts.")
_BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["8", "64", "256"], "Batch sizes.")

tf1 = tf.compat.v1


def measure(input_fn, batch_size: int, seconds: float) -> tuple[float, float, float]:
    """Seconds to the first batch, drawings a second after it, and padded by true points."""
    started = time.perf_counter()
    with tf.Graph().as_default(), tf1.Session() as session:
        features, _ = tf1.data.make_one_shot_iterator(input_fn()).get_next()
        # Only shapes and lengths leave TensorFlow: handing arrays to Python is no part of it.
        fetches = [tf.shape(features["ink"])[1], tf.reduce_sum(features["lengths"])]
        step = session.make_callable(fetches)
        step()
        first = time.perf_counter() - started
        batches = padded = true = 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            longest, points = step()
            batches += 1
            padded += int(longest) * batch_size
            true += int(points)
        elapsed = time.perf_counter() - started
    return first, batches * batch_size / elapsed, padded / true


def main() -> None:
    tf1.disable_eager_execution()
    files = input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data")
    num_classes = len(class_list.read_classes(_CLASSES_FILE.value))
    results: dict[tuple[int, str], list[tuple[float, float, float]]] = {}
    for _ in range(_ROUNDS.value):
        for batch_size in map(int, _BATCH_SIZES.value):
            ours = functools.partial(
                input_pipeline.training_input_fn,
                files,
                batch_size=batch_size,
                num_classes=num_classes,
                seed=0,
            )
            for name, input_fn in (
                ("tutorial's way", tutorial_input.input_fn(files, batch_size=batch_size)),
                ("ours", ours()),
                ("ours, drawings changed", ours(distortion=1.0, beginnings=0.3)),
            ):
                result = measure(input_fn, batch_size, _SECONDS.value)
                results.setdefault((batch_size, name), []).append(result)
    print(f"{shared.NUM_CORES} cores\n")
    print("| batch | input function | first batch | drawings/s | ratio | padded / true points |")
    print("|---|---|---|---|---|---|")
    for (batch_size, name), rounds in results.items():
        first, rate, padding = map(statistics.median, zip(*rounds))
        base = statistics.median(rate for _, rate, _ in results[batch_size, "tutorial's way"])
        print(
            f"| {batch_size} | {name} | {first:.1f} s | {rate:,.0f} | {rate / base:.1f} "
            f"| {padding:.2f} |"
        )


if __name__ == "__main__":
    programs.run(main)
