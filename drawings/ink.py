"""What a drawing is: strokes in, ink out, and back.

Ink is float32 [points - 1, 3], one row a step of the pen:

    columns 0, 1   difference to the previous point in x and y, where the drawing's
                   bounding box is the unit square (each axis scaled by itself)
    column 2       1.0 where the row's point is the last of its stroke, else 0.0

A worked example, an L of one stroke and a dot to the right of it:

    strokes   [[0, 0, 4], [0, 8, 8]],  [[8], [8]]
    points    (0, 0)  (0, 8)  (4, 8)  (8, 8)
    unit box  (0, 0)  (0, 1)  (.5, 1)  (1, 1)
    ink       [0, 1, 0]  [.5, 0, 1]  [.5, 0, 1]

This module knows nothing of TensorFlow.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from drawings import point_loops

_NUMBER_TYPES = frozenset((int, float))

# The published simplified drawings: the larger side of their box, and the distance that a
# point left out may have from the line that replaces it.
SIMPLIFIED_SIZE = 255.0
SIMPLIFIED_EPSILON = 2.0

# A stroke as JSON has it: [xs, ys] (simplified) or [xs, ys, ts] (raw).
Stroke = Sequence[Sequence[float]]


def strokes_to_ink(strokes: Sequence[Stroke]) -> np.ndarray:
    """Encodes a drawing.

    Args:
      strokes: list of `[xs, ys]` or `[xs, ys, ts]`; x and y in any unit, y downwards, and
        the times are ignored.

    Returns:
      float32 [points - 1, 3], see the module's docstring.

    Raises:
      ValueError: the strokes are not a usable drawing; the message is the reason.
    """
    return _encode(*_points_of(strokes))


def drawing_to_ink(strokes: Sequence[Stroke]) -> np.ndarray:
    """Does what `strokes_to_ink` does, but simplifies raw drawings, which have times, first."""
    points = _points_of(strokes)
    return _encode(*(_simplify(*points) if is_raw(strokes) else points))


def strokes_to_points(strokes: Sequence[Stroke]) -> np.ndarray:
    """Returns the points of a drawing as its author made them, for a model that normalises them
    itself.

    Args:
      strokes: as `strokes_to_ink` takes them.

    Returns:
      float32 [points, 3]: x, y, and 1.0 at the last point of a stroke, else 0.0.

    Raises:
      ValueError: the strokes are not a usable drawing; the message is the reason.
    """
    xs, ys, stroke_ends = _points_of(strokes)
    if len(xs) < 2:
        raise ValueError("a single point")
    points = np.zeros((len(xs), 3), np.float32)
    points[:, 0], points[:, 1] = xs, ys
    points[stroke_ends - 1, 2] = 1.0
    return points


def ink_to_strokes(ink: np.ndarray) -> list[np.ndarray]:
    """Decodes ink into the strokes of the normalised drawing, for pictures.

    The inverse of `strokes_to_ink` up to position and size, with one loss that the format
    has: the first point's pen-up is not stored, so a first stroke of a single point comes
    back joined to the second.

    Args:
      ink: float [rows, 3].

    Returns:
      A list of float64 [points of the stroke, 2]: x and y in the unit square, y downwards.
      All strokes together have rows + 1 points.
    """
    ink = np.asarray(ink, np.float64)
    if ink.ndim != 2 or ink.shape[1] != 3:
        raise ValueError(f"ink has shape {ink.shape}; expected [rows, 3]")
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(ink[:, :2], axis=0)])
    points -= points.min(axis=0)
    stroke_ends = np.flatnonzero(ink[:, 2] > 0.5) + 2
    strokes = np.split(points, stroke_ends)
    return [stroke for stroke in strokes if len(stroke)]


def simplify(strokes: Sequence[Stroke]) -> list[list[list[int]]]:
    """Simplifies raw strokes as the published simplified drawings were made from raw ones.

    The steps, from the data set's description: the drawing is aligned to the top-left corner,
    scaled uniformly to 255, every stroke resampled with a spacing of one unit, and simplified
    by the Ramer-Douglas-Peucker algorithm with an epsilon of 2.0; then rounded. Where points lie
    on a line parallel to the chord, rounding decides which is kept: with the operations in the
    order that they have here, 2,759 of 2,760 published raw drawings give their published
    simplified form.

    Args:
      strokes: list of `[xs, ys]` or `[xs, ys, ts]`, in any unit, y downwards.

    Returns:
      A list of strokes `[xs, ys]`, integers from 0 to 255.

    Raises:
      ValueError: the strokes are not a drawing; the message is the reason.
    """
    xs, ys, stroke_ends = _simplify(*_points_of(strokes))
    parts = np.split(np.stack([xs, ys]).astype(int), stroke_ends[:-1], axis=1)
    return [part.tolist() for part in parts]


def is_raw(strokes: Sequence[Stroke]) -> bool:
    """Returns whether strokes have times, as the data set's raw drawings have, and live ones."""
    return isinstance(strokes, (list, tuple)) and any(
        isinstance(stroke, (list, tuple)) and len(stroke) == 3 for stroke in strokes
    )


