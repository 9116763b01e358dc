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
from typing import NamedTuple

import numpy as np

from common.errors import UserError

# What numbers may be, besides those of an array.
_NUMBER_TYPES = (int, float, np.integer, np.floating)

NOT_A_STROKE = "a stroke is not [xs, ys] or [xs, ys, times]"
ARE_POINTS = f"{NOT_A_STROKE}; are these [x, y] points?"

# The published simplified drawings: the larger side of their box, and the distance that a
# point left out may have from the line that replaces it.
SIMPLIFIED_SIZE = 255.0
SIMPLIFIED_EPSILON = 2.0

# How long all strokes may be for a point every unit before they are simplified, which bounds the
# time and the memory that takes. The longest of 236,503 published drawings, raw or simplified, has
# 58,963 units, 99.9% of them at most 5,518.
MAX_RESAMPLED_LENGTH = 65536.0

# A drawing is dense where at least this share of its inner points is superfluous, see `is_dense`.
# DENSE_POINTS are added to the inner ones, for few points say little. In 233,743 published drawings
# the share is 7% in the median and 35% at the most; in the same with a point every 4 of 255 units
# above 91% in 99% of them, every 7 above 74%, every 10 above 54%, every 15 66% in the median.
DENSE_SHARE = 0.4
DENSE_POINTS = 6

# A stroke as JSON has it: [xs, ys] (simplified) or [xs, ys, ts] (raw).
Stroke = Sequence[Sequence[float]]


class Points(NamedTuple):
    """A drawing's points as arrays.

    Attributes:
      xs, ys: float64 [points].
      stroke_ends: int64 [strokes], points up to the end of each stroke.
    """

    xs: np.ndarray
    ys: np.ndarray
    stroke_ends: np.ndarray


def strokes_to_ink(strokes: Sequence[Stroke]) -> np.ndarray:
    """Encodes a drawing with the points that it has.

    Args:
      strokes: list of `[xs, ys]` or `[xs, ys, ts]`; x and y in any unit, y downwards, and
        the times are ignored.

    Returns:
      float32 [points - 1, 3], see the module's docstring.

    Raises:
      UserError: the strokes are not a usable drawing; the message is the reason.
    """
    return encode(_points_of(strokes))


def drawing_to_ink(strokes: Sequence[Stroke]) -> np.ndarray:
    """Does what `strokes_to_ink` does, of a drawing as `prepare` returns it."""
    return encode(prepare(strokes)[0])


def strokes_to_points(strokes: Sequence[Stroke]) -> np.ndarray:
    """Returns the points of a drawing as its author made them, for a model that normalises them
    itself.

    Args:
      strokes: as `strokes_to_ink` takes them.

    Returns:
      float32 [points, 3]: x, y, and 1.0 at the last point of a stroke, else 0.0.

    Raises:
      UserError: the strokes are not a usable drawing; the message is the reason.
    """
    return _rows_of(_points_of(strokes))


def drawing_to_points(strokes: Sequence[Stroke]) -> np.ndarray:
    """Does what `strokes_to_points` does, of a drawing as `prepare` returns it."""
    return _rows_of(prepare(strokes)[0])


def prepare(strokes: Sequence[Stroke]) -> tuple[Points, bool]:
    """Returns a drawing's points as a model should see them, simplified where they are not yet.

    This is the one rule for it, which the conversion, `Classifier` and the drawing page
    (serving/page/points.js) follow: a drawing with times is raw and always simplified, another
    one where it is dense.

    Args:
      strokes: as `strokes_to_ink` takes them.

    Returns:
      The points, and whether they were simplified.

    Raises:
      UserError: the strokes are not a usable drawing; the message is the reason.
    """
    points = _points_of(strokes)
    if any(len(stroke) == 3 for stroke in strokes) or is_dense(points):
        return simplify_points(points), True
    return points, False


