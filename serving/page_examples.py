"""Some drawings of each word, for the drawing page to show how others drew it.

They are base64 of bytes: for each word the number of drawings, of each the number of strokes, of
each the number of points, then their xs and their ys, from 0 to 255.
"""

from __future__ import annotations

import base64
import itertools
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from common.errors import UserError
from drawings import ink, ndjson
from records import tfrecords

PER_WORD = 4

# Of the base64 text; with more words, each has fewer drawings.
MAX_BYTES = 600_000

# Drawings with more would take the room of several.
MAX_POINTS = 120

# A class that is not among so many records for each class is too rare to look for.
MAX_RECORDS_PER_CLASS = 100

Drawing = Sequence[Sequence[Sequence[int]]]  # strokes [xs, ys], whole numbers from 0 to 255
Examples = Mapping[str, Sequence[Drawing]]


def pack(examples: Examples, classes: Sequence[str]) -> str:
    """Returns the text that the page unpacks; with many words, each has fewer drawings."""
    for per_word in range(PER_WORD, 0, -1):
        chosen = [examples.get(word, ())[:per_word] for word in classes]
        text = base64.b64encode(b"".join(map(_pack_word, chosen))).decode()
        if any(chosen) and len(text) <= MAX_BYTES:
            return text
    return ""


def from_ndjson(folder: str, classes: Sequence[str]) -> dict[str, list[Drawing]]:
    """Takes the first usable drawings of each class of a folder's ndjson files.

    Raises:
      ValueError: there are none of these classes.
    """
    examples: dict[str, list[Drawing]] = {}
    for path in sorted(pathlib.Path(folder).glob("*.ndjson")):
        with path.open("rb") as file:
            for word, drawings in itertools.groupby(_usable(file), key=lambda pair: pair[0]):
                if word in classes:
                    chosen = examples.setdefault(word, [])
                    chosen += [d for _, d in itertools.islice(drawings, PER_WORD - len(chosen))]
                break  # a file is of one word
    if not examples:
        raise UserError(f"{folder}: no ndjson files there with drawings of the model's classes")
    return examples


def from_records(paths: Iterable[str], classes: Sequence[str]) -> dict[str, list[Drawing]]:
    """Takes the first drawings of each class among training records.

    Ink has lost how wide a drawing was for its height: all fill a square.
    """
    examples: dict[str, list[Drawing]] = {word: [] for word in classes}
    missing = len(classes)
    every = itertools.chain.from_iterable(map(tfrecords.read_records, paths))
    for record in itertools.islice(every, MAX_RECORDS_PER_CLASS * len(classes)):
        features = tf.train.Example.FromString(record).features.feature
        chosen = examples[classes[features["class_index"].int64_list.value[0]]]
        rows = np.reshape(features["ink"].float_list.value, (-1, 3))
        if len(chosen) < PER_WORD and len(rows) < MAX_POINTS:
            strokes = [np.rint(255 * s).astype(int).T.tolist() for s in ink.ink_to_strokes(rows)]
            chosen.append(strokes)
            missing -= len(chosen) == PER_WORD
        if not missing:
            break
    return examples


def _usable(lines: Iterable[bytes]) -> Iterable[tuple[str, Drawing]]:
    for line in lines:
        try:
            ndjson.parse_line(line, recognized_only=True)
        except UserError:
            continue
        document = json.loads(line)
        strokes = document["drawing"]
        simplified = ink.simplify(strokes) if ink.prepare(strokes)[1] else strokes
        values = [v for stroke in simplified for row in stroke[:2] for v in row]
        if len(values) <= 2 * MAX_POINTS and all(0 <= value <= 255 for value in values):
            yield document["word"], simplified


def _pack_word(drawings: Sequence[Drawing]) -> bytes:
    parts = [bytes([len(drawings)])]
    for strokes in drawings:
        parts.append(bytes([len(strokes)]))
        for xs, ys in strokes:
            parts += [bytes([len(xs)]), bytes(map(int, xs)), bytes(map(int, ys))]
    return b"".join(parts)
