r"""Are drawings recognised alike however their points are stored and whichever program reads them?

    python benchmarks/check_preparation.py --model=runs/2026-11-22-174400 \
        --ndjson_path=rnn_tutorial_data

Takes the last lines of the files, which training has not seen where there are enough, as they are
and with points as dense as a mouse gives them: with times and without, as fractions and as whole
numbers. Each is recognised by way of create_dataset.py and the evaluation, of `Classifier`, as
classify_drawings.py has it, and of the drawing page where there is Chromium and its driver. Ends
with exit code 1 where two figures of the dense drawings, or two in a row, are more than a point
apart.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import contextlib
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
from absl import flags

import browser as browsers
from common import programs
from common.errors import UserError
from dataset import conversion
from drawings import ink
from evaluation import evaluate
from model_folder import models
from serving import classifier, drawing_page, exporting

_MODEL = flags.DEFINE_string("model", None, "--model_dir of train_model.py.", required=True)
_NDJSON_PATH = flags.DEFINE_string(
    "ndjson_path", None, "Folder of ndjson files of simplified drawings.", required=True
)
_DRAWINGS = flags.DEFINE_integer("drawings", 1000, "Drawings to take at least.", lower_bound=1)
_SPACING = flags.DEFINE_float("spacing", 4.0, "Pixels from one point to the next.")
_CANVAS = flags.DEFINE_float("canvas", 256.0, "Pixels of a drawing's larger side.")

# What two figures may differ by.
MAX_DIFFERENCE = 0.01

CLASSIFY = """
const [drawings, done] = arguments;
const first = async (strokes) => (await drawingClassifier.classify(strokes))[0].word;
Promise.all(drawings.map(first)).then(done);
"""

Drawings = Sequence[tuple[str, list]]  # words and strokes


def read_last(folder: str, count: int) -> list[tuple[str, list]]:
    """Reads the last drawings of each file, as many of each, `count` of all or more."""
    paths = sorted(pathlib.Path(folder).glob("*.ndjson"))
    if not paths:
        raise UserError(f"--ndjson_path={folder}: no .ndjson file in it")
    lines = [
        line
        for path in paths
        for line in path.read_bytes().splitlines()[-(-count // -len(paths)) :]
    ]
    return [(document["word"], document["drawing"]) for document in map(json.loads, lines)]


def dense(strokes: Sequence[ink.Stroke], *, times: bool, whole: bool) -> list:
    """Returns the strokes with points as far apart as --spacing says, on a canvas of --canvas."""
    scale = _CANVAS.value / (max(np.ptp(np.concatenate(strokes, axis=1), axis=1)) or 1)
    result = []
    for stroke in strokes:
        xs, ys = np.array(stroke) * scale
        length = np.cumsum([0, *np.hypot(np.diff(xs), np.diff(ys))])
        at = np.linspace(0, length[-1], int(length[-1] / _SPACING.value) + 2)
        rows = np.stack([np.interp(at, length, xs), np.interp(at, length, ys)])
        rows = np.rint(rows).astype(int) if whole else rows
        result.append(rows.tolist() + ([list(range(len(at)))] if times else []))
    return result


def by_evaluation(drawings: Drawings, trained: models.Model) -> float:
    """Converts the drawings and evaluates the records."""
    by_word: dict[str, list] = {}
    for word, strokes in drawings:
        by_word.setdefault(word, []).append(strokes)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "ndjson")
        source.mkdir()
        for number, (word, all_strokes) in enumerate(by_word.items()):
            lines = (json.dumps({"word": word, "drawing": strokes}) for strokes in all_strokes)
            (source / f"{number}.ndjson").write_text("\n".join(lines))
        splits = [conversion.Split("eval", len(drawings))]
        records = os.path.join(folder, "records")
        categories = conversion.convert(
            str(source), records, splits=splits, num_shards=1, seed=0, num_workers=1
        )
        if [category.word for category in categories] != trained.classes:
            raise UserError("--ndjson_path: its words are not those of the model")
        result, *_ = evaluate.evaluate(
            sorted(map(str, pathlib.Path(records).glob("eval.tfrecord-*"))),
            trained,
            batch_size=64,
        )
    return result["accuracy"]


def by_classifier(drawings: Drawings, model: classifier.Classifier) -> float:
    points = [classifier.prepare(strokes) for _, strokes in drawings]
    guesses = model.classify_points(points)
    return sum(mine[0].word == word for mine, (word, _) in zip(guesses, drawings)) / len(drawings)


def by_page(drawings: Drawings, browser: browsers.webdriver.Chrome) -> float:
    words = browser.execute_async_script(CLASSIFY, [strokes for _, strokes in drawings])
    return sum(mine == word for mine, (word, _) in zip(words, drawings)) / len(drawings)


def _browser() -> contextlib.AbstractContextManager:
    """Opens a browser; None where there is none."""
    return browsers.opened() if browsers.find() else contextlib.nullcontext()


def main() -> int | None:
    tf.compat.v1.disable_eager_execution()
    drawings = read_last(_NDJSON_PATH.value, _DRAWINGS.value)
    stored = {"as they are": drawings}
    for times in (True, False):
        for whole in (False, True):
            name = f"{'whole numbers' if whole else 'fractions'}, {'' if times else 'no '}times"
            stored[name] = [(w, dense(s, times=times, whole=whole)) for w, s in drawings]
    with (
        models.copied_model(_MODEL.value) as (_, trained),
        tempfile.TemporaryDirectory() as folder,
        _browser() as browser,
    ):
        model = classifier.Classifier(exporting.export(folder, trained))
        ways: dict[str, Callable[[Drawings], float]] = {
            "create_dataset.py, evaluation": lambda some: by_evaluation(some, trained),
            "Classifier": lambda some: by_classifier(some, model),
        }
        if browser:
            page = os.path.join(folder, drawing_page.FILE)
            drawing_page.write(page, trained)
            browser.set_script_timeout(600)
            browser.get(f"file://{page}")
            ways["page"] = lambda some: by_page(some, browser)
        accuracy = {name: [way(some) for way in ways.values()] for name, some in stored.items()}
    print(
        f"\n{len(drawings):,} drawings, dense ones with a point every {_SPACING.value:g} pixels\n"
    )
    print(f"| accuracy | {' | '.join(ways)} |\n|---|{'---|' * len(ways)}")
    for name, figures in accuracy.items():
        print(f"| {name} | {' | '.join(f'{figure:.1%}' for figure in figures)} |")
    dense_ones = [figure for name in list(accuracy)[1:] for figure in accuracy[name]]
    groups = [accuracy["as they are"], dense_ones]
    if max(max(group) - min(group) for group in groups) > MAX_DIFFERENCE:
        return programs.fail(f"figures are more than {MAX_DIFFERENCE:.0%} apart")
    return None


if __name__ == "__main__":
    programs.run(main)
