"""The report of an evaluation: numbers as JSON and CSV, and one HTML page that needs no other file.

report.json   all numbers
classes.csv   a line a class: how many drawings, the share recognised, what they were taken for
report.html   the same to look at, with the drawings; the template beside this module says how
"""

from __future__ import annotations

import base64
import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from common import files
from drawings import pictures
from evaluation.guesses import Guesses

JSON_FILE, CSV_FILE, HTML_FILE = "report.json", "classes.csv", "report.html"

# What the page shows of each kind.
SHOWN_PAIRS = 20
DRAWINGS_A_PAIR = 8
SHOWN_MISTAKES = 48
TAKEN_FOR = 3
LENGTH_BINS = 10
PROBABILITY_BINS = 10

# Names of the metrics for people; the others are shown elsewhere.
METRIC_NAMES = {
    "drawings": "Drawings",
    "accuracy": "Accuracy (the first guess is right)",
    "top_3_accuracy": "Top 3 (among the first three)",
    "top_5_accuracy": "Top 5 (among the first five)",
    "map_3": "MAP@3 (1, 1/2, 1/3 for the first, second, third)",
    "mean_class_accuracy": "Mean of the classes' accuracies",
    "accepted": "Recognised in the game (true class above {threshold:.0%})",
    "falsely_accepted": "Taken for another in the game (a wrong class above {threshold:.0%})",
    "loss": "Loss (mean cross entropy)",
}


