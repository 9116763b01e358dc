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
def find_dense(num_points, num_strokes, xs, ys, stroke_ends, epsilon, size, share, more_points):
    """Finds the dense ones among drawings that follow each other, as `ink.is_dense` does.

    Args:
      num_points, num_strokes, xs, ys, stroke_ends: as `encode_drawings` takes them.
      epsilon: how far a superfluous point may lie from the line through its neighbours, in units
        of which the larger side of its drawing has `size`.
      share: how many of the inner points of a dense drawing are superfluous.
      more_points: counted as inner points besides.

    Returns:
      bool [drawings].
    """
    dense = np.empty(len(num_points), np.bool_)
    point = stroke = 0
    for drawing in range(len(num_points)):
        points = slice(point, point + num_points[drawing])
        my_xs, my_ys = xs[points], ys[points]
        reach = epsilon * max(_extent(my_xs), _extent(my_ys)) / size
        inner = superfluous = first = 0
        for last in stroke_ends[stroke : stroke + num_strokes[drawing]]:
            if last - first > 2:
                inner += last - first - 2
                superfluous += _count_superfluous(my_xs, my_ys, first, last, reach * reach)
            first = last
        dense[drawing] = superfluous >= share * (inner + more_points)
        point += num_points[drawing]
        stroke += num_strokes[drawing]
    return dense


@compiled
def _count_superfluous(xs, ys, first, last, reach):
    """Counts the inner points of a stroke, from `first` to before `last`, that lie near the line
    through their neighbours: the square of their distance is at most `reach`."""
    count = 0
    for i in range(first + 1, last - 1):
        x, y = float(xs[i]) - float(xs[i - 1]), float(ys[i]) - float(ys[i - 1])
        chord_x = x + (float(xs[i + 1]) - float(xs[i]))
        chord_y = y + (float(ys[i + 1]) - float(ys[i]))
        area = chord_x * y - chord_y * x
        chord = chord_x * chord_x + chord_y * chord_y
        if area * area <= reach * chord and (chord > 0 or x * x + y * y <= reach):
            count += 1
    return count


@compiled
def _extent(values):
    lower = upper = values[0]
    for value in values:
        lower, upper = min(lower, value), max(upper, value)
    return float(upper) - float(lower)


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
def simplify(xs, ys, stroke_ends, epsilon, max_length):
    """Resamples strokes, leaves out points that their neighbours make superfluous, and rounds.

    Args:
      xs, ys: float64 [points], one or more a stroke.
      stroke_ends: int64 [strokes], points up to the end of each stroke.
      epsilon: how far a point left out may lie from the line that replaces it.
      max_length: up to which length of all strokes together they get a point every unit of length;
        longer ones get points farther apart, as many as that would get.

    Returns:
      xs, ys and stroke_ends of what is left.
    """
    lengths = np.empty(len(stroke_ends))
    total = 0.0
    start = 0
    for stroke in range(len(stroke_ends)):
        end = stroke_ends[stroke]
        lengths[stroke] = _line_length(xs[start:end], ys[start:end])
        total += lengths[stroke]
        start = end
    spacing = max(total / max_length, 1.0)
    new_xs, new_ys = [], []
    new_ends = np.empty_like(stroke_ends)
    start = 0
    for stroke in range(len(stroke_ends)):
        end = stroke_ends[stroke]
        line_xs, line_ys = _resample(xs[start:end], ys[start:end], lengths[stroke], spacing)
        kept = _ramer_douglas_peucker(line_xs, line_ys, epsilon)
        for i in np.flatnonzero(kept):
            new_xs.append(np.rint(line_xs[i]))
            new_ys.append(np.rint(line_ys[i]))
        new_ends[stroke] = len(new_xs)
        start = end
    return np.array(new_xs), np.array(new_ys), new_ends


@compiled
def _line_length(xs, ys):
    length = 0.0
    for i in range(len(xs) - 1):
        length += _length(xs[i + 1] - xs[i], ys[i + 1] - ys[i])
    return length


@compiled
def _resample(xs, ys, length, spacing):
    """Sets points `spacing` apart along a polyline of that length.

    What is left of the spacing at a corner is carried over to the next segment; the first and the
    last point stay.
    """
    count = max(int(np.ceil(length / spacing)) - 1, 0)
    if count * spacing >= length:  # by rounding
        count = max(count - 1, 0)
    new_xs, new_ys = np.empty(count + 2), np.empty(count + 2)
    segment, reach = 0, 0.0  # where the segment starts, along the line
    step = _length(xs[1] - xs[0], ys[1] - ys[0]) if count else 0.0
    for number in range(1, count + 1):
        at = number * spacing
        while reach + step <= at:
            reach += step
            segment += 1
            step = _length(xs[segment + 1] - xs[segment], ys[segment + 1] - ys[segment])
        t = (at - reach) / step
        new_xs[number] = xs[segment] * (1 - t) + xs[segment + 1] * t
        new_ys[number] = ys[segment] * (1 - t) + ys[segment + 1] * t
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
