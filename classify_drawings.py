r"""Tells what drawings show: a line of JSON for each, with the five likeliest words.

    python classify_drawings.py --model=runs/2026-11-22-174400 drawings.ndjson
    program_that_draws | python classify_drawings.py --model=runs/2026-11-22-174400 -

Files are read as create_dataset.py reads them, compressed or not. A line of the input is a JSON
object with a `drawing`, raw or simplified, as the Quick, Draw! data set has them; `word` need not
be there. A line of the output:

    {"key_id":"5891796615823360","guesses":[{"word":"nose","probability":0.93}, ...]}
"""

from __future__ import annotations

from common import startup  # noqa: F401  # isort: skip  (first, see there)

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np
import orjson
from absl import flags

from common import files, programs, terminal
from common.errors import UserError
from drawings import forms, ndjson, ndjson_files
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
    except UserError as error:
        return Drawing(key_id, None, str(error))


@contextlib.contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Opens a file, or standard input, as lines of ndjson.

    Raises:
      UserError: it holds something else.
    """
    try:
        if path == STANDARD_INPUT:
            # Not sys.stdin: Python would wait for its lock at the end, which a thread that waits
            # for input holds.
            with (
                open(0, "rb", closefd=False) as file,
                ndjson_files.as_ndjson(file, "standard input") as lines,
            ):
                yield lines
        else:
            with ndjson_files.open_ndjson(path) as lines:
                yield lines
    except ndjson_files.NotDrawingsError as error:
        raise UserError(f"{path}: {error}") from None


def read_drawings(path: str, hints: list[str]) -> Iterator[Drawing]:
    """Yields the drawings of a file's lines, all but blank ones; adds a hint about the first that
    cannot be used."""
    hinted = False
    with opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            drawing = parse(line)
            if drawing.error and not hinted:
                hinted = True
                name = "standard input" if path == STANDARD_INPUT else path
                hints.append(f"{name}, line {number}: {forms.explain(line, drawing.error)}")
            yield drawing


def read_chunks(paths: Sequence[str], hints: list[str]) -> Iterator[list[Drawing]]:
    """Yields the drawings of the files, in lists.

    Of standard input and pipes as many as are there, but at least one: a program that writes a
    drawing and waits gets the answer at once. They are read and parsed by another thread, while
    those before are classified.
    """
    live = not all(map(os.path.isfile, paths))
    drawings: queue.Queue = queue.Queue(QUEUE_DRAWINGS)  # of Drawing, in the end END
    errors = []

    def read() -> None:
        try:
            for path in paths:
                for drawing in read_drawings(path, hints):
                    drawings.put(drawing)
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
            best = [guess._asdict() for guess in next(guesses)]
            yield {"key_id": drawing.key_id, "guesses": best}


def as_text(answer: dict) -> str:
    """`5891796615823360  nose 93.0%, face 2.1%, ...`"""
    key_id = "-" if answer["key_id"] is None else str(answer["key_id"])
    # A line break, or what else a terminal would obey, would make it another line.
    key_id = "".join(letter if letter.isprintable() else " " for letter in key_id)
    if "error" in answer:
        return f"{key_id}  error: {answer['error']}"
    guesses = (f"{guess['word']} {guess['probability']:.1%}" for guess in answer["guesses"])
    return f"{key_id}  {', '.join(guesses)}"


def check_inputs(paths: Sequence[str]) -> None:
    """Refuses what cannot be read before the model is loaded.

    Raises:
      UserError: no file is given, or one of them is not there.
    """
    if not paths:
        raise UserError("no file given; - is standard input")
    for path in paths:
        if path == STANDARD_INPUT:
            if sys.stdin is None:
                raise UserError("standard input is closed")
        elif os.path.isdir(path):
            raise UserError(f"{path}: is a folder; give the files in it")
        elif not os.path.exists(path) and not files.is_remote(path):
            raise UserError(f"{path}: no such file")
    if sys.stdout is None:
        raise UserError("standard output is closed")


def main(paths: Sequence[str]) -> int | None:
    check_inputs(paths)
    model = classifier.Classifier(_MODEL.value)
    hints: list[str] = []  # one a file at most
    count = num_errors = 0
    try:
        for chunk in read_chunks(paths, hints):
            for answer in classify(model, chunk):
                count += 1
                num_errors += "error" in answer
                line = as_text(answer).encode() if _FORMAT.value == "text" else orjson.dumps(answer)
                sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader of the answers has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return None
    if not count:
        raise UserError(f"{', '.join(paths)}: no drawing in it")
    for hint in hints:
        terminal.warn(hint)
    if num_errors:
        terminal.warn(f"{num_errors:,} of {count:,} drawings could not be used; {forms.EXPECTED}")
    return programs.EXIT_ERROR if num_errors == count else None


if __name__ == "__main__":
    programs.run(main, operands=True)