def is_dense(points: Points) -> bool:
    """Returns whether simplifying would leave out many of a drawing's points.

    A cheap look at its inner points, those that have a neighbour on both sides in their stroke:
    one is superfluous where it lies within SIMPLIFIED_EPSILON of the line through its neighbours,
    in units of which the drawing's larger side has SIMPLIFIED_SIZE. `point_loops.find_dense` does
    the same, for many drawings at once.
    """
    xs, ys, stroke_ends = points
    reach = SIMPLIFIED_EPSILON * max(np.ptp(xs), np.ptp(ys)) / SIMPLIFIED_SIZE
    is_inner = np.ones(len(xs), bool)
    is_inner[0] = False
    is_inner[stroke_ends - 1] = False
    is_inner[stroke_ends[:-1]] = False
    inner = np.flatnonzero(is_inner)
    steps_x, steps_y = np.diff(xs), np.diff(ys)
    x, y = steps_x[inner - 1], steps_y[inner - 1]
    chord_x, chord_y = x + steps_x[inner], y + steps_y[inner]
    chord = chord_x * chord_x + chord_y * chord_y  # squared
    area = chord_x * y - chord_y * x  # the distance times the chord
    near = np.where(chord > 0, area * area <= reach * reach * chord, x * x + y * y <= reach * reach)
    return bool(np.count_nonzero(near) >= DENSE_SHARE * (len(inner) + DENSE_POINTS))


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
      UserError: the strokes are not a drawing; the message is the reason.
    """
    xs, ys, stroke_ends = simplify_points(_points_of(strokes))
    parts = np.split(np.stack([xs, ys]).astype(int), stroke_ends[:-1], axis=1)
    return [part.tolist() for part in parts]


def simplify_points(points: Points) -> Points:
    """Does what `simplify` does, of points."""
    from drawings import point_loops  # here: see drawings/compiled.py

    xs, ys, stroke_ends = points
    extent = max(np.ptp(xs), np.ptp(ys)) or 1.0
    xs = (xs - xs.min()) * SIMPLIFIED_SIZE / extent
    ys = (ys - ys.min()) * SIMPLIFIED_SIZE / extent
    return Points(
        *point_loops.simplify(xs, ys, stroke_ends, SIMPLIFIED_EPSILON, MAX_RESAMPLED_LENGTH)
    )


def simplify_dense(
    num_points: np.ndarray,
    num_strokes: np.ndarray,
    xs: np.ndarray,
    ys: np.ndarray,
    stroke_ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Simplifies the dense ones among drawings without times that follow each other.

    Args:
      num_points, num_strokes: int64 [drawings].
      xs, ys: float32 [points of all drawings or more].
      stroke_ends: int64 [strokes of all drawings or more], points of the stroke's drawing up to
        its end.

    Returns:
      `num_points`, `xs`, `ys` and `stroke_ends` of what is left, and bool [drawings], which of them
      were simplified.
    """
    from drawings import point_loops  # here: see drawings/compiled.py

    drawings = num_points, num_strokes, xs, ys, stroke_ends
    rule = SIMPLIFIED_EPSILON, SIMPLIFIED_SIZE, DENSE_SHARE, DENSE_POINTS
    dense = point_loops.find_dense(*drawings, *rule)
    if not dense.any():
        return num_points, xs, ys, stroke_ends, dense
    first_points, first_strokes = np.cumsum([0, *num_points]), np.cumsum([0, *num_strokes])
    parts = []
    for number, simplified in enumerate(dense):
        mine = slice(first_points[number], first_points[number + 1])
        ends = stroke_ends[first_strokes[number] : first_strokes[number + 1]]
        part = Points(xs[mine].astype(np.float64), ys[mine].astype(np.float64), ends)
        parts.append(simplify_points(part) if simplified else part)
    new_xs, new_ys, new_ends = (np.concatenate(arrays) for arrays in zip(*parts))
    num_points = np.array([len(part.xs) for part in parts])
    return num_points, new_xs.astype(np.float32), new_ys.astype(np.float32), new_ends, dense


def encode(points: Points) -> np.ndarray:
    """Encodes points into ink, float32 [points - 1, 3].

    Raises:
      UserError: there is one point only.
    """
    from drawings import point_loops  # here: see drawings/compiled.py

    _check_count(points)
    xs, ys = points.xs.astype(np.float32), points.ys.astype(np.float32)
    ink = np.empty((len(xs) - 1, 3), np.float32)
    counts = np.array([len(xs)]), np.array([len(points.stroke_ends)])
    point_loops.encode_drawings(*counts, xs, ys, points.stroke_ends, ink)
    return ink


