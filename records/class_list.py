"""The class list: UTF-8, one name a line, the line's number from 0 its index."""

from __future__ import annotations

import os
from collections.abc import Sequence

from common import files
from common.errors import UserError

# How the name of a list ends that lies beside records.
ENDING = ".tfrecord.classes"

# Differences that a message names; more are counted only.
SHOWN_NAMES = 5


def write_classes(path: str, classes: Sequence[str]) -> None:
    """Writes a class list, whole or not at all."""
    files.write_whole(path, "".join(name + "\n" for name in classes))


def read_classes(path: str) -> list[str]:
    """Reads a class list.

    Raises:
      UserError: there is no such file, or it is empty or names a class twice.
    """
    try:
        text = files.read_bytes(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such class list; create_dataset.py writes one beside the records, "
            "as its last step"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a class list in UTF-8 ({error})") from None
    classes = [line.rstrip("\r") for line in text.split("\n")]
    while classes and not classes[-1]:
        classes.pop()
    if not classes:
        raise UserError(f"{path}: the class list is empty; expected one class name a line")
    line_of: dict[str, int] = {}
    for number, name in enumerate(classes, start=1):
        if not name.strip():
            raise UserError(f"{path}, line {number}: a blank line among the class names")
        if name in line_of:
            raise UserError(
                f"{path}, line {number}: class {name!r} stands on line {line_of[name]} already"
            )
        line_of[name] = number
    return classes


def difference(before: Sequence[str], now: Sequence[str]) -> str | None:
    """Says how a class list differs from an earlier one; None if it does not."""
    if list(before) == list(now):
        return None
    missing = [name for name in before if name not in now]
    added = [name for name in now if name not in before]
    changes = [
        f"{text} {', '.join(map(repr, names[:SHOWN_NAMES]))}"
        + (" …" if len(names) > SHOWN_NAMES else "")
        for text, names in (("it also had", missing), ("it did not have", added))
        if names
    ]
    return "for another class list: " + ("; ".join(changes) or "the order differs")


def check_beside_records(classes: Sequence[str], records: Sequence[str], *, what: str) -> None:
    """Compares a class list with those that create_dataset.py wrote beside records.

    Args:
      classes: the class list.
      records: TFRecord files; where no class list lies beside them, there is nothing to compare.
      what: where `classes` come from, as the message begins.

    Raises:
      UserError: they differ.
    """
    names = [os.path.split(path) for path in records]
    paths = {
        os.path.join(folder, f"{name.split('.tfrecord-')[0]}{ENDING}") for folder, name in names
    }
    for path in sorted(filter(files.exists, paths)):
        mismatch = difference(classes, read_classes(path))
        if mismatch:
            raise UserError(f"{what} {mismatch}, by {path}")
