"""What a drawing is: lines of ndjson and strokes in, ink out, and back.

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

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import orjson

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUMBER_TYPES = frozenset((int, float))
_NO_INK = np.empty((0, 3), np.float32)
_NO_STROKES = np.empty(0, np.int64)

# What a plain line holds after this key: numbers, brackets, white space, and one brace.
_DRAWING_KEY = b'"drawing":'
_PLAIN_BYTES = b"0123456789.-,[] \r\n"

# The reason for refusing a drawing that the game did not recognise.
NOT_RECOGNIZED = "not recognised by the game"

# Of the published simplified drawings: the larger side of their box, and the distance that a
# point left out may have from the line that replaces it.
SIMPLIFIED_SIZE = 255.0
SIMPLIFIED_EPSILON = 2.0

# A stroke as JSON has it: [xs, ys] (simplified) or [xs, ys, ts] (raw).
Stroke = Sequence[Sequence[float]]


@dataclasses.dataclass(frozen=True)
class ParsedLines:
    """The usable drawings among some lines of ndjson, in the lines' order.

    Attributes:
      words: the drawings' words.
      ink: float32 [rows of all drawings, 3].
      row_splits: int64 [drawings + 1]; drawing i is `ink[row_splits[i]:row_splits[i + 1]]`.
      num_strokes: int64 [drawings], how many strokes each has.
      line_numbers: for each drawing the index of its line.
      errors: for each line that holds no usable drawing its index and the reason.
    """

    words: list[str]
    ink: np.ndarray
    row_splits: np.ndarray
    num_strokes: np.ndarray
    line_numbers: list[int]
    errors: list[tuple[int, str]]

    def select(self, drawings: Sequence[int]) -> ParsedLines:
        """Some of the drawings, in that order, and no errors."""
        bounds = [self.row_splits[i : i + 2] for i in drawings]
        lengths = [end - start for start, end in bounds]
        return ParsedLines(
            words=[self.words[i] for i in drawings],
            ink=np.concatenate([_NO_INK, *(self.ink[start:end] for start, end in bounds)]),
            row_splits=np.cumsum([0, *lengths]),
            num_strokes=self.num_strokes[list(drawings)],
            line_numbers=[self.line_numbers[i] for i in drawings],
            errors=[],
        )

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields `(word, ink)` a drawing."""
        for i, word in enumerate(self.words):
            yield word, self.ink[self.row_splits[i] : self.row_splits[i + 1]]


def parse_line(line: bytes | str, *, recognized_only: bool = False) -> tuple[str, np.ndarray]:
    """Turns one line of ndjson into `(word, ink)`.

    Args:
      line: a JSON object with `word` and `drawing`; other fields are ignored. A raw drawing,
        which has times, is simplified first.
      recognized_only: whether to refuse drawings that the game did not recognise.

    Returns:
      The word, and the ink as float32 [points - 1, 3].

    Raises:
      ValueError: the line holds no usable drawing. The message is the reason alone, the
        same for all lines that fail in the same way, so that reasons can be counted.
    """
    word, strokes = _word_and_strokes(line, recognized_only=recognized_only)
    return word, strokes_to_ink(strokes)


def parse_lines(lines: Sequence[bytes], *, recognized_only: bool = False) -> ParsedLines:
    """Parses many lines of ndjson at once; each gives what `parse_line` gives for it.

    NumPy's cost a call would dominate on drawings of some 45 points, so the arithmetic is
    done for all of them together. Around a line that is not plainly good the lines are halved
    until it is alone. About 500 lines a call make the most of the processor's cache.
    """
    if not lines:
        return ParsedLines([], _NO_INK, np.zeros(1, np.int64), _NO_STROKES, [], [])
    if len(lines) == 1:
        return _parse_single_line(lines[0], recognized_only=recognized_only)
    try:
        return _parse_plain_lines(lines, recognized_only=recognized_only)
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
        middle = len(lines) // 2
        return _join(
            parse_lines(lines[:middle], recognized_only=recognized_only),
            parse_lines(lines[middle:], recognized_only=recognized_only),
            middle,
        )


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
    _check_strokes(strokes)
    return _drawings_to_ink([strokes])[0]


def strokes_to_points(strokes: Sequence[Stroke]) -> np.ndarray:
    """The points of a drawing as its author made them, for a model that normalises them itself.

    Args:
      strokes: as `strokes_to_ink` takes them.

    Returns:
      float32 [points, 3]: x, y, and 1.0 at the last point of a stroke, else 0.0.

    Raises:
      ValueError: the strokes are not a usable drawing; the message is the reason.
    """
    _check_strokes(strokes)
    lengths = [len(stroke[0]) for stroke in strokes]
    points = np.zeros((sum(lengths), 3), np.float32)
    if len(points) < 2:
        raise ValueError("a single point")
    for axis in (0, 1):
        points[:, axis] = _flatten([stroke[axis] for stroke in strokes], len(points))
    points[np.cumsum(lengths) - 1, 2] = 1.0
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
    _check_strokes(strokes)
    points = [np.array([stroke[0], stroke[1]], np.float64).T for stroke in strokes]
    everything = np.concatenate(points)
    if not np.isfinite(everything).all():
        raise ValueError("a coordinate beyond float32")
    corner = everything.min(axis=0)
    extent = (everything.max(axis=0) - corner).max() or 1.0
    simplified = []
    for stroke in points:
        scaled = (stroke - corner) * SIMPLIFIED_SIZE / extent
        kept = _ramer_douglas_peucker(_resample(scaled), SIMPLIFIED_EPSILON)
        simplified.append(np.rint(kept).astype(int).T.tolist())
    return simplified


