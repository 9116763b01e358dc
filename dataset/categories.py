"""The ndjson files of a folder, and the category that each holds."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import IO

from common import console, files

import tensorflow as tf

from drawings import ndjson

ENDINGS = (".ndjson", ".ndjson.gz")


@dataclasses.dataclass
class Category:
    """One file: which class it holds, and in the end what became of its lines."""

    path: str
    word: str
    class_index: int = -1
    read: int = 0  # lines
    used: dict[str, int] = dataclasses.field(default_factory=dict)  # drawings, by split
    skipped: dict[str, int] = dataclasses.field(default_factory=dict)  # lines, by reason
    simplified: int = 0  # drawings used that were not simplified yet, see `ink.prepare`
    points: dict[int, int] = dataclasses.field(default_factory=dict)  # drawings, by their points
    strokes: dict[int, int] = dataclasses.field(default_factory=dict)  # drawings, by their strokes
    sample: bytes = b""  # the first drawing's ink


@contextlib.contextmanager
def open_ndjson(path: str) -> Iterator[IO[bytes]]:
    """Opens an ndjson file, compressed or not, local or remote, for reading bytes."""
    with contextlib.ExitStack() as stack:
        opener = tf.io.gfile.GFile if "://" in path else open  # ours reads lines much faster
        file = stack.enter_context(opener(path, "rb"))
        if path.endswith(".gz"):
            file = stack.enter_context(gzip.GzipFile(fileobj=file))
        try:
            yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the compressed file is damaged ({error})") from None


def find_categories(ndjson_path: str, *, only: Sequence[str] = ()) -> list[Category]:
    """Finds the files and the category of each: the word of its first usable line.

    Args:
      ndjson_path: folder of ndjson files.
      only: categories to take; none for all.

    Returns:
      The categories sorted by word, each with its index in that order.

    Raises:
      ValueError: there is no file, none holds a usable drawing, or two hold the same category.
    """
    paths = _ndjson_files(ndjson_path)
    by_word: dict[str, Category] = {}
    for path in paths:
        word = _first_word(path)
        if word is None:
            console.warn(f"{path}: holds no usable drawing; left out")
        elif word in by_word:
            raise ValueError(
                f"{path} and {by_word[word].path} hold the same category {word!r}; a category "
                "is one file: join or remove one of them"
            )
        else:
            by_word[word] = Category(path, word)
    if not by_word:
        raise ValueError(f"--ndjson_path={ndjson_path}: none of its files holds a usable drawing")
    missing = sorted(set(only) - set(by_word))
    if missing:
        raise ValueError(
            f"--categories: no file of {', '.join(map(repr, missing))} in {ndjson_path}"
        )
    if only:
        by_word = {word: by_word[word] for word in only}
    categories = sorted(by_word.values(), key=lambda category: category.word)
    for index, category in enumerate(categories):
        category.class_index = index
    return categories


def _ndjson_files(folder: str) -> list[str]:
    """Finds the paths of a folder's ndjson files; what only has such a name is left out.

    Raises:
      ValueError: there is none.
    """
    if not tf.io.gfile.isdir(folder):
        raise ValueError(f"--ndjson_path={folder}: no such folder")
    names = [name for name in files.list_folder(folder) if name.endswith(ENDINGS)]
    paths = []
    for path in (os.path.join(folder, name) for name in names):
        # A pipe would be waited for, for ever.
        if tf.io.gfile.isdir(path) or not ("://" in path or os.path.isfile(path)):
            console.warn(f"{path}: not a file; left out")
        else:
            paths.append(path)
    if not paths:
        raise ValueError(
            f"--ndjson_path={folder}: no .ndjson file in it; the README says where the "
            "drawings come from"
        )
    return paths


def _first_word(path: str) -> str | None:
    with open_ndjson(path) as file:
        for line in file:
            # As the workers parse, so that what they need is compiled once, before there are any.
            if words := ndjson.parse_lines(line).words:
                return words[0]
    return None
