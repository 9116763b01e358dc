r"""Trains the network that comes with the project; writes `pretrained` and its drawing page.

    python scripts/make_starter.py --ndjson_path=rnn_tutorial_data

Of each category's drawings every twentieth is kept for evaluation; training takes the first 1,000
of the others. There are four trainings, each from the weights of the one before:
recipes/starter.flags, starter_2.flags, starter_3.flags and starter_4.flags, 124,000 steps in all.
balance.py then lifts the last layer's bias. This takes about two and a half hours on two CPU cores
with bfloat16 instructions, twice that on others. After an interruption the same command continues.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import contextlib
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

import jinja2
import numpy as np
from absl import flags

import balance
from common import programs
from common.errors import UserError
from evaluation import report
from model_folder import checkpoints, description, models
from network import hardware
from serving import drawing_page, page_examples, pretrained, weights

_NDJSON_PATH = flags.DEFINE_list(
    "ndjson_path", None, "Folders of .ndjson files, one category each.", required=True
)
_WORK_PATH = flags.DEFINE_string(
    "work_path", "starter", "Folder for the split drawings, the records and the run."
)
_OUTPUT_PATH = flags.DEFINE_string("output_path", "pretrained", "Folder to write.")
_PAGE_PATH = flags.DEFINE_string("page_path", "docs/draw.html", "Drawing page to write.")

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Every so many lines of a file, one is kept for evaluation.
EVAL_EVERY = 20

# Drawings of each category at most: all are to count alike.
TRAINING_DRAWINGS = 1000
EVAL_DRAWINGS = 20

# Categories that README.md of the folder names as the worst.
SHOWN_CATEGORIES = 20

# The trainings, by the names of their recipes.
RECIPES = ("starter", "starter_2", "starter_3", "starter_4")

# The records, in their folder.
TRAINING_DATA = "training/training.tfrecord-?????-of-?????"
EVAL_DATA = "eval/eval.tfrecord-?????-of-?????"

README_TEMPLATE = "starter_readme.md"


def split(sources: Sequence[pathlib.Path], folder: pathlib.Path) -> None:
    """Writes each category's lines as two files: training/NAME.ndjson and eval/NAME.ndjson."""
    names = sorted({path.name for source in sources for path in source.glob("*.ndjson")})
    if not names:
        raise UserError(f"--ndjson_path={','.join(map(str, sources))}: no .ndjson file there")
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
    done = subprocess.run([sys.executable, str(ROOT / program), *options])
    if done.returncode:
        raise UserError(f"{program} ended with exit code {done.returncode}; see above")


def train(recipe: str, records: pathlib.Path, model_dir: pathlib.Path, **options: object) -> None:
    """Trains in a folder with a recipe, or goes on with it."""
    run(
        "train_model.py",
        flagfile=ROOT / f"recipes/{recipe}.flags",
        mixed_precision=hardware.half_precision() is not None,
        training_data=records / TRAINING_DATA,
        eval_data=records / EVAL_DATA,
        classes_file=records / "training" / "training.tfrecord.classes",
        model_dir=model_dir,
        **options,
    )


def finish(run: pathlib.Path, records: pathlib.Path, model_dir: pathlib.Path) -> None:
    """Writes a folder as train_model.py leaves it, of a trained network with its last layer's bias
    lifted."""
    trained = models.find_model(str(run))
    step = checkpoints.global_step(trained.checkpoint)
    values = {
        **weights.read(trained.checkpoint, params=trained.params),
        "dense/bias": balance.lifted_bias(
            sorted(map(str, records.glob(TRAINING_DATA))),
            trained.checkpoint,
            params=trained.params,
            distortion=1.0,
            stroke_variation=1.0,
        ),
        tf.compat.v1.GraphKeys.GLOBAL_STEP: np.array(step, np.int64),
    }
    shutil.rmtree(model_dir, ignore_errors=True)
    description.prepare(str(model_dir), params=trained.params, classes=trained.classes)
    checkpoint = checkpoints.write(values, checkpoints.path_of(str(model_dir), step))
    checkpoints.write_state(str(model_dir), [checkpoint])


def pack(work: pathlib.Path, output: pathlib.Path) -> None:
    """Writes the folder and the page, of the model that was trained and evaluated in `work`."""
    tf.compat.v1.disable_eager_execution()
    evaluation = work / "model/evaluation"
    numbers = json.loads((evaluation / report.JSON_FILE).read_text())
    with models.copied_model(str(work / "model")) as (trained, copy):
        pretrained.write(output, copy)
        drawing_page.write(
            _PAGE_PATH.value,
            copy,
            examples=page_examples.from_ndjson(str(work / "ndjson/training"), trained.classes),
            evaluation=numbers["metrics"],
        )
    shutil.copy(evaluation / report.CSV_FILE, output / report.CSV_FILE)
    conversion = json.loads((work / "records/training/conversion_report.json").read_text())
    (output / "README.md").write_text(readme(numbers, conversion, trained))
    print(f"\nWritten: {output} and {_PAGE_PATH.value}")


def readme(numbers: dict, conversion: dict, trained: models.Model) -> str:
    """Returns the page that says what the network is, from the reports of its making."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = (ROOT / "scripts" / README_TEMPLATE).read_text()
    return environment.from_string(template).render(
        classes=trained.classes,
        training_drawings=sum(conversion["total"]["drawings"].values()),
        limit=TRAINING_DRAWINGS,
        eval_limit=EVAL_DRAWINGS,
        steps=numbers["metrics"]["global_step"],
        metrics=numbers["metrics"],
        beginnings=numbers["beginnings"],
        calibration_error=numbers["expected_calibration_error"],
        worst=sorted(numbers["classes"], key=lambda row: row["accuracy"])[:SHOWN_CATEGORIES],
    )


def main() -> None:
    work = pathlib.Path(_WORK_PATH.value)
    records = work / "records"
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
    runs = [work / name for name in RECIPES]
    for recipe, before, model_dir in zip(RECIPES, ["", *runs], runs):
        train(recipe, records, model_dir, warm_start_from=before)
    finish(runs[-1], records, work / "model")
    train(RECIPES[-1], records, work / "model")  # which only evaluates, calibrates and exports
    run("evaluate_model.py", model_dir=work / "model", eval_data=records / EVAL_DATA)
    pack(work, pathlib.Path(_OUTPUT_PATH.value))


if __name__ == "__main__":
    programs.run(main)
