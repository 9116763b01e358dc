"""Reads lines of ndjson as the published simplified drawings have them, byte by byte.

Compiled (see compiled.py); lines that are not so plain are left to a JSON library.
"""

from __future__ import annotations

from drawings.compiled import compiled

# Bytes of JSON.
_SPACE, _TAB, _RETURN, _NEWLINE = b" \t\r\n"
_QUOTE, _BACKSLASH, _COMMA, _MINUS, _COLON = b'"\\,-:'
_OPEN, _CLOSE, _OPEN_OBJECT, _CLOSE_OBJECT = b"[]{}"
_ZERO, _NINE = b"09"

# Whole numbers below a million are float32 values, whatever the order of rounding.
_MAX_DIGITS = 6

# Digits of a number that nobody looks at; one beyond float64 would make the line malformed.
_MAX_IGNORED_DIGITS = 18

# What `scan_lines` writes of a line.
WORD_START, WORD_END, RECOGNIZED, STROKES, POINTS = range(5)
LINE_FIELDS = 5


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
def _is_blank(text, start, end):
    while start < end and text[start] == _SPACE:
        start += 1
    return start == end


@compiled
def _is(text, start, end, expected):
    """Tells whether these bytes stand there; never looks past a difference."""
    same = 0
    while same < len(expected) and text[start + same] == expected[same]:
        same += 1
    return same == len(expected) == end - start


@compiled
def _skip_space(text, i):
    while text[i] == _SPACE or text[i] == _TAB or text[i] == _RETURN:
        i += 1
    return i
