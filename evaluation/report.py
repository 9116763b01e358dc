"""The report of an evaluation: numbers as JSON and CSV, and one HTML page that needs no other file.

report.json   all numbers
classes.csv   a line a class: how many drawings, the share recognised, what they were taken for
report.html   the same to look at, with the drawings
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import os
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from drawings import pictures
from evaluation.outcomes import Outcomes
from training import model_dirs

JSON_FILE, CSV_FILE, HTML_FILE = "report.json", "classes.csv", "report.html"

# Drawings whose ink is kept to be shown, some 60 MB; mistakes beyond them are counted only.
KEPT_INKS = 100_000

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


# ---- Numbers ----


def class_rows(confusion: np.ndarray, classes: Sequence[str]) -> list[dict]:
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


def by_length(seen: Outcomes) -> list[dict]:
    """Accuracy of drawings `from` and `to` so many rows of ink, in parts of about equal size."""
    edges = np.unique(np.quantile(seen.lengths, np.linspace(0, 1, LENGTH_BINS + 1)).astype(int))
    bins = np.clip(
        np.searchsorted(edges, seen.lengths, side="right") - 1, 0, max(len(edges) - 2, 0)
    )
    rows = []
    for number in np.unique(bins):
        lengths, correct = seen.lengths[bins == number], seen.correct[bins == number]
        rows.append(
            {
                "from": int(lengths.min()),
                "to": int(lengths.max()),
                "count": len(lengths),
                "accuracy": float(correct.mean()),
            }
        )
    return rows


def reliability(seen: Outcomes) -> tuple[list[dict], float]:
    """Whether a guess of some probability is right so often.

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
    metrics: dict[str, float],
    prefixes: Sequence[dict[str, float]],
    seen: Outcomes,
    classes: Sequence[str],
    accept_threshold: float,
) -> None:
    """Writes the three files.

    Args:
      output_path: folder for them.
      title: what was evaluated on what.
      metrics: of `model.model_fn`.
      prefixes: the same for beginnings of the drawings, each with its `stroke_share`.
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
        "first_strokes": prefixes,
        "by_length": by_length(seen),
        "reliability": probability_rows,
        "expected_calibration_error": calibration_error,
        "confused_pairs": [
            {"class": classes[i], "taken_for": classes[j], "count": n} for i, j, n in pairs
        ],
        "classes": rows,
    }
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    taken_for = [f"{what}_{n}" for n in range(1, TAKEN_FOR + 1) for what in ("taken_for", "count")]
    writer.writerow(["class", "count", "accuracy", *taken_for])
    for row in rows:
        others = [(other["class"], other["count"]) for other in row["taken_for"]]
        cells = [cell for other in others for cell in other]
        cells += [""] * (2 * TAKEN_FOR - len(cells))
        writer.writerow([row["class"], row["count"], f"{row['accuracy']:.6f}", *cells])
    page = _page(numbers, confusion, pairs, seen, classes)
    tf.io.gfile.makedirs(output_path)
    text = json.dumps(numbers, indent=1, ensure_ascii=False) + "\n"
    for name, content in ((JSON_FILE, text), (CSV_FILE, table.getvalue()), (HTML_FILE, page)):
        model_dirs.write_whole(os.path.join(output_path, name), content)


# ---- The page ----


def _page(
    numbers: dict,
    confusion: np.ndarray,
    pairs: Sequence[tuple[int, int, int]],
    seen: Outcomes,
    classes: Sequence[str],
) -> str:
    sections = [
        ("Measures", _measures(numbers)),
        ("While one draws", _while_drawing(numbers["first_strokes"])),
        ("Accuracy by class", _by_class(numbers["classes"])),
        ("Confused pairs", _pairs(pairs, confusion, seen, classes)),
        ("Confident mistakes", _mistakes(seen, classes)),
        ("Confusion matrix", _confusion(confusion, classes)),
        ("Accuracy by length of the drawing", _by_length(numbers["by_length"])),
        ("Is a probability of 0.8 right 80% of the time?", _reliability(numbers)),
    ]
    body = "".join(f"<h2>{_text(name)}</h2>\n{content}\n" for name, content in sections)
    return _PAGE.format(title=_text(numbers["title"]), body=body)


def _measures(numbers: dict) -> str:
    def shown(name: str, value: float) -> str:
        return (
            f"{value:,}"
            if name == "drawings"
            else f"{value:.4f}"
            if name == "loss"
            else f"{value:.2%}"
        )

    rows = (
        (
            _text(text.format(threshold=numbers["accept_threshold"])),
            shown(name, numbers["metrics"][name]),
        )
        for name, text in METRIC_NAMES.items()
    )
    return _table(rows)


def _while_drawing(prefixes: Sequence[dict]) -> str:
    rows = [
        (f"{row['stroke_share']:.0%}", _bar(row["accuracy"]), f"{row['top_3_accuracy']:.1%}",
         f"{row['accepted']:.1%}") for row in prefixes
    ]  # fmt: skip
    return "<p>The game guesses after each stroke.</p>" + _table(
        rows, head=("strokes drawn", "accuracy", "top 3", "recognised in the game")
    )


def _by_class(rows: Sequence[dict]) -> str:
    worst_first = sorted(rows, key=lambda row: row["accuracy"])
    cells = (
        (
            _text(row["class"]),
            f"{row['count']:,}",
            _bar(row["accuracy"]),
            ", ".join(f"{_text(other['class'])} {other['count']:,}" for other in row["taken_for"]),
        )
        for row in worst_first
    )
    table = _table(cells, head=("class", "drawings", "accuracy", "most often taken for"))
    return f"<p>The hardest first.</p><div class='scroll'>{table}</div>"


def _pairs(
    pairs: Sequence[tuple[int, int, int]],
    confusion: np.ndarray,
    seen: Outcomes,
    classes: Sequence[str],
) -> str:
    parts = []
    for i, j, count in pairs:
        shown = _surest(seen, (seen.labels == i) & (seen.predictions == j), DRAWINGS_A_PAIR)
        sheet = pictures.sheet(
            [(seen.inks[k], f"{seen.probability[k]:.0%}") for k in shown], columns=DRAWINGS_A_PAIR
        )
        share = count / confusion[i].sum()
        parts.append(
            f"<h3>{_text(classes[i])} taken for {_text(classes[j])}: {count:,} drawings, "
            f"{share:.1%} of the class</h3>{_image(sheet)}"
        )
    return "".join(parts) or "<p>There are none.</p>"


def _mistakes(seen: Outcomes, classes: Sequence[str]) -> str:
    shown = _surest(seen, ~seen.correct, SHOWN_MISTAKES)
    if not len(shown):
        return "<p>There are none.</p>"
    drawings = [
        (
            seen.inks[k],
            f"{classes[seen.labels[k]]}\n{classes[seen.predictions[k]]} {seen.probability[k]:.1%}",
        )
        for k in shown
    ]
    return (
        "<p>What the drawing was meant to be, and below it the guess with its probability.</p>"
        + _image(pictures.sheet(drawings, columns=8))
    )


def _surest(seen: Outcomes, chosen: np.ndarray, count: int) -> np.ndarray:
    """Indices of the chosen drawings that were guessed with most probability."""
    among = np.flatnonzero(chosen[: len(seen.inks)])
    return among[np.argsort(-seen.probability[among], kind="stable")[:count]]


def _confusion(confusion: np.ndarray, classes: Sequence[str]) -> str:
    picture = _image(pictures.confusion_matrix(confusion, classes))
    return (
        "<p>A row is a class, a column what its drawings were taken for. The darker, the larger "
        "its share of the row (as its square root, so that rare mistakes show).</p>"
        f"<div class='scroll'>{picture}</div>"
    )


def _by_length(rows: Sequence[dict]) -> str:
    cells = (
        (f"{row['from']} to {row['to']}", f"{row['count']:,}", _bar(row["accuracy"]))
        for row in rows
    )
    return _table(cells, head=("points", "drawings", "accuracy"))


def _reliability(numbers: dict) -> str:
    size, rows = 320, numbers["reliability"]

    def at(row: dict) -> tuple[float, float]:
        return row["probability"] * size, (1 - row["accuracy"]) * size

    line = " ".join("{:.1f},{:.1f}".format(*at(row)) for row in rows)
    dots = "".join(
        "<circle cx='{:.1f}' cy='{:.1f}' r='4'><title>{:,} guesses</title></circle>".format(
            *at(row), row["count"]
        )
        for row in rows
    )
    ticks = "".join(
        f"<text x='{share * size:.0f}' y='{size + 16}' text-anchor='middle'>{share:g}</text>"
        f"<text x='-6' y='{(1 - share) * size + 4:.0f}' text-anchor='end'>{share:g}</text>"
        for share in (0, 0.2, 0.4, 0.6, 0.8, 1)
    )
    diagram = (
        f"<svg viewBox='-48 -10 {size + 64} {size + 50}' width='{size + 64}'>"
        f"<rect width='{size}' height='{size}'/><line x1='0' y1='{size}' x2='{size}' y2='0'/>"
        f"<polyline points='{line}'/>{dots}{ticks}"
        f"<text x='{size / 2}' y='{size + 34}' text-anchor='middle'>probability of the guess</text>"
        f"<text transform='translate(-34 {size / 2}) rotate(-90)' text-anchor='middle'>"
        "share of guesses that are right</text></svg>"
    )
    cells = (
        (f"{row['from']:.1f} to {row['to']:.1f}", f"{row['count']:,}", f"{row['probability']:.1%}",
         f"{row['accuracy']:.1%}") for row in rows
    )  # fmt: skip
    table = _table(cells, head=("probability", "guesses", "on average", "right"))
    return (
        "<p>On the diagonal it is; below it the model is too sure of itself. Expected calibration "
        f"error: {numbers['expected_calibration_error']:.2%}.</p>"
        f"<div class='beside'>{diagram}{table}</div>"
    )


def _table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = ()) -> str:
    """Cells are HTML."""
    first = "<tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>" if head else ""
    lines = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{first}{''.join(lines)}</table>"


def _bar(share: float) -> str:
    return f"<div class='bar'><i style='width:{share:.1%}'></i></div> {share:.1%}"


def _image(picture: Image.Image) -> str:
    return f"<img src='data:image/png;base64,{base64.b64encode(pictures.png(picture)).decode()}'>"


def _text(text: str) -> str:
    return html.escape(text)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 900px; margin: 2em auto; padding: 0 1em;
  color: #222; }}
h1 {{ font-size: 1.2em; overflow-wrap: anywhere; }}
h2 {{ margin-top: 2em; border-bottom: 1px solid #ccc; }}
h3 {{ font-size: 1em; margin: 1.2em 0 0; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: 2px 14px 2px 0; vertical-align: baseline; }}
th {{ font-weight: 600; border-bottom: 1px solid #ccc; }}
img {{ max-width: none; }}
.scroll {{ overflow: auto; max-height: 80vh; }}
.beside {{ display: flex; flex-wrap: wrap; gap: 2em; align-items: flex-start; }}
.bar {{ display: inline-block; width: 160px; height: 0.7em; background: #eee; }}
.bar i {{ display: block; height: 100%; background: #08519c; }}
svg rect {{ fill: none; stroke: #999; }}
svg line {{ stroke: #999; stroke-dasharray: 4 4; }}
svg polyline {{ fill: none; stroke: #08519c; stroke-width: 2; }}
svg circle {{ fill: #08519c; }}
svg text {{ font-size: 12px; fill: #444; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
