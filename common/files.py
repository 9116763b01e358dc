"""Files and folders, local or remote: the one way to them.

What lies on this machine is reached by Python's own functions, the rest by TensorFlow's, which is
imported when it is needed: what reads local files alone starts without it. Whatever fails raises
an OSError, FileNotFoundError and PermissionError among them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from types import ModuleType
from typing import IO

from common.errors import UserError

# Characters that TensorFlow takes for a pattern wherever it looks for a checkpoint.
PATTERN_CHARACTERS = "*?[]\\"

# The folder in the project's with the network that comes with it.
PRETRAINED = "pretrained"


def is_remote(path: str) -> bool:
    return "://" in path


def write_whole(path: str, content: str | bytes) -> None:
    """Writes a file that is there whole or not at all.

    Args:
      path: of the file; what stands there is replaced.
      content: bytes, or text, which is encoded in UTF-8.

    Raises:
      OSError: it cannot be written; nothing is left of it.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = temporary_name(path)
    try:
        with _open_to_write(temporary) as file:
            file.write(data)
        rename(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            remove(temporary)
        raise _renamed(error, temporary, path) from None


def _renamed(error: OSError, temporary: str, path: str) -> OSError:
    """Returns an error that names a file instead of its temporary one."""
    if error.errno is not None:
        return OSError(error.errno, error.strerror, path)
    return type(error)(str(error).replace(temporary, path))


@contextlib.contextmanager
def _open_to_write(path: str) -> Iterator[IO[bytes]]:
    if not is_remote(path):
        with open(path, "wb") as file:
            yield file
    else:
        with _remote_files() as gfile, gfile.GFile(path, "wb") as file:
            yield file


def temporary_name(path: str) -> str:
    """Returns a name beside a path that no other process writes to at the same time."""
    return f"{path}.tmp{secrets.token_hex(4)}"


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[IO[bytes]]:
    """Opens a file for reading."""
    if not is_remote(path):
        with open(path, "rb") as file:
            yield file
    else:
        with _remote_files() as gfile, gfile.GFile(path, "rb") as file:
            yield file


def read_bytes(path: str) -> bytes:
    with open_bytes(path) as file:
        return file.read()


def exists(path: str) -> bool:
    if not is_remote(path):
        return os.path.exists(path)
    with _remote_files() as gfile:
        return gfile.exists(path)


def is_folder(path: str) -> bool:
    if not is_remote(path):
        return os.path.isdir(path)
    with _remote_files() as gfile:
        return gfile.isdir(path)


def size(path: str) -> int:
    """Returns how many bytes a file has."""
    if not is_remote(path):
        return os.stat(path).st_size
    with _remote_files() as gfile:
        return gfile.stat(path).length


def list_folder(folder: str) -> list[str]:
    """Lists the names of a folder's files and folders, sorted; none where there is no folder."""
    if not is_remote(folder):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    with _remote_files() as gfile:
        names = gfile.listdir(folder) if gfile.isdir(folder) else []
    return sorted(name.rstrip("/") for name in names)


def match(pattern: str) -> list[str]:
    """Finds the files and folders that a pattern matches, in no order, as TensorFlow takes it.

    On this machine as well: `*` and `?` match a leading dot, and `**` is no more than `*`.
    """
    with _remote_files() as gfile:
        return gfile.glob(pattern)


def make_folder(path: str) -> None:
    """Makes a folder, and those above it; it may be there already."""
    if not is_remote(path):
        os.makedirs(path, exist_ok=True)
    else:
        with _remote_files() as gfile:
            gfile.makedirs(path)


def rename(source: str, target: str) -> None:
    """Gives a file or folder another name; a file that has it already is replaced."""
    if not is_remote(source) and not is_remote(target):
        os.replace(source, target)
    else:
        with _remote_files() as gfile:
            gfile.rename(source, target, overwrite=True)


def copy(source: str, target: str) -> None:
    """Copies a file, from here or elsewhere to here or elsewhere; one that is there is replaced."""
    if not is_remote(source) and not is_remote(target):
        shutil.copyfile(source, target)
    else:
        with _remote_files() as gfile:
            gfile.copy(source, target, overwrite=True)


def remove(path: str) -> None:
    """Removes a file."""
    if not is_remote(path):
        os.remove(path)
    else:
        with _remote_files() as gfile:
            gfile.remove(path)


def remove_folder(path: str) -> None:
    """Removes a folder and all that is in it."""
    if not is_remote(path):
        shutil.rmtree(path)
    else:
        with _remote_files() as gfile:
            gfile.rmtree(path)


@contextlib.contextmanager
def _remote_files() -> Iterator[ModuleType]:
    """Gives TensorFlow's functions for files, whose errors are raised as OSError."""
    from common.quiet_tensorflow import tf

    try:
        yield tf.io.gfile
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(error.message) from None
    except tf.errors.PermissionDeniedError as error:
        raise PermissionError(error.message) from None
    except tf.errors.OpError as error:
        raise OSError(error.message) from None


def model_folder(path: str) -> str:
    """Returns the folder that a model's name means.

    `pretrained` is the network that comes with the project, wherever a program is started, unless
    a folder of that name lies there. Everything else is a path.
    """
    if path == PRETRAINED and not os.path.isdir(path):
        return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), path)
    return path


def check_output_folder(path: str, *, flag: str) -> None:
    """Makes sure that a folder can stand at that path.

    Raises:
      UserError: a file stands there or above it, or nothing can be written there; `flag` named
        the path.
    """
    if is_remote(path):
        return
    above = os.path.abspath(path)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if os.path.islink(above) and not os.path.exists(above):
        target = os.readlink(above)
        raise UserError(f"{flag}={path}: {above} is a link to {target}, which is not there")
    if not os.path.isdir(above):
        raise UserError(f"{flag}={path}: {above} is a file, not a folder; give another path")
    if not os.access(above, os.W_OK):
        raise UserError(f"{flag}={path}: {above} cannot be written to; give another path")


def check_output_file(path: str, *, flag: str) -> None:
    """Makes sure that a file can be written at that path.

    Raises:
      UserError: a folder stands there, or there is none for it; `flag` named the path.
    """
    if is_remote(path):
        return
    if os.path.isdir(path):
        raise UserError(f"{flag}={path} is a folder; give the name of a file")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UserError(f"{flag}={path}: there is no folder {os.path.dirname(path)}; make it first")


def check_no_pattern(path: str, *, flag: str) -> None:
    """Refuses the name of a folder whose checkpoints TensorFlow would not find.

    Raises:
      UserError: the name holds one of PATTERN_CHARACTERS; `flag` gave it.
    """
    special = [character for character in PATTERN_CHARACTERS if character in path]
    if special:
        raise UserError(
            f"{flag}={path}: TensorFlow takes {' '.join(special)} in a folder's name for a "
            "pattern; give a name without it"
        )
