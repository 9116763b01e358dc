"""Loops over drawings' points: encoding, gathering, simplifying. Compiled, see compiled.py."""

from __future__ import annotations

import numpy as np

from drawings.compiled import compiled


@compiled
def encode_drawings(num_points, num_strokes, xs, ys, stroke_ends, ink):
    """Encodes drawings that follow each other, see ink.py.

    Args:
      num_points: int64 [drawings], 2 or more each.
      num_strokes: int64 [drawings].
      xs, ys: float32 [points of all drawings or more], whose extent is a float32 as well.
      stroke_ends: int64 [strokes of all drawings or more]: points of the stroke's drawing up to
        its end.
      ink: float32 [points of all drawings - drawings, 3], to be written.
    """
    point = stroke = row = 0
    for drawing in range(len(num_points)):
        count = num_points[drawing]
        rows = ink[row : row + count - 1]
        _encode_axis(xs[point : point + count], rows[:, 0])
        _encode_axis(ys[point : point + count], rows[:, 1])
        rows[:, 2] = 0.0
        for end in stroke_ends[stroke : stroke + num_strokes[drawing]]:
            if end > 1:  # the first point has no row
                rows[end - 2, 2] = 1.0
        point += count
        stroke += num_strokes[drawing]
        row += count - 1


@compiled
def _encode_axis(values, steps):
    """Differences of values moved and scaled to reach from 0 to 1.

    All in float32 and in this order of operations: the tutorial's records are equal bit for bit.
    """
    lower = upper = values[0]
    for value in values:  # numba takes a second to compile min() and max()
        if value < lower:
            lower = value
        elif value > upper:
            upper = value
    scale = upper - lower
    if scale == 0:
        scale = np.float32(1)  # an axis without extent is only moved
    previous = (values[0] - lower) / scale
    for i in range(len(steps)):
        unit = (values[i + 1] - lower) / scale
        steps[i] = unit - previous
        previous = unit


@compiled
def gather(rows, starts, lengths, gathered):
    """Copies runs of rows, one after the other.

    Args:
      rows: [rows, columns].
      starts, lengths: int64 [runs].
      gathered: [rows of all runs, columns], to be written.
    """
    row = 0
    for run in range(len(starts)):
        gathered[row : row + lengths[run]] = rows[starts[run] : starts[run] + lengths[run]]
        row += lengths[run]


@compiled
def simplify(xs, ys, stroke_ends, epsilon):
    """Resamples strokes, leaves out points that their neighbours make superfluous, and rounds.

    Args:
      xs, ys: float64 [points], one or more a stroke.
      stroke_ends: int64 [strokes], points up to the end of each stroke.
      epsilon: how far a point left out may lie from the line that replaces it.

    Returns:
      xs, ys and stroke_ends of what is left.
    """
    new_xs, new_ys = [], []
    new_ends = np.empty_like(stroke_ends)
    start = 0
    for stroke in range(len(stroke_ends)):
        end = stroke_ends[stroke]
        line_xs, line_ys = _resample(xs[start:end], ys[start:end])
        kept = _ramer_douglas_peucker(line_xs, line_ys, epsilon)
        for i in np.flatnonzero(kept):
            new_xs.append(np.rint(line_xs[i]))
            new_ys.append(np.rint(line_ys[i]))
        new_ends[stroke] = len(new_xs)
        start = end
    return np.array(new_xs), np.array(new_ys), new_ends


@compiled
def _resample(xs, ys):
    """Sets points one unit of length apart along a polyline.

    What is left of a unit at a corner is carried over to the next segment; the first and the last
    point stay.
    """
    length = 0.0
    for i in range(len(xs) - 1):
        length += _length(xs[i + 1] - xs[i], ys[i + 1] - ys[i])
    count = max(int(np.ceil(length)) - 1, 0)
    new_xs, new_ys = np.empty(count + 2), np.empty(count + 2)
    segment, reach = 0, 0.0  # where the segment starts, along the line
    step = _length(xs[1] - xs[0], ys[1] - ys[0]) if count else 0.0
    for at in range(1, count + 1):
        while reach + step <= at:
            reach += step
            segment += 1
            step = _length(xs[segment + 1] - xs[segment], ys[segment + 1] - ys[segment])
        t = (at - reach) / step
        new_xs[at] = xs[segment] * (1 - t) + xs[segment + 1] * t
        new_ys[at] = ys[segment] * (1 - t) + ys[segment + 1] * t
    new_xs[0], new_ys[0] = xs[0], ys[0]
    new_xs[-1], new_ys[-1] = xs[-1], ys[-1]
    return new_xs, new_ys


@compiled
def _ramer_douglas_peucker(xs, ys, epsilon):
    """Leaves out points of a polyline that lie within epsilon of the line through those kept.

    Ramer, "An iterative procedure for the polygonal approximation of plane curves", 1972;
    Douglas and Peucker, 1973.
    """
    kept = np.zeros(len(xs), np.bool_)
    kept[0] = kept[-1] = True
    pending = [(0, len(xs) - 1)]
    while pending:
        first, last = pending.pop()
        chord_x, chord_y = xs[last] - xs[first], ys[last] - ys[first]
        chord = _length(chord_x, chord_y)
        farthest, greatest = first, epsilon
        for i in range(first + 1, last):
            x, y = xs[i] - xs[first], ys[i] - ys[first]
            distance = abs(chord_x * y - chord_y * x) / chord if chord else _length(x, y)
            if distance > greatest:
                farthest, greatest = i, distance
        if farthest > first:
            kept[farthest] = True
            pending.append((first, farthest))
            pending.append((farthest, last))
    return kept


@compiled
def _length(x, y):
    # Not np.hypot, which rounds otherwise.
    return np.sqrt(x * x + y * y)
