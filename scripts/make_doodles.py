r"""Draws synthetic doodles in the data set's ndjson format, to try the pipeline without data.

    python scripts/make_doodles.py --output_path=quickstart/doodles

They are not Quick, Draw! drawings: ten categories drawn by procedures, with a hand's wobble,
slant, gaps and order of strokes. Each line says so: `"synthetic": true`.
"""

from __future__ import annotations

from common import startup  # noqa: F401  # isort: skip  (first, see there)

import json
import os
from collections.abc import Callable

import numpy as np
from absl import flags

from common import programs
from drawings import ink

_OUTPUT_PATH = flags.DEFINE_string("output_path", None, "Folder for the files.", required=True)
_DRAWINGS = flags.DEFINE_integer("drawings_per_class", 600, "Lines a file.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Same seed, same doodles.")

# Points a unit of length, before they are simplified as the data set's are.
DENSITY = 60

# Gives the strokes of a doodle, in a box of about one unit, y downwards.
Doodle = Callable[[np.random.Generator], "list[np.ndarray]"]


def line(*points: tuple[float, float]) -> np.ndarray:
    """Draws a polyline, float64 [points, 2]."""
    corners = np.array(points, float)
    reach = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.linspace(0, reach[-1], max(2, int(reach[-1] * DENSITY)))
    return np.stack([np.interp(at, reach, corners[:, axis]) for axis in (0, 1)], axis=1)


def arc(
    x: float, y: float, radius_x: float, radius_y: float, start: float = 0.0, end: float = 360.0
) -> np.ndarray:
    """Draws part of an ellipse, angles in degrees, clockwise from the right."""
    length = np.radians(abs(end - start)) * max(radius_x, radius_y)
    angle = np.radians(np.linspace(start, end, max(3, int(length * DENSITY))))
    return np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)], axis=1)


def circle(rng: np.random.Generator) -> list[np.ndarray]:
    start = rng.uniform(0, 360)
    return [arc(0.5, 0.5, 0.5, 0.5, start, start + rng.uniform(345, 375))]


def square(rng: np.random.Generator) -> list[np.ndarray]:
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    turn = rng.integers(4)
    corners = corners[turn:] + corners[:turn]
    return [line(*corners, corners[0])]


def triangle(rng: np.random.Generator) -> list[np.ndarray]:
    top = (rng.uniform(0.35, 0.65), 0)
    return [line(top, (1, 1), (0, 1), top)]


def star(rng: np.random.Generator) -> list[np.ndarray]:
    angles = np.radians(-90 + 144 * np.arange(6))
    return [line(*np.stack([np.cos(angles), np.sin(angles)], axis=1))]


def house(rng: np.random.Generator) -> list[np.ndarray]:
    strokes = [
        line((0, 0.5), (0, 1), (1, 1), (1, 0.5), (0, 0.5)),
        line((0, 0.5), (0.5, 0), (1, 0.5)),
    ]
    door = rng.uniform(0.2, 0.6)
    strokes.append(line((door, 1), (door, 0.7), (door + 0.2, 0.7), (door + 0.2, 1)))
    return strokes


def smiley_face(rng: np.random.Generator) -> list[np.ndarray]:
    start = rng.uniform(0, 360)
    return [
        arc(0.5, 0.5, 0.5, 0.5, start, start + 360),
        arc(0.33, 0.35, 0.05, 0.07),
        arc(0.67, 0.35, 0.05, 0.07),
        arc(0.5, 0.55, 0.25, 0.22, rng.uniform(0, 20), rng.uniform(160, 180)),
    ]


def ladder(rng: np.random.Generator) -> list[np.ndarray]:
    strokes = [line((0.3, 0), (0.3, 1)), line((0.7, 0), (0.7, 1))]
    rungs = rng.integers(4, 7)
    return strokes + [line((0.3, y), (0.7, y)) for y in np.linspace(0.12, 0.88, rungs)]


