"""The report of a conversion: what became of every line, and a drawing of each category."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Sequence

from dataset.categories import Category
from drawings import pictures

REPORT_FILE = "conversion_report.json"
PICTURE_FILE = "conversion_samples.png"

# The most drawings on the picture, one of each category.
MAX_SAMPLES = 400


def make_report(
    categories: Sequence[Category], *, settings: dict[str, object]
) -> dict[str, object]:
    """Reports what became of every line, and how long and how intricate the drawings are."""
    return {
        "settings": settings,
        "total": _describe(categories),
        "categories": {category.word: _describe([category]) for category in categories},
    }


def _describe(categories: Sequence[Category]) -> dict[str, object]:
    sums: dict[str, collections.Counter] = {
        name: collections.Counter() for name in ("used", "skipped", "points", "strokes")
    }
    for category in categories:
        for name, counts in sums.items():
            counts.update(getattr(category, name))
    return {
        "files": [category.path for category in categories],
        "lines_read": sum(category.read for category in categories),
        "drawings": dict(sums["used"]),
        "simplified": sum(category.simplified for category in categories),
        "skipped": dict(sums["skipped"].most_common()),
        "points_per_drawing": quantiles(sums["points"]),
        "strokes_per_drawing": quantiles(sums["strokes"]),
    }


def quantiles(counts: dict[int, int]) -> dict[str, int]:
    """Returns the median, the 95th and 99th percentile and the maximum of values that occur several
    times.

    Args:
      counts: how often each value occurs.

    Returns:
      They by name, by nearest rank: the smallest value that no smaller share of all values reaches.
    """
    total = sum(counts.values())
    if not total:
        return {}
    shares = {"median": 50, "percentile_95": 95, "percentile_99": 99, "maximum": 100}
    result, reached, values = {}, 0, iter(sorted(counts))
    for name, percent in shares.items():
        while reached * 100 < percent * total:
            value = next(values)
            reached += counts[value]
        result[name] = value
    return result


def write_report(
    folder: str, categories: Sequence[Category], *, settings: dict[str, object]
) -> None:
    """Writes the report and the picture of sample drawings."""
    with open(os.path.join(folder, REPORT_FILE), "w", encoding="utf-8") as file:
        json.dump(make_report(categories, settings=settings), file, indent=1, ensure_ascii=False)
    step = -(-len(categories) // MAX_SAMPLES)
    shown = [category for category in categories if category.sample][::step]
    picture = pictures.sheet(
        [(pictures.decode_ink(category.sample), category.word) for category in shown]
    )
    picture.save(os.path.join(folder, PICTURE_FILE))
