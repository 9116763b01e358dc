r"""How do time and memory grow with the number of drawings, of classes, and of points?

    python benchmarks/bench_scaling.py

Runs the programs as a user does, on drawings that are made up, and prints how much processor time
each took for a drawing, where it imports TensorFlow without that, and the peak memory of all its
processes together. Where the number of drawings or classes grows, the network is a tiny one, so
that a million drawings end; where the length grows, the default one. It takes half an hour;
--most_drawings=10000 takes minutes.
"""

from __future__ import annotations

from common import startup  # noqa: F401  # isort: skip  (first, see there)

import pathlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

from absl import flags

import shared
from common import programs
from common.errors import UserError

_MOST_DRAWINGS = flags.DEFINE_integer("most_drawings", 1_000_000, "Drawings of the largest case.")
_MOST_POINTS = flags.DEFINE_integer("most_points", 5000, "Points of the longest drawings.")

TINY = ("--num_nodes=4", "--num_layers=1", "--num_conv=4", "--conv_len=3")

# Steps whose time is measured: of the tiny network, and of the default one as many as have these
# points.
TINY_STEPS, POINTS = 1000, 25_000


class Case(NamedTuple):
    drawings: int
    classes: int = 42
    points: int = 50
    batch_size: int = 64
    network: tuple[str, ...] = TINY

    def __str__(self) -> str:
        return f"{self.drawings:,} | {self.classes:,} | {self.points:,}"


class Spent(NamedTuple):
    seconds: float  # of processors; other work on the machine does not count
    peak_mib: float


def cases() -> Iterator[Case]:
    for drawings in (10_000, 100_000, 1_000_000):
        if drawings <= _MOST_DRAWINGS.value:
            yield Case(drawings)
    for classes in (345, 3000):
        yield Case(10_000, classes=classes)
    for points in (50, 500, 5000):
        if points <= _MOST_POINTS.value:
            drawings = min(1000, 1_000_000 // points)
            yield Case(drawings, points=points, batch_size=8, network=())


def run(*command: str) -> Spent:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=shared.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with shared.PeakMemory(process.pid) as memory:
        output = process.communicate()[0]
    if process.returncode:
        raise UserError(f"{' '.join(command)} failed:\n{output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(seconds, memory.bytes / 2**20)


def print_row(
    what: str, case: Case, seconds: float, peak_mib: float, drawings: int | None = None
) -> None:
    each = 1e6 * max(seconds, 0.0) / (drawings or case.drawings)
    print(f"| {what} | {case} | {each:,.0f} µs | {peak_mib:,.0f} MiB |", flush=True)


def measure(case: Case, folder: pathlib.Path) -> None:
    drawings, records = folder / "drawings", folder / "records"
    shared.write_drawings(
        drawings, categories=case.classes, drawings=case.drawings, points=case.points
    )
    # As the programs import it.
    start = run("-c", "import gc; gc.disable(); import tensorflow").seconds
    spent = run(
        "create_dataset.py",
        f"--ndjson_path={drawings}",
        f"--output_path={records}",
        "--train_observations_per_class=0",
        f"--eval_observations_per_class={case.drawings}",
    )
    print_row("converting", case, spent.seconds - start, spent.peak_mib)
    steps = TINY_STEPS if case.network else max(1, POINTS // case.points)

    def train(steps: int) -> Spent:
        return run(
            "train_model.py",
            f"--training_data={records}/eval.tfrecord-*",
            f"--eval_data={records}/eval.tfrecord-00000-*",
            f"--classes_file={records}/eval.tfrecord.classes",
            f"--model_dir={folder}/model-{steps}",
            f"--steps={steps}",
            f"--batch_size={case.batch_size}",
            *case.network,
        )

    # Twice as many steps take as much more as the steps themselves.
    fewer, spent = train(steps), train(2 * steps)
    model = f"{folder}/model-{2 * steps}"
    trained_on = steps * case.batch_size
    print_row("training", case, spent.seconds - fewer.seconds, spent.peak_mib, trained_on)
    spent = run(
        "evaluate_model.py",
        f"--model_dir={model}",
        f"--eval_data={records}/eval.tfrecord-*",
    )
    print_row("evaluating, whole and beginnings", case, spent.seconds - start, spent.peak_mib)
    files = sorted(map(str, drawings.glob("*.ndjson")))
    spent = run("classify_drawings.py", f"--model={model}", *files)
    print_row("classifying", case, spent.seconds, spent.peak_mib)


def main() -> None:
    print("| | drawings | classes | points | a drawing | peak memory |\n|---|---|---|---|---|---|")
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            measure(case, pathlib.Path(folder))


if __name__ == "__main__":
    programs.run(main)
