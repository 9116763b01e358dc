r"""How do time and memory grow with the number of drawings, of classes, and of points?

    python benchmarks/bench_scaling.py

Runs the programs as a user does, on drawings that are made up, and prints how long each took for a
drawing, without its start, and the peak memory of all its processes together. Where the number
of drawings or classes grows, the network is a tiny one, so that a million drawings end; where
the length grows, the default one. It takes an hour; --most_drawings=10000 takes minutes.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

import shared
from common import console

from absl import flags

_MOST_DRAWINGS = flags.DEFINE_integer("most_drawings", 1_000_000, "Drawings of the largest case.")
_MOST_POINTS = flags.DEFINE_integer("most_points", 5000, "Points of the longest drawings.")

TINY = ("--num_nodes=4", "--num_layers=1", "--num_conv=4", "--conv_len=3")


class Case(NamedTuple):
    drawings: int
    classes: int = 42
    points: int = 50
    batch_size: int = 64
    network: tuple[str, ...] = TINY

    def __str__(self) -> str:
        return f"{self.drawings:,} | {self.classes:,} | {self.points:,}"


class Spent(NamedTuple):
    seconds: float
    peak_mib: float
    output: str


def cases() -> Iterator[Case]:
    for drawings in (10_000, 100_000, 1_000_000):
        if drawings <= _MOST_DRAWINGS.value:
            yield Case(drawings)
    for classes in (345, 3000):
        yield Case(10_000, classes=classes)
    for points in (50, 500, 5000):
        if points <= _MOST_POINTS.value:
            yield Case(1000, points=points, batch_size=8, network=())


def run(*command: str) -> Spent:
    started = time.perf_counter()
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
        raise ValueError(f"{' '.join(command)} failed:\n{output}")
    return Spent(time.perf_counter() - started, memory.bytes / 2**20, output)


def print_row(what: str, case: Case, seconds: float, peak_mib: float) -> None:
    print(
        f"| {what} | {case} | {1e6 * seconds / case.drawings:,.0f} µs | {peak_mib:,.0f} MiB |",
        flush=True,
    )


def measure(case: Case, folder: pathlib.Path) -> None:
    drawings, records, model = (folder / name for name in ("drawings", "records", "model"))
    shared.write_drawings(
        drawings, categories=case.classes, drawings=case.drawings, points=case.points
    )
    start = run("-c", "import tensorflow").seconds
    spent = run(
        "create_dataset.py",
        f"--ndjson_path={drawings}",
        f"--output_path={records}",
        "--train_observations_per_class=0",
        f"--eval_observations_per_class={case.drawings}",
    )
    print_row("converting", case, max(0.0, spent.seconds - start), spent.peak_mib)
    steps = 200 if case.network else 10
    spent = run(
        "train_model.py",
        f"--training_data={records}/eval.tfrecord-*",
        f"--eval_data={records}/eval.tfrecord-00000-*",
        f"--classes_file={records}/eval.tfrecord.classes",
        f"--model_dir={model}",
        f"--steps={steps}",
        f"--batch_size={case.batch_size}",
        *case.network,
    )
    rate = float(re.findall(r"([\d,]+) drawings/s", spent.output)[-1].replace(",", ""))
    print_row("training", case, case.drawings / rate, spent.peak_mib)
    spent = run(
        "evaluate_model.py",
        f"--model_dir={model}",
        f"--eval_data={records}/eval.tfrecord-*",
    )
    print_row("evaluating, whole and beginnings", case, spent.seconds - start, spent.peak_mib)
    files = sorted(map(str, drawings.glob("*.ndjson")))
    spent = run("classify_drawings.py", f"--model={model}", *files)
    print_row("classifying", case, spent.seconds - start, spent.peak_mib)


def main() -> None:
    print("| | drawings | classes | points | a drawing | peak memory |\n|---|---|---|---|---|---|")
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            measure(case, pathlib.Path(folder))


if __name__ == "__main__":
    console.run(main)
