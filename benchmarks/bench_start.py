r"""How long is a program's start, against `import tensorflow` alone?

    python benchmarks/bench_start.py --model=runs/2026-11-22-174400

Times, from the start of a process: train_model.py to the end of its first step,
classify_drawings.py to its first answer, and create_dataset.py on 1,000 drawings to its end, with
the loops' machine code that an earlier start compiled and without. The drawings are made up.
"""

from __future__ import annotations

from common import startup  # noqa: F401  # isort: skip  (first, see there)

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from absl import flags

import shared
from common import programs
from common.errors import UserError

_MODEL = flags.DEFINE_string("model", None, "Folder of train_model.py.", required=True)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Rounds; the median counts.")

# The drawings that are made up: of about as many points as real ones.
CATEGORIES, DRAWINGS, POINTS = 10, 1000, 45


def seconds(command: list[str], *, until: str | None, environment: dict[str, str]) -> float:
    """Times a program until it prints a line that begins so; None for until it ends."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=shared.ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if until is not None and line.startswith(until):
            found = time.perf_counter() - started
            process.kill()
            process.wait()
            return found
    if process.wait() or until is not None:
        raise UserError(f"{' '.join(command)} failed; run it by hand")
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        drawings, records = (os.path.join(folder, name) for name in ("drawings", "records"))
        shared.write_drawings(
            pathlib.Path(drawings), categories=CATEGORIES, drawings=DRAWINGS, points=POINTS
        )
        one = os.path.join(folder, "one.ndjson")
        with open(os.path.join(drawings, "word 0.ndjson")) as file, open(one, "w") as copy:
            copy.write(file.readline())
        convert = [
            "create_dataset.py",
            f"--ndjson_path={drawings}",
            f"--output_path={records}",
            "--train_observations_per_class=90",
            "--eval_observations_per_class=10",
        ]
        train = [
            "train_model.py",
            f"--training_data={records}/training.tfrecord-*",
            f"--eval_data={records}/eval.tfrecord-*",
            f"--classes_file={records}/training.tfrecord.classes",
        ]
        classify = ["classify_drawings.py", f"--model={_MODEL.value}", one]
        cases: dict[str, tuple[list[str], str | None]] = {
            "`import tensorflow`": (["-c", "import tensorflow"], None),
            "`create_dataset.py`, 1,000 drawings": (convert, None),
            "the same for the first time on a machine": (convert, None),
            "`classify_drawings.py`, first answer": (classify, "{"),
            "`train_model.py`, first step": (train, "step 1/"),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(_ROUNDS.value):
            for name, (command, until) in cases.items():
                environment = {}
                if "first time" in name:
                    environment["NUMBA_CACHE_DIR"] = os.path.join(folder, f"numba-{number}")
                if command is train:
                    command = [*command, f"--model_dir={folder}/model-{number}"]
                times[name].append(seconds(command, until=until, environment=environment))
    medians = {name: statistics.median(values) for name, values in times.items()}
    alone = next(iter(medians.values()))
    print("| from the start of the process | s | × `import tensorflow` |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {median / alone:.2f} |")


if __name__ == "__main__":
    programs.run(main)
