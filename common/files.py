"""Files and folders, local or remote, as far as the programs treat them alike."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from types import ModuleType
from typing import IO

# Characters that TensorFlow takes for a pattern wherever it looks for a checkpoint.
PATTERN_CHARACTERS = "*?[]\\"

# The folder in the project's with the network that comes with it.
PRETRAINED = "pretrained"


def write_whole(path: str, text: str) -> None:
    """Writes a file that is there whole or not at all.

    Raises:
      OSError: it cannot be written; nothing is left of it.
    """
    temporary = temporary_name(path)
    with _tensorflow_files() as gfile:
        try:
            with gfile.GFile(temporary, "w") as file:
                file.write(text)
            gfile.rename(temporary, path, overwrite=True)
        except Exception as error:
            if gfile.exists(temporary):
                gfile.remove(temporary)
            message = getattr(error, "message", str(error))
            raise OSError(message.replace(temporary, path)) from None


def temporary_name(path: str) -> str:
    """Returns a name beside a path that no other process writes to at the same time."""
    return f"{path}.tmp{secrets.token_hex(4)}"


def model_folder(path: str) -> str:
    """Returns the folder that a model's name means.

    `pretrained` is the network that comes with the project, wherever a program is started, unless
    a folder of that name lies there. Everything else is a path.
    """
    if path == PRETRAINED and not os.path.isdir(path):
        return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), path)
    return path


def list_folder(folder: str) -> list[str]:
    """Lists the names of a folder's files and folders, sorted; none where there is no folder."""
    if not is_remote(folder):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    with _tensorflow_files() as gfile:
        names = gfile.listdir(folder) if gfile.isdir(folder) else []
    return sorted(name.rstrip("/") for name in names)


def exists(path: str) -> bool:
    if not is_remote(path):
        return os.path.exists(path)
    with _tensorflow_files() as gfile:
        return gfile.exists(path)


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """Opens a file, local or remote, for reading."""
    if not is_remote(path):
        with open(path, "rb") as file:
            yield file
    else:
        with _tensorflow_files() as gfile, gfile.GFile(path, "rb") as file:
            yield file


def read_bytes(path: str) -> bytes:
    with open_bytes(path) as file:
        return file.read()


def is_remote(path: str) -> bool:
    return "://" in path


@contextlib.contextmanager
def _tensorflow_files() -> Iterator[ModuleType]:
    """Gives TensorFlow's functions for files, whose errors are raised as OSError.

    TensorFlow is imported when it is needed: what reads local files alone starts without it.
    """
    import tensorflow as tf

    try:
        yield tf.io.gfile
    except tf.errors.OpError as error:
        raise OSError(error.message) from None


def check_output_folder(path: str, *, flag: str) -> None:
    """Makes sure that a folder can stand at that path.

    Raises:
      ValueError: a file stands there or above it, or nothing can be written there; `flag` named
        the path.
    """
    if is_remote(path):
        return
    above = os.path.abspath(path)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if os.path.islink(above) and not os.path.exists(above):
        target = os.readlink(above)
        raise ValueError(f"{flag}={path}: {above} is a link to {target}, which is not there")
    if not os.path.isdir(above):
        raise ValueError(f"{flag}={path}: {above} is a file, not a folder; give another path")
    if not os.access(above, os.W_OK):
        raise ValueError(f"{flag}={path}: {above} cannot be written to; give another path")


def check_output_file(path: str, *, flag: str) -> None:
    """Makes sure that a file can be written at that path.

    Raises:
      ValueError: a folder stands there, or there is none for it; `flag` named the path.
    """
    if is_remote(path):
        return
    if os.path.isdir(path):
        raise ValueError(f"{flag}={path} is a folder; give the name of a file")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise ValueError(
            f"{flag}={path}: there is no folder {os.path.dirname(path)}; make it first"
        )


def check_no_pattern(path: str, *, flag: str) -> None:
    """Refuses the name of a folder whose checkpoints TensorFlow would not find.

    Raises:
      ValueError: the name holds one of PATTERN_CHARACTERS; `flag` gave it.
    """
    found = [character for character in PATTERN_CHARACTERS if character in path]
    if found:
        raise ValueError(
            f"{flag}={path}: TensorFlow takes {' '.join(found)} in a folder's name for a pattern; "
            "give a name without it"
        )
