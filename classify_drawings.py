r"""Tells what drawings show: a line of JSON for each, with the five likeliest words.

    python classify_drawings.py --model=runs/2026-11-22-174400 drawings.ndjson
    program_that_draws | python classify_drawings.py --model=runs/2026-11-22-174400 -

A line of the input is a JSON object with a `drawing`, raw or simplified, as the Quick, Draw! data
set has them; `word` need not be there. A line of the output:

    {"key_id":"5891796615823360","guesses":[{"word":"nose","probability":0.93}, ...]}
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from common import console

import numpy as np
import orjson
from absl import flags

from drawings import ndjson
from serving import classifier

_MODEL = flags.DEFINE_string(
    "model", None, "Folder of an exported model, or --model_dir of train_model.py.", required=True
)
_FORMAT = flags.DEFINE_enum("format", "json", ["json", "text"], "text: for people.")

STANDARD_INPUT = "-"
END = object()

# Drawings classified together, to sort them into batches of about one length, and read ahead.
CHUNK_DRAWINGS = 4096
QUEUE_DRAWINGS = 2 * CHUNK_DRAWINGS


class Drawing(NamedTuple):
    """What a line of the input says."""

    key_id: str | None
    points: np.ndarray | None  # as classifier.prepare returns it
    error: str | None  # why there are no points


def parse(line: bytes) -> Drawing:
    key_id = None
    try:
        document = ndjson.parse_document(line)
        key_id = document.get("key_id")
        return Drawing(key_id, classifier.prepare(document["drawing"]), None)
    except ValueError as error:
        return Drawing(key_id, None, str(error))


def read_chunks(paths: Sequence[str]) -> Iterator[list[Drawing]]:
    """Yields the drawings of the files' lines, but for blank ones, in lists.

    Of standard input as many as are there, but at least one: whoever writes a drawing and waits
    gets the answer at once. They are read and parsed by another thread, while those before are
    classified.
    """
    live = STANDARD_INPUT in paths
    drawings: queue.Queue = queue.Queue(QUEUE_DRAWINGS)  # of Drawing, in the end END
    errors = []

    def read() -> None:
        try:
            for path in paths:
                with sys.stdin.buffer if path == STANDARD_INPUT else open(path, "rb") as file:
                    for line in file:
                        if line.strip():
                            drawings.put(parse(line))
        except Exception as error:
            errors.append(error)
        drawings.put(END)

    threading.Thread(target=read, daemon=True).start()
    while True:
        chunk = [drawings.get()]
        while len(chunk) < CHUNK_DRAWINGS and chunk[-1] is not END:
            if live and drawings.empty():
                break
            chunk.append(drawings.get())
        if chunk[-1] is not END:
            yield chunk
            continue
        yield chunk[:-1]
        if errors:
            raise errors[0]
        return


def classify(model: classifier.Classifier, drawings: Sequence[Drawing]) -> Iterator[dict]:
    """Yields for each drawing its `key_id` and either `guesses` or the `error`."""
    usable = [drawing.points for drawing in drawings if drawing.points is not None]
    guesses = iter(model.classify_points(usable))
    for drawing in drawings:
        if drawing.error:
            yield {"key_id": drawing.key_id, "error": drawing.error}
        else:
            found = [guess._asdict() for guess in next(guesses)]
            yield {"key_id": drawing.key_id, "guesses": found}


def as_text(answer: dict) -> str:
    """`5891796615823360  nose 93.0%, face 2.1%, ...`"""
    key_id = answer["key_id"] or "-"
    if "error" in answer:
        return f"{key_id}  error: {answer['error']}"
    guesses = (f"{guess['word']} {guess['probability']:.1%}" for guess in answer["guesses"])
    return f"{key_id}  {', '.join(guesses)}"


def main(paths: Sequence[str]) -> int | None:
    if not paths:
        raise ValueError("no file given; - is standard input")
    for path in paths:
        if path != STANDARD_INPUT and not os.path.isfile(path):
            raise ValueError(f"{path}: no such file")
    model = classifier.Classifier(_MODEL.value)
    count = num_errors = 0
    try:
        for chunk in read_chunks(paths):
            for answer in classify(model, chunk):
                count += 1
                num_errors += "error" in answer
                line = as_text(answer).encode() if _FORMAT.value == "text" else orjson.dumps(answer)
                sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
    except BrokenPipeError:  # whoever read the answers has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return None
    if num_errors:
        console.warn(f"{num_errors:,} of {count:,} drawings could not be used")
    return console.EXIT_ERROR if num_errors == count else None


if __name__ == "__main__":
    console.run(main, operands=True)
