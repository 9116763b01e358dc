"""Files of drawings as people have them, opened as lines of ndjson.

What a file is shows in its first bytes, whatever its name says:

    gzip                      is decompressed
    UTF-16, UTF-32            becomes UTF-8
    an array of drawings      becomes a line for each
    objects over many lines   become a line each
    another archive           is refused with its name

Everything else is taken for lines of ndjson, which `ndjson.parse_lines` judges one by one.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any, cast

import orjson

from common import files
from common.errors import UserError

_GZIP = b"\x1f\x8b"

# What other archives begin with.
_ARCHIVES = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
}

# Bytes looked at: enough for what archives begin with, and for a few blanks before the drawings.
_LOOKED_AT = 64


_BLANKS = re.compile(r"\s*")


class NotDrawingsError(UserError):
    """A file that cannot hold drawings; the message says what it is, not which one."""


def is_gzip(path: str) -> bool:
    """Returns whether a file is compressed by gzip."""
    with files.open_bytes(path) as file:
        return file.read(len(_GZIP)) == _GZIP


@contextlib.contextmanager
def open_ndjson(path: str) -> Iterator[IO[bytes]]:
    """Opens a file of drawings, local or remote, for reading lines of ndjson.

    Raises:
      OSError: it cannot be read.
      NotDrawingsError: it is another archive than gzip.
      UserError: it is compressed, and damaged; also while it is read.
    """
    with files.open_bytes(path) as file, as_ndjson(file, path) as lines:
        yield lines


@contextlib.contextmanager
def as_ndjson(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """Does what `open_ndjson` does with a file that is open; `name` is for the messages."""
    try:
        head = _peek(file)
        if head.startswith(_GZIP):
            file = cast(IO[bytes], gzip.GzipFile(fileobj=file))
            head = _peek(file)
        for magic, kind in _ARCHIVES.items():
            if head.startswith(magic):
                raise NotDrawingsError(f"is {kind}; unpack it")
        encoding = json.detect_encoding(head)
        if not encoding.startswith("utf-8") and _begins_as_json(head.decode(encoding, "replace")):
            file = io.BytesIO(file.read().decode(encoding, "replace").encode())
            head = _peek(file)
        yield _line_by_line(file) if _is_laid_out(head) else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{name}: the compressed file is damaged ({error})") from None


def _peek(file: Any) -> bytes:
    """Returns the first bytes, which are still there to be read; of a pipe those that have come."""
    if hasattr(file, "peek"):
        return file.peek(_LOOKED_AT)[:_LOOKED_AT]
    head = file.read(_LOOKED_AT)
    file.seek(0)
    return head


def _begins_as_json(text: str) -> bool:
    """Returns whether a text begins as JSON does, which a damaged first line of UTF-8 does not when
    it is taken for UTF-16."""
    text = text.lstrip("\ufeff \t\r\n")
    return text.startswith(("{", "[")) and text[:4].isascii()


def _is_laid_out(head: bytes) -> bool:
    """Returns whether a file begins as JSON of more or less than a drawing a line: with an array,
    which no line of ndjson is, or with a brace alone."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return head.startswith((b"[", b"{\n", b"{\r"))


def _line_by_line(file: IO[bytes]) -> IO[bytes]:
    """Returns the JSON values of a file, or the items of its arrays, a line each; the file as it is
    where it is no JSON."""
    content = file.read()
    try:
        text = content.decode("utf-8-sig").strip()
        values: list = []
        decoder, at = json.JSONDecoder(), 0
        while at < len(text):
            value, end = decoder.raw_decode(text, at)
            values.append(value)
            blanks = _BLANKS.match(text, end)
            assert blanks  # of any number
            at = blanks.end()
        kinds = set(map(type, values))
        if len(kinds) != 1:  # lines of ndjson after a damaged one
            return io.BytesIO(content)
        items = itertools.chain.from_iterable(values) if kinds == {list} else values
        return io.BytesIO(b"".join(orjson.dumps(item) + b"\n" for item in items))
    except (ValueError, TypeError, RecursionError):  # the last two by what orjson does not write
        return io.BytesIO(content)
