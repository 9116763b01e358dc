"""Files and folders, local or remote, as far as the programs treat them alike."""

from __future__ import annotations

import os
from types import ModuleType

# Characters that TensorFlow takes for a pattern wherever it looks for a checkpoint.
PATTERN_CHARACTERS = "*?[]\\"


def write_whole(path: str, text: str) -> None:
    """Writes a file that is there whole or not at all."""
    gfile = _tensorflow_files()
    with gfile.GFile(path + ".tmp", "w") as file:
        file.write(text)
    gfile.rename(path + ".tmp", path, overwrite=True)


def list_folder(folder: str) -> list[str]:
    """Lists the names of a folder's files and folders, sorted; none where there is no folder."""
    if not is_remote(folder):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    gfile = _tensorflow_files()
    names = gfile.listdir(folder) if gfile.isdir(folder) else []
    return sorted(name.rstrip("/") for name in names)


def exists(path: str) -> bool:
    return _tensorflow_files().exists(path) if is_remote(path) else os.path.exists(path)


def read_bytes(path: str) -> bytes:
    with _tensorflow_files().GFile(path, "rb") if is_remote(path) else open(path, "rb") as file:
        return file.read()


def is_remote(path: str) -> bool:
    return "://" in path


def _tensorflow_files() -> ModuleType:
    # Imported when it is needed: what reads local files alone starts in a fifth of the time.
    import tensorflow as tf

    return tf.io.gfile


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
    if not os.path.isdir(above):
        raise ValueError(f"{flag}={path}: {above} is a file, not a folder; give another path")
    if not os.access(above, os.W_OK):
        raise ValueError(f"{flag}={path}: {above} cannot be written to; give another path")


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
