"""Folders that one program at a time writes to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from common import console


@contextlib.contextmanager
def only_writer(folder: str, *, busy: str, patience_secs: float = 0.0) -> Iterator[None]:
    """Makes the folder if need be, and keeps other programs that ask out of it.

    A folder on a file system without locks is written to with a warning, a remote one without.

    Args:
      folder: its path.
      busy: what to say where another program is in it.
      patience_secs: how long to wait for that one to end.

    Raises:
      ValueError: another program is in it.
    """
    if "://" in folder:
        yield
        return
    made = not os.path.isdir(folder)
    os.makedirs(folder, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    deadline = time.monotonic() + patience_secs
    try:
        while not _lock(descriptor, folder):
            if time.monotonic() >= deadline:
                raise ValueError(f"{folder}: {busy}")
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)
        if made and not os.listdir(folder):  # of work that was refused
            os.rmdir(folder)


def _lock(descriptor: int, folder: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        console.warn(f"{folder}: cannot be locked; make sure that no other program writes there")
    return True
