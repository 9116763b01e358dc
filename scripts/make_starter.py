r"""Trains the network that comes with the project, and writes the folder `pretrained`.

    python scripts/make_starter.py --ndjson_path=rnn_tutorial_data

Of each category's drawings every twentieth is kept for evaluation; training takes the first 1,000
of the others. With recipes/starter.flags it takes about 50 minutes of two cores that multiply
bfloat16, twice as long on others. What is interrupted goes on where it stopped when it is started
again.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

import project
from common import console
from common.quiet_tensorflow import tf

import jinja2
from absl import flags

from evaluation import report
from network import hardware
from serving import pretrained
from training import model_dirs

_NDJSON_PATH = flags.DEFINE_list(
    "ndjson_path", None, "Folders of .ndjson files, one category each.", required=True
)
_WORK_PATH = flags.DEFINE_string(
    "work_path", "starter", "Folder for the split drawings, the records and the run."
)
_OUTPUT_PATH = flags.DEFINE_string("output_path", "pretrained", "Folder to write.")
_RECIPE = flags.DEFINE_string(
    "recipe", str(project.ROOT / "recipes/starter.flags"), "Flag file of the training."
)

# Every so many lines of a file, one is kept for evaluation.
EVAL_EVERY = 20

# Drawings of each category at most: all are to count alike.
TRAINING_DRAWINGS = 1000
EVAL_DRAWINGS = 20

# Categories that README.md of the folder names as the worst.
SHOWN_CATEGORIES = 20

README_TEMPLATE = "starter_readme.md"


def split(sources: Sequence[pathlib.Path], folder: pathlib.Path) -> None:
    """Writes each category's lines as two files: training/NAME.ndjson and eval/NAME.ndjson."""
    names = sorted({path.name for source in sources for path in source.glob("*.ndjson")})
    if not names:
        raise ValueError(f"--ndjson_path={','.join(map(str, sources))}: no .ndjson file there")
    for part in ("training", "eval"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name in names:
        with contextlib.ExitStack() as stack:
            training, evaluation = (
                stack.enter_context(open(folder / part / name, "wb"))
                for part in ("training", "eval")
            )
            for number, line in lines_of([source / name for source in sources]):
                kept = number % EVAL_EVERY == EVAL_EVERY // 2
                (evaluation if kept else training).write(line)


def lines_of(paths: Sequence[pathlib.Path]) -> Iterator[tuple[int, bytes]]:
    """Yields the lines of the files that are there, each with its number in its file."""
    for path in paths:
        if path.exists():
            with open(path, "rb") as file:
                for number, line in enumerate(file):
                    yield number, line.rstrip(b"\n") + b"\n"


def run(program: str, **arguments: object) -> None:
    """Runs one of the project's programs, after printing the command."""
    options = [f"--{name}={value}" for name, value in arguments.items()]
    print(f"\n$ python {program} {shlex.join(options)}", flush=True)
    subprocess.run([sys.executable, str(project.ROOT / program), *options], check=True)


def pack(training_records: pathlib.Path, model_dir: pathlib.Path, output: pathlib.Path) -> None:
    """Writes the folder from a model's that is evaluated."""
    tf.compat.v1.disable_eager_execution()
    with model_dirs.copied_model(str(model_dir)) as (found, copy):
        pretrained.write(output, checkpoint=copy, params=found.params, classes=found.classes)
    evaluation = model_dir / "evaluation"
    shutil.copy(evaluation / report.CSV_FILE, output / report.CSV_FILE)
    numbers = json.loads((evaluation / report.JSON_FILE).read_text())
    conversion = json.loads((training_records / "conversion_report.json").read_text())
    (output / "README.md").write_text(readme(numbers, conversion, found))
    print(f"\nWritten: {output}")


def readme(numbers: dict, conversion: dict, found: model_dirs.Model) -> str:
    """Returns the page that says what the network is, from the reports of its making."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = (project.ROOT / "scripts" / README_TEMPLATE).read_text()
    return environment.from_string(template).render(
        classes=found.classes,
        training_drawings=sum(conversion["total"]["drawings"].values()),
        limit=TRAINING_DRAWINGS,
        eval_limit=EVAL_DRAWINGS,
        steps=numbers["metrics"]["global_step"],
        metrics=numbers["metrics"],
        prefixes=numbers["first_strokes"],
        calibration_error=numbers["expected_calibration_error"],
        worst=sorted(numbers["classes"], key=lambda row: row["accuracy"])[:SHOWN_CATEGORIES],
    )


def main() -> None:
    work = pathlib.Path(_WORK_PATH.value)
    records, model_dir = work / "records", work / "model"
    split([pathlib.Path(folder) for folder in _NDJSON_PATH.value], work / "ndjson")
    for part, training, evaluation in (
        ("training", TRAINING_DRAWINGS, 0),
        ("eval", 0, EVAL_DRAWINGS),
    ):
        run(
            "create_dataset.py",
            ndjson_path=work / "ndjson" / part,
            output_path=records / part,
            train_observations_per_class=training,
            eval_observations_per_class=evaluation,
        )
    eval_data = records / "eval" / "eval.tfrecord-?????-of-?????"
    run(
        "train_model.py",
        flagfile=_RECIPE.value,
        mixed_precision=hardware.half_precision() is not None,
        training_data=records / "training" / "training.tfrecord-?????-of-?????",
        eval_data=eval_data,
        classes_file=records / "training" / "training.tfrecord.classes",
        model_dir=model_dir,
    )
    run("evaluate_model.py", model_dir=model_dir, eval_data=eval_data)
    pack(records / "training", model_dir, pathlib.Path(_OUTPUT_PATH.value))


if __name__ == "__main__":
    console.run(main, errors=(tf.errors.OpError, subprocess.CalledProcessError))