def _resample(points: np.ndarray) -> np.ndarray:
    """Points one unit of length apart along a polyline, float64 [points, 2].

    What is left of a unit at a corner is carried over to the next segment; the first and the
    last point stay.
    """
    steps = _length(*np.diff(points, axis=0).T)
    reach = np.concatenate([[0.0], np.cumsum(steps)])  # along the line, at each of its points
    at = np.arange(1.0, np.ceil(reach[-1]))
    segment = np.searchsorted(reach[1:], at, side="right")
    t = ((at - reach[segment]) / steps[segment])[:, np.newaxis]
    between = points[segment] * (1 - t) + points[segment + 1] * t
    return np.concatenate([points[:1], between, points[-1:]])


def _ramer_douglas_peucker(points: np.ndarray, epsilon: float) -> np.ndarray:
    """Leaves out points of a polyline that lie within epsilon of the line through those kept.

    Ramer, "An iterative procedure for the polygonal approximation of plane curves", 1972;
    Douglas and Peucker, 1973.
    """
    kept = np.zeros(len(points), bool)
    kept[[0, -1]] = True
    pending = [(0, len(points) - 1)]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        x, y = (points[first + 1 : last] - points[first]).T
        chord_x, chord_y = points[last] - points[first]
        chord = _length(chord_x, chord_y)
        distance = np.abs(chord_x * y - chord_y * x) / chord if chord else _length(x, y)
        farthest = int(distance.argmax())
        if distance[farthest] > epsilon:
            middle = first + 1 + farthest
            kept[middle] = True
            pending += [(first, middle), (middle, last)]
    return points[kept]


def _length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Not np.hypot, which rounds otherwise.
    return np.sqrt(x * x + y * y)


def parse_document(line: bytes | str) -> dict:
    """The JSON object that a line of ndjson holds, whose `drawing` is anything but missing.

    Raises:
      ValueError: there is none; the message is the reason.
    """
    if isinstance(line, str):
        line = line.encode("utf-8", "surrogatepass")
    if line.startswith(_BYTE_ORDER_MARK):
        line = line[len(_BYTE_ORDER_MARK) :]
    if not line.strip():
        raise ValueError("blank line")
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("malformed JSON") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    if "drawing" not in document:
        raise ValueError("no drawing")
    return document


def _word_and_strokes(line: bytes | str, *, recognized_only: bool) -> tuple[str, Sequence[Stroke]]:
    """What a line says: the word, and the strokes, simplified if they were raw."""
    document = parse_document(line)
    word = document.get("word")
    if not isinstance(word, str) or not word.strip():
        raise ValueError("no word")
    if "\n" in word or "\r" in word:
        raise ValueError("a line break in the word")
    if recognized_only and document.get("recognized") is False:
        raise ValueError(NOT_RECOGNIZED)
    strokes = document["drawing"]
    if is_raw(strokes):
        strokes = simplify(strokes)
    return word, strokes


def is_raw(strokes: Sequence[Stroke]) -> bool:
    """Whether strokes have times, as the data set's raw drawings have, and live ones."""
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
    """Whether it is a list of numbers; of an array's own type NumPy has made sure."""
    if isinstance(row, np.ndarray):
        return row.ndim == 1 and row.dtype.kind in "fiu"
    return isinstance(row, (list, tuple))


def _parse_single_line(line: bytes, *, recognized_only: bool) -> ParsedLines:
    try:
        word, strokes = _word_and_strokes(line, recognized_only=recognized_only)
        ink = strokes_to_ink(strokes)
    except ValueError as error:
        return ParsedLines([], _NO_INK, np.zeros(1, np.int64), _NO_STROKES, [], [(0, str(error))])
    return ParsedLines([word], ink, np.array([0, len(ink)]), np.array([len(strokes)]), [0], [])


