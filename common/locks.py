"""Folders that one program at a time writes to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from common import files, terminal
from common.errors import UserError


@contextlib.contextmanager
def only_writer(folder: str, *, busy: str, patience_secs: float = 0.0) -> Iterator[None]:
    """Makes the folder if need be, and keeps other programs that ask out of it.

    A folder that it made is removed again where the work left nothing in it. A folder on a file
    system without locks is written to with a warning, a remote one without.

    Args:
      folder: its path.
      busy: what to say where another program is in it.
      patience_secs: how long to wait for that one to end.

    Raises:
      UserError: another program is in it.
    """
    if files.is_remote(folder):
        yield
        return
    descriptor, made = _acquire(folder, busy=busy, deadline=time.monotonic() + patience_secs)
    try:
        yield
    finally:
        # Before the lock is given up: after it, the folder may be another program's.
        if made:
            with contextlib.suppress(OSError):  # unless something is in it
                os.rmdir(folder)
        os.close(descriptor)


def _acquire(folder: str, *, busy: str, deadline: float) -> tuple[int, bool]:
    """Returns a descriptor that holds the folder's lock, and whether the folder is new."""
    while True:
        made = not os.path.isdir(folder)
        os.makedirs(folder, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # another program has just removed it
            continue
        if not _lock(descriptor, folder):
            os.close(descriptor)
            if time.monotonic() >= deadline:
                raise UserError(f"{folder}: {busy}")
            time.sleep(0.1)
        elif _is_open(descriptor, folder):
            return descriptor, made
        else:
            os.close(descriptor)


def _is_open(descriptor: int, folder: str) -> bool:
    """Tells whether a descriptor is of the folder, not of one that was removed and made anew."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(folder))
    except FileNotFoundError:
        return False


def _lock(descriptor: int, folder: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        terminal.warn(f"{folder}: cannot be locked; make sure that no other program writes there")
    return True
