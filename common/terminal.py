"""The terminal: progress, durations and warnings on it, and what it may lack."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

# Seconds between two lines of progress where no terminal shows a bar, and between two redrawings
# of the bar where one does.
LINE_SECONDS = 10.0
BAR_SECONDS = 0.1
BAR_WIDTH = 30


def warn(message: str) -> None:
    print(f"Warning: {message}", file=sys.stderr, flush=True)


class Progress:
    """A bar on a terminal, a line now and then elsewhere; both on standard error."""

    def __init__(self, label: str, total: int):
        self._label = label
        self._total = max(total, 1)
        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def update(self, done: int, text: str = "") -> None:
        """Shows that `done` of the total are done; the last one is always shown."""
        now = time.monotonic()
        if now < self._next and done < self._total:
            return
        share = done / self._total
        if self._terminal:
            self._next = now + BAR_SECONDS
            bar = "#" * int(share * BAR_WIDTH)
            print(
                f"\r\033[K{self._label} [{bar:<{BAR_WIDTH}}] {share:4.0%}  {text}",
                end="",
                file=sys.stderr,
                flush=True,
            )
            if done >= self._total:
                print(file=sys.stderr)
        else:
            self._next = now + LINE_SECONDS
            print(f"{self._label}: {share:.0%}  {text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


class _LastingOutput:
    """A text stream whose reader may go away: what is written then is dropped.

    `program | tee log` loses `tee` at Ctrl-C, a closed terminal takes the output of what runs on,
    and a disk that holds a log fills up. None of this may end the work that reports there. A
    message that a signal handler writes into another one is dropped too. What a program is for
    goes through `buffer`, which raises as ever.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._drop_all()
        except RuntimeError:  # "reentrant call": a signal came while a message was written
            pass
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._drop_all()
        except (RuntimeError, ValueError):  # the latter where the stream is closed
            pass

    def _drop_all(self) -> None:
        """Sends what is written from now on, and what waits to be, nowhere."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def lasting_outputs() -> Iterator[None]:
    """Lets a program's messages fail silently: see `_LastingOutput`."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and _LastingOutput(stream) for stream in streams)
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()  # at the interpreter's exit it would raise
        sys.stdout, sys.stderr = streams


def print_codes_of_missing_letters() -> None:
    """Has letters that the terminal's encoding does not know printed as `\\u043a`, rather than end
    the program by an error, after all its work."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a `_LastingOutput` has it of its stream
            stream.reconfigure(errors="backslashreplace")
