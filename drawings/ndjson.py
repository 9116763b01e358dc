"""Lines of ndjson in, words and ink out: one drawing a line, as the data set has them.

A line is a JSON object with `word` and `drawing`; other fields are ignored, except `recognized`
where it is asked for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from common.errors import UserError
from drawings import ink

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# The reason for refusing a drawing that the game did not recognise.
NOT_RECOGNIZED = "not recognised by the game"

BLANK_LINE = "blank line"


@dataclasses.dataclass(frozen=True)
class ParsedLines:
    """The usable drawings among some lines of ndjson, in the lines' order.

    Attributes:
      num_lines: how many lines there were, blank ones too.
      words: the drawings' words.
      ink: float32 [rows of all drawings, 3].
      row_splits: int64 [drawings + 1]; drawing i is `ink[row_splits[i]:row_splits[i + 1]]`.
      num_strokes: int64 [drawings], how many strokes each has.
      simplified: bool [drawings], which of them had to be simplified, see `ink.prepare`.
      line_numbers: int64 [drawings], the index of each one's line.
      errors: for each line that holds no usable drawing its index and the reason.
    """

    num_lines: int
    words: list[str]
    ink: np.ndarray
    row_splits: np.ndarray
    num_strokes: np.ndarray
    simplified: np.ndarray
    line_numbers: np.ndarray
    errors: list[tuple[int, str]]

    def select(self, wanted: np.ndarray) -> ParsedLines:
        """Selects some of the drawings, by a bool for each; the errors stay."""
        lengths = np.diff(self.row_splits)
        return dataclasses.replace(
            self,
            words=list(itertools.compress(self.words, wanted)),
            ink=self.ink[np.repeat(wanted, lengths)],
            row_splits=np.concatenate([[0], np.cumsum(lengths[wanted])]),
            num_strokes=self.num_strokes[wanted],
            simplified=self.simplified[wanted],
            line_numbers=self.line_numbers[wanted],
        )

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yields `(word, ink)` a drawing."""
        for i, word in enumerate(self.words):
            yield word, self.ink[self.row_splits[i] : self.row_splits[i + 1]]


def parse_line(line: bytes | str, *, recognized_only: bool = False) -> tuple[str, np.ndarray]:
    """Turns one line of ndjson into `(word, ink)`.

    Args:
      line: a JSON object with `word` and `drawing`; other fields are ignored. The drawing is
        simplified first where it is not yet, see `ink.prepare`.
      recognized_only: whether to refuse drawings that the game did not recognise.

    Returns:
      The word, and the ink as float32 [points - 1, 3].

    Raises:
      UserError: the line holds no usable drawing. The message is the reason alone, the
        same for all lines that fail in the same way, so that reasons can be counted.
    """
    word, strokes = _word_and_strokes(line, recognized_only=recognized_only)
    return word, ink.drawing_to_ink(strokes)


