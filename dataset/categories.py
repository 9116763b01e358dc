"""The ndjson files of a folder, and the category that each holds."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence

from common import files, terminal
from common.errors import UserError
from drawings import forms, ndjson
from drawings.ndjson_files import NotDrawingsError, open_ndjson

ENDINGS = (".ndjson", ".ndjson.gz")

# Files that lie beside them for another reason: hidden ones, what conversions and downloads write.
_OTHER_FILES = re.compile(
    r"\..*|(training|eval|test)\.tfrecord.*|conversion_(report\.json|samples\.png)|.*\.part(\.etag)?"
)

# Bytes of each file that are searched for its words before it is read: about 16 drawings.
FIRST_BYTES = 8192

SHOWN_NAMES = 5


class _Refused(UserError):
    """A file that holds no drawing; the message says why."""


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


def other_word(word: str) -> str:
    """Why a line with another word than its file's is skipped."""
    return f"a word other than the file's, {word!r}"


def find_categories(ndjson_path: str, *, only: Sequence[str] = ()) -> list[Category]:
    """Finds the files and the category of each: the word of its first usable line.

    Args:
      ndjson_path: folder of ndjson files.
      only: categories to take; none for all.

    Returns:
      The categories sorted by word, each with its index in that order.

    Raises:
      UserError: there is no file, none holds a usable drawing, or two hold the same category.
    """
    paths = _ndjson_files(ndjson_path)
    by_word: dict[str, Category] = {}
    for path in paths:
        try:
            words = _first_words(path)
        except (_Refused, NotDrawingsError) as refusal:
            terminal.warn(f"{path}: left out, {refusal}")
            continue
        if len(words) > 1:
            terminal.warn(
                f"{path}: its first drawings are of several words, {_names(words)}. A file is one "
                f"category, {words[0]!r}, and drawings of other words are skipped: split the file"
            )
        if words[0] in by_word:
            raise UserError(
                f"{path} and {by_word[words[0]].path} hold the same category {words[0]!r}; a "
                "category is one file: join or remove one of them"
            )
        by_word[words[0]] = Category(path, words[0])
    if not by_word:
        raise UserError(f"--ndjson_path={ndjson_path}: none of its files holds a usable drawing")
    missing = sorted(set(only) - set(by_word))
    if missing:
        raise UserError(
            f"--categories: no file of {', '.join(map(repr, missing))} in {ndjson_path}"
        )
    if only:
        by_word = {word: by_word[word] for word in only}
    _warn_of_words(sorted(by_word))
    categories = sorted(by_word.values(), key=lambda category: category.word)
    for index, category in enumerate(categories):
        category.class_index = index
    return categories


def _ndjson_files(folder: str) -> list[str]:
    """Finds the paths of a folder's ndjson files; what only has such a name is left out.

    Raises:
      UserError: there is none.
    """
    if not files.is_folder(folder):
        raise UserError(f"--ndjson_path={folder}: no such folder")
    names = files.list_folder(folder)
    paths = []
    for name in names:
        path = os.path.join(folder, name)
        if not name.lower().endswith(ENDINGS):
            continue
        # A pipe would be waited for, for ever.
        if files.is_folder(path) or not (files.is_remote(path) or os.path.isfile(path)):
            terminal.warn(f"{path}: not a file; left out")
        else:
            paths.append(path)
    others = [
        name
        for name in names
        if not name.lower().endswith(ENDINGS)
        and not _OTHER_FILES.fullmatch(name)
        and not os.path.isdir(os.path.join(folder, name))
    ]
    if others and paths:
        terminal.warn(f"{folder}: left out {_names(others)}, not named {' or '.join(ENDINGS)}")
    held = f", only {_names(others)}" if others else ""
    if not paths:
        raise UserError(
            f"--ndjson_path={folder}: no .ndjson file in it{held}; the README says where the "
            "drawings come from"
        )
    return paths


def _first_words(path: str) -> list[str]:
    """Returns the different words of a file's first usable drawings, in their order.

    Raises:
      _Refused: it holds none; the message is the reason.
    """
    refusal, number = "", 0
    with open_ndjson(path) as file:
        while text := file.read(FIRST_BYTES) + file.readline():
            # As the workers parse, so that what they need is compiled once, before there are any.
            parsed = ndjson.parse_lines(text)
            if parsed.words:
                return list(dict.fromkeys(parsed.words))
            for line, reason in parsed.errors:
                if not refusal and reason != ndjson.BLANK_LINE:
                    explained = forms.explain(text.split(b"\n")[line], reason)
                    refusal = f". Line {number + line + 1}: {explained}; {forms.EXPECTED}"
            number += parsed.num_lines
    raise _Refused(f"holds no usable drawing{refusal}" if number else "is empty")


def _warn_of_words(words: Sequence[str]) -> None:
    """Warns of class lists that hardly anybody means."""
    if len(words) == 1:
        terminal.warn(
            f"{words[0]!r} is the only category: a model of one class is always right and of no use"
        )
    alike: dict[str, list[str]] = {}
    for word in words:
        alike.setdefault(" ".join(word.split()).casefold(), []).append(word)
    for same in alike.values():
        if len(same) > 1:
            terminal.warn(
                f"{_names(same)} become different classes; if they are one, give their drawings "
                "one word and join the files"
            )


def _names(names: Sequence[str]) -> str:
    """Quotes names, the first of them if there are many."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(map(repr, names[:SHOWN_NAMES])) + more
