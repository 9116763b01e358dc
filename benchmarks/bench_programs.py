r"""What do the programs cost: to start, and with more drawings, more classes or longer drawings?

    python benchmarks/bench_programs.py

Runs the programs as a user does, on made-up drawings, and prints two tables. The first has the
time from the start of a process until `import tensorflow` is done, create_dataset.py has converted
1,000 drawings (with and without machine code that numba compiled earlier), classify_drawings.py
gives its first answer, and train_model.py has done its first step.

The second has each program's processor time per drawing, without that of importing TensorFlow, and
the peak memory of all its processes together. The network is the default one where drawings get
longer, and a tiny one elsewhere, so that a million drawings end. This takes half an hour;
--most_drawings=10000 takes minutes.
"""

from __future__ import annotations

from common import startup  # noqa: F401  # isort: skip  (first, see there)

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from absl import flags

import shared
from common import programs
from common.errors import UserError

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Starts of each program; the median counts.")
_MOST_DRAWINGS = flags.DEFINE_integer("most_drawings", 1_000_000, "Drawings of the largest case.")
_MOST_POINTS = flags.DEFINE_integer("most_points", 5000, "Points of the longest drawings.")

IMPORT = ("-c", "import gc; gc.disable(); import tensorflow")  # as the programs do

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


class Cost(NamedTuple):
    seconds: float  # until what was waited for
    processor_seconds: float  # to the end; other work on the machine does not count
    peak_mib: float


def run(*command: str, until: str = "", environment: Mapping[str, str] | None = None) -> Cost:
    """Runs a program to its end; times the first line of output that begins with `until`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started, seconds, output = time.perf_counter(), 0.0, []
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=shared.ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    with shared.PeakMemory(process.pid) as memory:
        for line in process.stdout:
            if until and not seconds and line.startswith(until):
                seconds = time.perf_counter() - started
            output.append(line)
        process.wait()
    if process.returncode or (until and not seconds):
        raise UserError(f"{' '.join(command)} failed:\n{''.join(output)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds or time.perf_counter() - started, spent, memory.bytes / 2**20)


def convert(drawings: pathlib.Path, records: pathlib.Path, count: int) -> list[str]:
    return [
        "create_dataset.py",
        f"--ndjson_path={drawings}",
        f"--output_path={records}",
        "--train_observations_per_class=0",
        f"--eval_observations_per_class={count}",
    ]


def train(records: pathlib.Path, model: pathlib.Path, steps: int) -> list[str]:
    return [
        "train_model.py",
        f"--training_data={records}/eval.tfrecord-*",
        f"--eval_data={records}/eval.tfrecord-00000-*",
        f"--classes_file={records}/eval.tfrecord.classes",
        f"--model_dir={model}",
        f"--steps={steps}",
    ]


def print_starts(folder: pathlib.Path) -> None:
    drawings, records = folder / "drawings", folder / "records"
    shared.write_drawings(drawings, categories=10, drawings=1000, points=45)
    times: dict[str, list[float]] = {}

    def start(
        name: str, *command: str, until: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        cost = run(*command, until=until, environment=environment)
        times.setdefault(name, []).append(cost.seconds)

    for number in range(_ROUNDS.value):
        model, cache = folder / f"model-{number}", str(folder / f"numba-{number}")
        to_records = convert(drawings, records, 1000)
        start("`import tensorflow`", *IMPORT)
        start("`create_dataset.py`, 1,000 drawings", *to_records)
        start(
            "the same, first time on a machine: numba compiles",
            *to_records,
            environment={"NUMBA_CACHE_DIR": cache},
        )
        start("`train_model.py`, first step", *train(records, model, 1), until="step 1/")
        classify = ("classify_drawings.py", f"--model={model}", str(drawings / "word 0.ndjson"))
        start("`classify_drawings.py`, first answer", *classify, until="{")
    medians = {name: statistics.median(values) for name, values in times.items()}
    alone = medians["`import tensorflow`"]
    print("| from the start of the process | s | × `import tensorflow` |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / alone:.2f} |", flush=True)


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


def print_growth(case: Case, folder: pathlib.Path) -> None:
    def print_row(what: str, seconds: float, peak_mib: float, drawings: int) -> None:
        each = 1e6 * max(seconds, 0.0) / drawings
        print(f"| {what} | {case} | {each:,.0f} µs | {peak_mib:,.0f} MiB |", flush=True)

    drawings, records = folder / "drawings", folder / "records"
    shared.write_drawings(
        drawings, categories=case.classes, drawings=case.drawings, points=case.points
    )
    start = run(*IMPORT).processor_seconds
    cost = run(*convert(drawings, records, case.drawings))
    print_row("converting", cost.processor_seconds - start, cost.peak_mib, case.drawings)

    # Twice as many steps take as much more as the steps themselves.
    steps = TINY_STEPS if case.network else max(1, POINTS // case.points)
    options = (f"--batch_size={case.batch_size}", *case.network)
    fewer = run(*train(records, folder / "model", steps), *options)
    model = folder / "model-2"
    cost = run(*train(records, model, 2 * steps), *options)
    seconds = cost.processor_seconds - fewer.processor_seconds
    print_row("training", seconds, cost.peak_mib, steps * case.batch_size)

    cost = run(
        "evaluate_model.py", f"--model_dir={model}", f"--eval_data={records}/eval.tfrecord-*"
    )
    seconds = cost.processor_seconds - start
    print_row("evaluating, whole and beginnings", seconds, cost.peak_mib, case.drawings)
    ndjson = sorted(map(str, drawings.glob("*.ndjson")))
    cost = run("classify_drawings.py", f"--model={model}", *ndjson)
    print_row("classifying", cost.processor_seconds, cost.peak_mib, case.drawings)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print_starts(pathlib.Path(folder))
    print(
        "\n| | drawings | classes | points | a drawing | peak memory |\n|---|---|---|---|---|---|"
    )
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            print_growth(case, pathlib.Path(folder))


if __name__ == "__main__":
    programs.run(main)