def parse_lines(text: bytes, *, recognized_only: bool = False) -> ParsedLines:
    """Parses many lines at once; each gives what `parse_line` gives for it.

    Lines as the published simplified drawings have them are read by compiled code, which stops
    at every other line.

    Args:
      text: whole lines; the last newline may be missing.
      recognized_only: whether to refuse drawings that the game did not recognise.
    """
    from drawings import json_scanner  # here: see drawings/compiled.py

    if not text.endswith(b"\n"):
        text += b"\n"
    codes = np.frombuffer(text, np.uint8)
    scanned = (
        np.empty((text.count(b"\n"), json_scanner.LINE_FIELDS), np.int64),
        np.empty(len(text) // 2, np.float32),
        np.empty(len(text) // 2, np.float32),
        np.empty(len(text) // 9, np.int64),
    )
    parts, start = [], 0
    while start < len(text):
        num_plain, end = json_scanner.scan_lines(codes, start, *scanned)
        if num_plain:
            parts.append(_plain_lines(text, num_plain, *scanned, recognized_only=recognized_only))
        if end < len(text):
            start, end = end, text.index(b"\n", end) + 1
            parts.append(_any_line(text[start:end], recognized_only=recognized_only))
        start = end
    return parts[0] if len(parts) == 1 else _join(parts)


def _plain_lines(
    text: bytes,
    num_lines: int,
    lines: np.ndarray,
    xs: np.ndarray,
    ys: np.ndarray,
    stroke_ends: np.ndarray,
    *,
    recognized_only: bool,
) -> ParsedLines:
    """Returns what `json_scanner.scan_lines` has found, whose results are the arguments."""
    from drawings import json_scanner, point_loops  # here: see drawings/compiled.py

    lines = lines[:num_lines]
    # Copies: what is scanned next takes the place.
    num_points = lines[:, json_scanner.POINTS].copy()
    num_strokes = lines[:, json_scanner.STROKES].copy()
    num_points, xs, ys, stroke_ends, simplified = ink.simplify_dense(
        num_points, num_strokes, xs, ys, stroke_ends
    )
    row_splits = np.concatenate([[0], np.cumsum(num_points - 1)])
    rows = np.empty((row_splits[-1], 3), np.float32)
    point_loops.encode_drawings(num_points, num_strokes, xs, ys, stroke_ends, rows)
    words = lines[:, [json_scanner.WORD_START, json_scanner.WORD_END]].tolist()
    parsed = ParsedLines(
        num_lines=num_lines,
        words=[text[start:end].decode() for start, end in words],
        ink=rows,
        row_splits=row_splits,
        num_strokes=num_strokes,
        simplified=simplified,
        line_numbers=np.arange(num_lines),
        errors=[],
    )
    refused = lines[:, json_scanner.RECOGNIZED] == 0
    if recognized_only and refused.any():
        errors = [(number, NOT_RECOGNIZED) for number in np.flatnonzero(refused).tolist()]
        parsed = dataclasses.replace(parsed.select(~refused), errors=errors)
    return parsed


def _any_line(line: bytes, *, recognized_only: bool) -> ParsedLines:
    """Returns what `parse_line` finds in a line."""
    words, rows, num_strokes, simplified, errors = [], np.empty((0, 3), np.float32), [], [], []
    try:
        word, strokes = _word_and_strokes(line, recognized_only=recognized_only)
        points, is_simplified = ink.prepare(strokes)
        rows = ink.encode(points)
        words, num_strokes, simplified = [word], [len(strokes)], [is_simplified]
    except UserError as error:
        errors = [(0, str(error))]
    return ParsedLines(
        num_lines=1,
        words=words,
        ink=rows,
        row_splits=np.array([0, len(rows)][: len(words) + 1]),
        num_strokes=np.array(num_strokes, np.int64),
        simplified=np.array(simplified, bool),
        line_numbers=np.arange(len(words)),
        errors=errors,
    )


def _join(parts: Sequence[ParsedLines]) -> ParsedLines:
    """Joins what consecutive lines gave, as if they had been one text."""
    lines = np.cumsum([0, *(part.num_lines for part in parts)]).tolist()
    rows = np.cumsum([0, *(len(part.ink) for part in parts)]).tolist()
    splits = [part.row_splits[1:] + row for part, row in zip(parts, rows)]
    return ParsedLines(
        num_lines=lines[-1],
        words=[word for part in parts for word in part.words],
        ink=np.concatenate([part.ink for part in parts]),
        row_splits=np.concatenate([[0], *splits]),
        num_strokes=np.concatenate([part.num_strokes for part in parts]),
        simplified=np.concatenate([part.simplified for part in parts]),
        line_numbers=np.concatenate([p.line_numbers + line for p, line in zip(parts, lines)]),
        errors=[(n + line, why) for p, line in zip(parts, lines) for n, why in p.errors],
    )


def parse_document(line: bytes | str) -> dict:
    """Returns the JSON object that a line of ndjson holds, whose `drawing` is anything but missing.
    A drawing that is a text of JSON is what that holds.

    Raises:
      UserError: there is none; the message is the reason.
    """
    if isinstance(line, str):
        line = line.encode("utf-8", "surrogatepass")
    if line.startswith(_BYTE_ORDER_MARK):
        line = line[len(_BYTE_ORDER_MARK) :]
    if not line.strip():
        raise UserError(BLANK_LINE)
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise UserError("malformed JSON") from None
    if not isinstance(document, dict):
        raise UserError("not a JSON object")
    if "drawing" not in document:
        raise UserError("no drawing")
    if isinstance(document["drawing"], str):  # as the column of a CSV file has it
        with contextlib.suppress(orjson.JSONDecodeError):
            document["drawing"] = orjson.loads(document["drawing"])
    return document


def _word_and_strokes(
    line: bytes | str, *, recognized_only: bool
) -> tuple[str, Sequence[ink.Stroke]]:
    """Returns the word and the strokes that a line holds, unchecked except for the word."""
    document = parse_document(line)
    word = document.get("word", "")
    if not isinstance(word, str):
        raise UserError("the word is not a text")
    if not word.strip():
        raise UserError("no word")
    if "\n" in word or "\r" in word:
        raise UserError("a line break in the word")
    if recognized_only and document.get("recognized") is False:
        raise UserError(NOT_RECOGNIZED)
    return word, document["drawing"]