def _points_of(strokes: Sequence[Stroke]) -> Points:
    """Checks strokes and returns their points.

    Raises:
      UserError: the strokes are not a drawing; the message is the reason.
    """
    _check_strokes(strokes)
    stroke_ends = np.cumsum([len(stroke[0]) for stroke in strokes])
    points = np.empty((2, stroke_ends[-1]))
    for axis in (0, 1):
        values = itertools.chain.from_iterable([stroke[axis] for stroke in strokes])
        try:
            points[axis] = np.fromiter(values, np.float64, stroke_ends[-1])
        except OverflowError:
            raise UserError("a coordinate beyond float32") from None
    if np.isnan(points).any():
        raise UserError("a coordinate is not a number")
    with np.errstate(over="ignore", invalid="ignore"):
        largest = max(np.abs(points).max(), *np.ptp(points, axis=1))
    if not largest <= np.finfo(np.float32).max:
        raise UserError("a coordinate beyond float32")
    return Points(points[0], points[1], stroke_ends)


def _rows_of(points: Points) -> np.ndarray:
    """float32 [points, 3]: x, y, and 1.0 at the last point of a stroke, else 0.0.

    Raises:
      UserError: there is one point only.
    """
    _check_count(points)
    rows = np.zeros((len(points.xs), 3), np.float32)
    rows[:, 0], rows[:, 1] = points.xs, points.ys
    rows[points.stroke_ends - 1, 2] = 1.0
    return rows


def _check_count(points: Points) -> None:
    if len(points.xs) < 2:
        raise UserError("a single point")


def _check_strokes(strokes: Sequence[Stroke]) -> None:
    if not _is_list(strokes):
        raise UserError("the drawing is not a list of strokes")
    if not len(strokes):
        raise UserError("the drawing has no strokes")
    if not all(map(_is_stroke, strokes)):
        raise UserError(ARE_POINTS if all(map(_is_list_of_points, strokes)) else NOT_A_STROKE)
    for xs, ys in (stroke[:2] for stroke in strokes):
        if len(xs) != len(ys):
            raise UserError("x and y of different length")
        if not len(xs):
            raise UserError("a stroke without points")
        if not _holds_numbers(xs) or not _holds_numbers(ys):
            raise UserError("a coordinate is not a number")
    if _times_contradict(strokes):
        raise UserError(ARE_POINTS)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _is_stroke(stroke: Stroke) -> bool:
    return (
        _is_list(stroke) and 2 <= len(stroke) <= 3 and _is_list(stroke[0]) and _is_list(stroke[1])
    )


def _is_list_of_points(stroke: Stroke) -> bool:
    return (
        _is_list(stroke)
        and len(stroke) > 0
        and all(_is_list(point) and len(point) in (2, 3) for point in stroke)
    )


def _times_contradict(strokes: Sequence[Stroke]) -> bool:
    """Returns whether what stands where times do cannot be times, in strokes that may as well be
    lists of two or three points, `[x, y]` or `[x, y, time]`.

    Not all strokes have them, or they go back: within a stroke, or from one to the next where
    they do not start anew at each.
    """
    sizes = {len(stroke[0]) for stroke in strokes}
    times = [stroke[2] for stroke in strokes if len(stroke) == 3]
    if len(sizes) > 1 or not sizes <= {2, 3} or not times:
        return False
    if not all(_is_list(row) and {len(row)} == sizes and _holds_numbers(row) for row in times):
        return False
    back = any(b < a for row in times for a, b in zip(row, row[1:]))
    back_between = any(b[0] < a[-1] for a, b in zip(times, times[1:]))
    return len(times) < len(strokes) or back or (back_between and len({t[0] for t in times}) > 1)


def _holds_numbers(row: Sequence[float]) -> bool:
    if isinstance(row, np.ndarray):
        return row.ndim == 1 and row.dtype.kind in "fiu"
    return all(issubclass(kind, _NUMBER_TYPES) and kind is not bool for kind in set(map(type, row)))
