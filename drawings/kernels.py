"""Loops over every byte and every point, compiled by numba.

NumPy has no call for them, and a Python loop takes a hundred times as long. numba compiles a
function when it is first called, in a second or two, and keeps the machine code beside this file.
All compiled functions stand here, since it notices a change of this file alone.

Nothing here checks an index: what the callers must see to is said at each function.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

# Bytes of JSON.
_SPACE, _TAB, _RETURN, _NEWLINE = b" \t\r\n"
_QUOTE, _BACKSLASH, _COMMA, _MINUS, _COLON = b'"\\,-:'
_OPEN, _CLOSE, _OPEN_OBJECT, _CLOSE_OBJECT = b"[]{}"
_ZERO, _NINE = b"09"

# Whole numbers below a million are float32 values, whatever the order of rounding.
_MAX_DIGITS = 6

# Of a number that nobody looks at; one beyond float64 would make the line malformed.
_MAX_IGNORED_DIGITS = 18

# What `scan_lines` writes of a line.
WORD_START, WORD_END, RECOGNIZED, STROKES, POINTS = range(5)
LINE_FIELDS = 5


def _compiled(function: Callable) -> Callable:
    """Compiles at the first call, or loads what an earlier process has compiled."""
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder that can be written to, for the machine code
        return numba.njit(error_model="numpy")(function)


# ---- Lines of ndjson ----


@_compiled
def scan_lines(text, start, lines, xs, ys, stroke_ends):
    """Reads plain lines up to the first one that is not.

    A plain line is an object whose members are strings, whole numbers, true, false or null, besides
    one `drawing` that is a list of `[xs, ys]`, of whole numbers from 0 to below a million; strings
    are ASCII without escapes, and `word`, `recognized` and `drawing` come once. Every plain line is
    a usable drawing of two points or more, and an unusual line may well be one too.

    Args:
      text: uint8 [bytes], ends with a newline.
      start: where the first line starts.
      lines: int64 [lines, LINE_FIELDS], to be written: where the word stands in the text, 0 where
        the game did not recognise the drawing, how many strokes, and how many points.
      xs, ys: float32 [at least bytes / 2], to be written: the points of all lines.
      stroke_ends: int64 [at least bytes / 9], to be written: points of the line's drawing up to
        the end of each stroke.

    Returns:
      The number of plain lines, and where the line after them starts.
    """
    number = num_points = num_strokes = 0
    i = start
    while i < len(text):
        line = lines[number]
        end = _scan_line(text, i, line, xs[num_points:], ys[num_points:], stroke_ends[num_strokes:])
        if end < 0:
            break
        i = end
        number += 1
        num_points += line[POINTS]
        num_strokes += line[STROKES]
    return number, i


@_compiled
def _scan_line(text, i, line, xs, ys, stroke_ends):
    """Reads a line: where the next one starts; -1 if it is not plain."""
    points = strokes = 0
    line[WORD_END] = 0
    line[RECOGNIZED] = -1
    i = _skip_space(text, i)
    if text[i] != _OPEN_OBJECT:
        return -1
    while True:
        key = _skip_space(text, i + 1)
        key_end = _string_end(text, key)
        if key_end < 0:
            return -1
        i = _skip_space(text, key_end)
        if text[i] != _COLON:
            return -1
        i = _skip_space(text, i + 1)
        first = i
        if _is(text, key, key_end, b'"drawing"'):
            if points:
                return -1
            i, points, strokes = _scan_drawing(text, i, xs, ys, stroke_ends)
        else:
            i = _scalar_end(text, i)
        if i < 0:
            return -1
        if _is(text, key, key_end, b'"word"'):
            if line[WORD_END] or text[first] != _QUOTE or _is_blank(text, first + 1, i - 1):
                return -1
            line[WORD_START], line[WORD_END] = first + 1, i - 1
        if _is(text, key, key_end, b'"recognized"'):
            if line[RECOGNIZED] >= 0:
                return -1
            line[RECOGNIZED] = 0 if _is(text, first, i, b"false") else 1
        i = _skip_space(text, i)
        if text[i] != _COMMA:
            break
    if text[i] != _CLOSE_OBJECT:
        return -1
    i = _skip_space(text, i + 1)
    if text[i] != _NEWLINE or not line[WORD_END] or points < 2:
        return -1
    line[STROKES], line[POINTS] = strokes, points
    return i + 1


@_compiled
def _scan_drawing(text, i, xs, ys, stroke_ends):
    """Reads a list of strokes: where it ends (-1: not plain), points, strokes."""
    no = (-1, 0, 0)
    points = strokes = 0
    if text[i] != _OPEN:
        return no
    while True:
        i = _skip_space(text, i + 1)
        if text[i] != _OPEN:
            return no
        i, end = _scan_row(text, _skip_space(text, i + 1), xs, points)
        if i < 0 or text[i] != _COMMA:
            return no
        i, y_end = _scan_row(text, _skip_space(text, i + 1), ys, points)
        if i < 0 or text[i] != _CLOSE or y_end != end:
            return no
        points = end
        stroke_ends[strokes] = points
        strokes += 1
        i = _skip_space(text, i + 1)
        if text[i] != _COMMA:
            break
    if text[i] != _CLOSE:
        return no
    return i + 1, points, strokes


@_compiled
def _scan_row(text, i, values, at):
    """Reads a list of whole numbers: where what follows it stands (-1: not plain), and values."""
    if text[i] != _OPEN:
        return -1, at
    while True:
        i = _skip_space(text, i + 1)
        first, value = i, 0
        while _ZERO <= text[i] <= _NINE:
            value = value * 10 + (text[i] - _ZERO)
            i += 1
        digits = i - first
        if digits == 0 or digits > _MAX_DIGITS or (text[first] == _ZERO and digits > 1):
            return -1, at
        values[at] = value
        at += 1
        i = _skip_space(text, i)
        if text[i] != _COMMA:
            break
    if text[i] != _CLOSE:
        return -1, at
    return _skip_space(text, i + 1), at


@_compiled
def _scalar_end(text, i):
    """Where a string, number, true, false or null ends; -1 for anything else."""
    if text[i] == _QUOTE:
        return _string_end(text, i)
    for literal in (b"true", b"null", b"false"):
        if _is(text, i, i + len(literal), literal):
            return i + len(literal)
    if text[i] == _MINUS:
        i += 1
    first = i
    while _ZERO <= text[i] <= _NINE:
        i += 1
    digits = i - first
    if digits == 0 or digits > _MAX_IGNORED_DIGITS or (text[first] == _ZERO and digits > 1):
        return -1
    return i


@_compiled
def _string_end(text, i):
    """Where a string of ASCII without escapes ends; -1 if there is none."""
    if text[i] != _QUOTE:
        return -1
    i += 1
    while text[i] != _QUOTE:
        if text[i] < _SPACE or text[i] > 127 or text[i] == _BACKSLASH:
            return -1
        i += 1
    return i + 1


@_compiled
def _is_blank(text, start, end):
    while start < end and text[start] == _SPACE:
        start += 1
    return start == end


@_compiled
def _is(text, start, end, expected):
    """Whether these bytes stand there; never looks past a difference."""
    same = 0
    while same < len(expected) and text[start + same] == expected[same]:
        same += 1
    return same == len(expected) == end - start


@_compiled
def _skip_space(text, i):
    while text[i] == _SPACE or text[i] == _TAB or text[i] == _RETURN:
        i += 1
    return i


# ---- Points ----


@_compiled
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


@_compiled
def _encode_axis(values, steps):
    """Differences of values moved and scaled to reach from 0 to 1.

    All in float32 and in this order of operations: the tutorial's records are equal bit for bit.
    """
    lower = values.min()
    scale = values.max() - lower
    if scale == 0:
        scale = np.float32(1)  # an axis without extent is only moved
    previous = (values[0] - lower) / scale
    for i in range(len(steps)):
        unit = (values[i + 1] - lower) / scale
        steps[i] = unit - previous
        previous = unit


@_compiled
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


@_compiled
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


@_compiled
def _resample(xs, ys):
    """Points one unit of length apart along a polyline.

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


@_compiled
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


@_compiled
def _length(x, y):
    # Not np.hypot, which rounds otherwise.
    return np.sqrt(x * x + y * y)