def class_rows(confusion: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    """For each class that occurs its `class`, `count`, `accuracy`, and as `taken_for` the classes
    that its drawings were most often taken for, with how many of them."""
    rows = []
    for i, name in enumerate(classes):
        count = int(confusion[i].sum())
        if not count:
            continue
        wrong = confusion[i].copy()
        wrong[i] = 0
        order = np.argsort(-wrong, kind="stable")[:TAKEN_FOR]
        rows.append(
            {
                "class": name,
                "count": count,
                "accuracy": int(confusion[i, i]) / count,
                "taken_for": [
                    {"class": classes[j], "count": int(wrong[j])} for j in order if wrong[j]
                ],
            }
        )
    return rows


def confused_pairs(confusion: np.ndarray) -> list[tuple[int, int, int]]:
    """(class, what it was taken for, drawings), the most frequent mistakes first."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:SHOWN_PAIRS]
    pairs = zip(*np.unravel_index(order, wrong.shape))
    return [(int(i), int(j), int(wrong[i, j])) for i, j in pairs if wrong[i, j]]


def by_length(seen: Guesses) -> list[dict[str, Any]]:
    """Measures accuracy by length, in parts of about equal size, `from` and `to` points."""
    edges = np.unique(np.quantile(seen.lengths, np.linspace(0, 1, LENGTH_BINS + 1)).astype(int))
    bins = np.clip(
        np.searchsorted(edges, seen.lengths, side="right") - 1, 0, max(len(edges) - 2, 0)
    )
    rows = []
    for number in np.unique(bins):
        lengths, correct = seen.lengths[bins == number], seen.correct[bins == number]
        rows.append(
            {
                "from": int(lengths.min()) + 1,  # the first point has no row
                "to": int(lengths.max()) + 1,
                "count": len(lengths),
                "accuracy": float(correct.mean()),
            }
        )
    return rows


def reliability(seen: Guesses) -> tuple[list[dict[str, Any]], float]:
    """Compares the probabilities of guesses with how often they are right.

    Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Returns:
      For each tenth of the probabilities that occurs its bounds `from` and `to`, the `count` of
      guesses, their mean `probability` and their `accuracy`; and the expected calibration error,
      the mean difference between the last two over all guesses.
    """
    bins = np.minimum((seen.probability * PROBABILITY_BINS).astype(int), PROBABILITY_BINS - 1)
    rows, error = [], 0.0
    for number in np.unique(bins):
        probability, correct = seen.probability[bins == number], seen.correct[bins == number]
        row = {
            "from": number / PROBABILITY_BINS,
            "to": (number + 1) / PROBABILITY_BINS,
            "count": len(correct),
            "probability": float(probability.mean(dtype=np.float64)),
            "accuracy": float(correct.mean()),
        }
        rows.append(row)
        error += abs(row["probability"] - row["accuracy"]) * row["count"] / len(seen.labels)
    return rows, error


def write(
    output_path: str,
    *,
    title: str,
    metrics: Mapping[str, float],
    beginnings: Sequence[Mapping[str, float]],
    seen: Guesses,
    classes: Sequence[str],
    accept_threshold: float,
) -> None:
    """Writes the three files.

    Args:
      output_path: folder for them.
      title: what was evaluated on what.
      metrics: of `model.model_fn`.
      beginnings: the same for beginnings of the drawings, each with its `stroke_share`.
      seen: the drawings.
      classes: the class list.
      accept_threshold: the probability above which a guess counted as said.
    """
    confusion = seen.confusion(len(classes))
    rows = class_rows(confusion, classes)
    pairs = confused_pairs(confusion)
    probability_rows, calibration_error = reliability(seen)
    numbers = {
        "title": title,
        "metrics": metrics,
        "accept_threshold": accept_threshold,
        "beginnings": beginnings,
        "by_length": by_length(seen),
        "reliability": probability_rows,
        "expected_calibration_error": calibration_error,
        "confused_pairs": [
            {"class": classes[i], "taken_for": classes[j], "count": n} for i, j, n in pairs
        ],
        "classes": rows,
    }
    page = _page(numbers, confusion, pairs, seen, classes)
    table = _table(rows)
    files.make_folder(output_path)
    text = json.dumps(numbers, indent=1, ensure_ascii=False) + "\n"
    for name, content in ((JSON_FILE, text), (CSV_FILE, table), (HTML_FILE, page)):
        files.write_whole(os.path.join(output_path, name), content)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """`class_rows` as CSV."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    taken_for = [f"{what}_{n}" for n in range(1, TAKEN_FOR + 1) for what in ("taken_for", "count")]
    writer.writerow(["class", "count", "accuracy", *taken_for])
    for row in rows:
        others = [(other["class"], other["count"]) for other in row["taken_for"]]
        cells = [cell for other in others for cell in other]
        cells += [""] * (2 * TAKEN_FOR - len(cells))
        writer.writerow([row["class"], row["count"], f"{row['accuracy']:.6f}", *cells])
    return table.getvalue()


def _page(
    numbers: Mapping[str, Any],
    confusion: np.ndarray,
    pairs: Sequence[tuple[int, int, int]],
    seen: Guesses,
    classes: Sequence[str],
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.dirname(__file__)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=numbers["title"],
        numbers=numbers,
        measures=_measures(numbers),
        pairs=[
            {
                "class": classes[i],
                "taken_for": classes[j],
                "count": count,
                "share": count / confusion[i].sum(),
                "image": _pair_picture(seen, classes, i, j),
            }
            for i, j, count in pairs
        ],
        mistakes=_mistakes_picture(seen, classes),
        confusion=_image(
            pictures.confusion_matrix(confusion, classes),
            "The confusion matrix; the confused pairs above are its darkest mistakes",
        ),
    )


def _measures(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the names of the metrics for people, and their values as text."""
    formats = {"drawings": "{:,}", "loss": "{:.4f}"}
    return [
        (
            text.format(threshold=numbers["accept_threshold"]),
            formats.get(name, "{:.2%}").format(numbers["metrics"][name]),
        )
        for name, text in METRIC_NAMES.items()
    ]


def _pair_picture(seen: Guesses, classes: Sequence[str], i: int, j: int) -> dict[str, str]:
    shown = _surest(seen, (seen.labels == i) & (seen.predictions == j), DRAWINGS_A_PAIR)
    sheet = pictures.sheet(
        [(seen.inks[k], f"{seen.probability[k]:.0%}") for k in shown], columns=DRAWINGS_A_PAIR
    )
    return _image(sheet, f"Drawings of {classes[i]} that were taken for {classes[j]}")


def _mistakes_picture(seen: Guesses, classes: Sequence[str]) -> dict[str, str] | None:
    shown = _surest(seen, ~seen.correct, SHOWN_MISTAKES)
    if not len(shown):
        return None
    texts = [
        f"{classes[seen.labels[k]]}\n{classes[seen.predictions[k]]} {seen.probability[k]:.1%}"
        for k in shown
    ]
    sheet = pictures.sheet([(seen.inks[k], text) for k, text in zip(shown, texts)], columns=8)
    return _image(sheet, "The mistakes that the model was surest of")


def _surest(seen: Guesses, chosen: np.ndarray, count: int) -> np.ndarray:
    """Returns indices of the chosen drawings that were guessed with most probability."""
    among = np.flatnonzero(chosen[: len(seen.inks)])
    return among[np.argsort(-seen.probability[among], kind="stable")[:count]]


def _image(picture: Image.Image, alt: str) -> dict[str, str]:
    data = base64.b64encode(pictures.png(picture)).decode()
    return {"source": f"data:image/png;base64,{data}", "alt": alt}
