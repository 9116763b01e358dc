import io
import sys

import pytest

from common import terminal


def test_durations_are_for_people():
    texts = [terminal.duration(s) for s in (45.4, 12 * 60, 3 * 3600 + 20 * 60, 52 * 3600)]
    assert texts == ["45 s", "12 min", "3 h 20 min", "2 d 4 h"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(monkeypatch):
    said = {}
    for kind in (Terminal, io.StringIO):
        monkeypatch.setattr(sys, "stderr", kind())
        progress = terminal.Progress("Working", 4)
        progress.update(2, "half")
        progress.update(4, "all")
        said[kind] = sys.stderr.getvalue()
    assert said[io.StringIO] == "Working: 50%  half\nWorking: 100%  all\n"
    half = f"\r\033[KWorking [{'#' * 15}{' ' * 15}]  50%  half"
    assert said[Terminal] == f"{half}\r\033[KWorking [{'#' * 30}] 100%  all\n"


class Unwritable(io.RawIOBase):
    """A file that fails as a pipe without a reader does, or in another way."""

    def __init__(self, error: Exception):
        self._error = error

    def writable(self):
        return True

    def write(self, data):
        raise self._error


@pytest.mark.parametrize(
    "error", [BrokenPipeError("gone"), OSError("No space left"), RuntimeError("reentrant call")]
)
def test_messages_that_cannot_be_written_are_dropped(monkeypatch, error):
    streams = io.TextIOWrapper(Unwritable(error)), io.TextIOWrapper(Unwritable(error))
    for name, stream in zip(("stdout", "stderr"), streams):
        monkeypatch.setattr(sys, name, stream)
    with terminal.lasting_outputs():
        print("a line", flush=True)
        terminal.warn("another")
        terminal.Progress("Working", 4).update(4)
        with pytest.raises(type(error)):
            sys.stdout.buffer.write(b"what a program is for")
    assert (sys.stdout, sys.stderr) == streams