def zigzag(rng: np.random.Generator) -> list[np.ndarray]:
    corners = int(rng.integers(5, 9))
    return [line(*((i / (corners - 1), 0.5 * (i % 2)) for i in range(corners)))]


def flower(rng: np.random.Generator) -> list[np.ndarray]:
    petals = rng.integers(5, 8)
    angles = np.radians(np.arange(petals) * 360 / petals)
    strokes = [arc(0.5, 0.35, 0.1, 0.1)]
    strokes += [arc(0.5 + 0.2 * np.cos(a), 0.35 + 0.2 * np.sin(a), 0.1, 0.1) for a in angles]
    return strokes + [line((0.5, 0.65), (0.5, 1.2))]


def sun(rng: np.random.Generator) -> list[np.ndarray]:
    rays = rng.integers(7, 12)
    strokes = [arc(0.5, 0.5, 0.25, 0.25)]
    for angle in np.radians(np.arange(rays) * 360 / rays):
        ray = np.array([np.cos(angle), np.sin(angle)])
        strokes.append(line(tuple(0.5 + 0.32 * ray), tuple(0.5 + 0.5 * ray)))
    return strokes


DOODLES: dict[str, Doodle] = {
    "circle": circle,
    "flower": flower,
    "house": house,
    "ladder": ladder,
    "smiley face": smiley_face,
    "square": square,
    "star": star,
    "sun": sun,
    "triangle": triangle,
    "zigzag": zigzag,
}


def by_hand(strokes: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Draws strokes as a hand would: slanted, wobbling, with gaps, in any order."""
    angle = np.radians(rng.normal(0, 7))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.diag(np.exp(rng.normal(0, 0.15, 2))) @ np.array([[1, rng.normal(0, 0.1)], [0, 1]])
    drawn = []
    for stroke in strokes:
        share = np.linspace(0, 1, len(stroke))
        size = min(1.0, float(np.ptp(stroke, axis=0).max()))
        wobble = rng.normal(0, 0.003, stroke.shape)
        for waves in (1, 2, 3, 5):
            wave = np.sin(np.pi * waves * share + rng.uniform(0, 2 * np.pi))
            wobble += size * rng.normal(0, 0.015, 2) * wave[:, np.newaxis]
        moved = stroke + rng.normal(0, 0.015, 2) + wobble
        moved = moved @ (turn @ stretch).T
        drawn.append(moved[::-1] if rng.random() < 0.3 else moved)
    if rng.random() < 0.3:
        rng.shuffle(drawn)
    return drawn


def make_line(word: str, number: int, rng: np.random.Generator) -> str:
    """Makes one line of ndjson, with the data set's fields."""
    strokes = by_hand(DOODLES[word](rng), rng)
    document = {
        "word": word,
        "countrycode": "",
        "timestamp": "",
        "recognized": True,
        "key_id": f"synthetic-{word}-{number}",
        "synthetic": True,
        "drawing": ink.simplify([stroke.T.tolist() for stroke in strokes]),
    }
    return json.dumps(document, separators=(",", ":")) + "\n"


def write_doodles(output_path: str, *, drawings_per_class: int, seed: int) -> None:
    """Writes one file a category."""
    os.makedirs(output_path, exist_ok=True)
    for index, word in enumerate(DOODLES):
        rng = np.random.default_rng([seed, index])
        with open(os.path.join(output_path, f"{word}.ndjson"), "w", encoding="utf-8") as file:
            file.writelines(make_line(word, number, rng) for number in range(drawings_per_class))


def main() -> None:
    write_doodles(_OUTPUT_PATH.value, drawings_per_class=_DRAWINGS.value, seed=_SEED.value)
    print(
        f"{len(DOODLES)} categories of {_DRAWINGS.value:,} synthetic doodles in "
        f"{_OUTPUT_PATH.value}"
    )


if __name__ == "__main__":
    programs.run(main)