def _parse_plain_lines(lines: Sequence[bytes], *, recognized_only: bool) -> ParsedLines:
    """Parses lines that are all plainly good; any exception if one is not.

    "Plainly" is stricter than `parse_line`, never looser: simplified drawings, as the last
    field of their line, and numbers without an exponent. So the types of the numbers need no
    look at each: where the text from the drawing on has nothing but digits, signs, brackets and
    one brace, all that it holds is lists and numbers.
    """
    tails = b"".join([line[line.index(_DRAWING_KEY) + len(_DRAWING_KEY) :] for line in lines])
    if tails.translate(None, _PLAIN_BYTES) != b"}" * len(lines):
        raise ValueError("not plainly good")
    documents = list(map(orjson.loads, lines))
    line_numbers, errors = list(range(len(lines))), []
    if recognized_only:
        refused = [i for i in line_numbers if documents[i].get("recognized") is False]
        errors = [(i, NOT_RECOGNIZED) for i in refused]
        line_numbers = sorted(set(line_numbers) - set(refused))
        documents = [documents[i] for i in line_numbers]
    words = [document["word"] for document in documents]
    drawings = [document["drawing"] for document in documents]
    strokes = list(itertools.chain.from_iterable(drawings))
    plain = (
        set(map(type, words)) == {str}
        and all(map(str.strip, words))
        and not any("\n" in word or "\r" in word for word in set(words))
        and all(drawings)
        and set(map(len, strokes)) == {2}
        and all(itertools.chain.from_iterable(strokes))
    )
    if not plain:
        raise ValueError("not plainly good")
    ink, row_splits = _drawings_to_ink(drawings)
    num_strokes = np.array(list(map(len, drawings)))
    return ParsedLines(words, ink, row_splits, num_strokes, line_numbers, errors)


def _join(first: ParsedLines, second: ParsedLines, first_lines: int) -> ParsedLines:
    """What two runs of lines gave, as of one; the first had so many lines."""
    return ParsedLines(
        words=first.words + second.words,
        ink=np.concatenate([first.ink, second.ink]),
        row_splits=np.concatenate([first.row_splits, second.row_splits[1:] + len(first.ink)]),
        num_strokes=np.concatenate([first.num_strokes, second.num_strokes]),
        line_numbers=first.line_numbers + [n + first_lines for n in second.line_numbers],
        errors=first.errors + [(n + first_lines, reason) for n, reason in second.errors],
    )


def _drawings_to_ink(drawings: Sequence[Sequence[Stroke]]) -> tuple[np.ndarray, np.ndarray]:
    """Encodes drawings whose strokes are rows of numbers already.

    Returns:
      ink: float32 [rows of all drawings, 3].
      row_splits: int64 [drawings + 1].

    Raises:
      ValueError: any of the drawings is not usable.
    """
    strokes = list(itertools.chain.from_iterable(drawings))
    xs = [stroke[0] for stroke in strokes]
    ys = [stroke[1] for stroke in strokes]
    stroke_lengths = list(map(len, xs))
    if stroke_lengths != list(map(len, ys)):
        raise ValueError("x and y of different length")
    stroke_splits = np.cumsum([0, *stroke_lengths])
    drawing_splits = stroke_splits[np.cumsum([0, *map(len, drawings)])]
    num_points = np.diff(drawing_splits)
    if num_points.min() < 2:
        raise ValueError("a single point")

    starts = drawing_splits[:-1]
    kept = np.ones(drawing_splits[-1], bool)
    kept[starts] = False  # the first point of a drawing has no previous one
    ink = np.zeros((drawing_splits[-1] - len(drawings), 3), np.float32)
    for axis, rows in enumerate((xs, ys)):
        unit = _to_unit_interval(_flatten(rows, drawing_splits[-1]), starts, num_points)
        ink[:, axis] = (unit[1:] - unit[:-1])[kept[1:]]
    pen_up = np.zeros(drawing_splits[-1], np.float32)
    pen_up[stroke_splits[1:] - 1] = 1.0
    ink[:, 2] = pen_up[kept]
    row_splits = drawing_splits - np.arange(len(drawing_splits))
    return ink, row_splits


def _flatten(rows: Sequence[Sequence[float]], num_points: int) -> np.ndarray:
    """All values of the rows as float32 [num_points]."""
    values = itertools.chain.from_iterable(rows)
    try:
        # Whole numbers from 0 to 255, as all published simplified drawings have: three times as
        # fast as the general way, which fails or is taken up below where they are not.
        return np.frombuffer(bytes(list(values)), np.uint8).astype(np.float32)
    except (TypeError, ValueError):
        values = itertools.chain.from_iterable(rows)
    try:
        values = np.fromiter(values, np.float64, num_points)
    except OverflowError:
        raise ValueError("a coordinate beyond float32") from None
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a coordinate beyond float32")
    return values


def _to_unit_interval(values: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Shifts and scales each run of values to reach from 0 to 1.

    All in float32 and in this order of operations: the tutorial's records are equal bit for
    bit.

    Args:
      values: float32 [points].
      starts: int64 [drawings]: where each drawing's values start.
      counts: int64 [drawings]: how many they are.
    """
    lower = np.minimum.reduceat(values, starts)
    with np.errstate(over="ignore"):
        scale = np.maximum.reduceat(values, starts) - lower
    if not np.isfinite(scale).all():
        raise ValueError("a coordinate beyond float32")
    scale[scale == 0] = 1.0  # an axis without extent is only shifted
    return (values - np.repeat(lower, counts)) / np.repeat(scale, counts)