def _check_strokes(strokes: Sequence[Stroke]) -> None:
    if not isinstance(strokes, (list, tuple)):
        raise ValueError("the drawing is not a list of strokes")
    if not strokes:
        raise ValueError("the drawing has no strokes")
    for stroke in strokes:
        if not isinstance(stroke, (list, tuple)) or not 2 <= len(stroke) <= 3:
            raise ValueError("a stroke is not [xs, ys] or [xs, ys, times]")
        xs, ys = stroke[:2]
        if not _is_row(xs) or not _is_row(ys):
            raise ValueError("a stroke is not [xs, ys] or [xs, ys, times]")
        if len(xs) != len(ys):
            raise ValueError("x and y of different length")
        if not len(xs):
            raise ValueError("a stroke without points")
        for row in (xs, ys):
            if not isinstance(row, np.ndarray) and not set(map(type, row)) <= _NUMBER_TYPES:
                raise ValueError("a coordinate is not a number")


def _is_row(row: Sequence[float]) -> bool:
    """Returns whether it is a list of numbers; of an array's own type NumPy has made sure."""
    if isinstance(row, np.ndarray):
        return row.ndim == 1 and row.dtype.kind in "fiu"
    return isinstance(row, (list, tuple))


def _points_of(strokes: Sequence[Stroke]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strokes as arrays: x and y, float64 [points], and the strokes' ends, int64 [strokes].

    Raises:
      ValueError: the strokes are not a drawing; the message is the reason.
    """
    _check_strokes(strokes)
    stroke_ends = np.cumsum([len(stroke[0]) for stroke in strokes])
    points = np.empty((2, stroke_ends[-1]))
    for axis in (0, 1):
        values = itertools.chain.from_iterable([stroke[axis] for stroke in strokes])
        try:
            points[axis] = np.fromiter(values, np.float64, stroke_ends[-1])
        except OverflowError:
            raise ValueError("a coordinate beyond float32") from None
    if not (np.abs(points) <= np.finfo(np.float32).max).all():
        raise ValueError("a coordinate beyond float32")
    return *points, stroke_ends


def _encode(xs: np.ndarray, ys: np.ndarray, stroke_ends: np.ndarray) -> np.ndarray:
    """Encodes points as `_points_of` gives them into ink."""
    if len(xs) < 2:
        raise ValueError("a single point")
    xs, ys = xs.astype(np.float32), ys.astype(np.float32)
    with np.errstate(over="ignore"):
        if not np.isfinite([np.ptp(xs), np.ptp(ys)]).all():
            raise ValueError("a coordinate beyond float32")
    ink = np.empty((len(xs) - 1, 3), np.float32)
    counts = np.array([len(xs)]), np.array([len(stroke_ends)])
    point_loops.encode_drawings(*counts, xs, ys, stroke_ends, ink)
    return ink


def _simplify(
    xs: np.ndarray, ys: np.ndarray, stroke_ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`simplify`, of points as `_points_of` gives them, and into such."""
    extent = max(np.ptp(xs), np.ptp(ys)) or 1.0
    xs = (xs - xs.min()) * SIMPLIFIED_SIZE / extent
    ys = (ys - ys.min()) * SIMPLIFIED_SIZE / extent
    return point_loops.simplify(xs, ys, stroke_ends, SIMPLIFIED_EPSILON)
