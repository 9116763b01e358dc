"""What the command-line programs share on the terminal: quiet, progress and errors for people.

Import it before TensorFlow: its C++ side reads once, at its first message, how much to say, and
later how many threads an operation may take and how to choose convolutions. Its Python side makes
hundreds of thousands of objects when it is imported, and hardly any garbage.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from absl import app, flags
from absl import logging as absl_logging
from absl.logging import converter

# Flags that are defined by functions of this module belong to the programs that call them.
flags.disclaim_key_flags()

# absl spells its flag --verbosity, -v, or with one dash or two; its value is read later.
_WANTS_TO_HEAR = any(arg.lstrip("-").split("=")[0] in ("v", "verbosity") for arg in sys.argv[1:])
if not _WANTS_TO_HEAR:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# An operation takes half of the cores: both directions of a layer are computed side by side, and
# would wait for each other's parts. On two cores a training step takes up to a quarter less so.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))

# On a GPU TensorFlow would try all of cuDNN's convolutions for each new shape, and nearly every
# batch has a length of its own: the first steps take 1.6 times as long so.
os.environ.setdefault("TF_CUDNN_USE_AUTOTUNE", "0")

# Looking for garbage takes a fifth of the time of TensorFlow's import. In a program of the project
# `run` begins with it; whoever imports this elsewhere is left alone.
_PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if os.path.dirname(os.path.abspath(sys.argv[0])) == _PROJECT:
    gc.disable()

# Seconds between two lines of progress where no terminal shows a bar, and between two redrawings
# of the bar where one does.
LINE_SECONDS = 10.0
BAR_SECONDS = 0.1
BAR_WIDTH = 30

# Of the project; CHANGELOG.md says what is in it.
VERSION = "0.4.0"

EXIT_ERROR = 1
EXIT_RETRY = 138  # what a TFJob's ExitCode policy takes for an error that another start may cure
EXIT_INTERRUPTED = 130  # as shells report SIGINT


def _on_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):  # while a program still imports what it needs
        print("\nInterrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _on_uncaught


def run(
    main: Callable[..., int | None],
    *,
    errors: tuple[type[Exception], ...] = (),
    operands: bool = False,
) -> None:
    """Runs a program's `main` on parsed flags; what the user did wrong ends as one line.

    Args:
      main: returns the exit code, None for 0.
      errors: exceptions to report without a traceback, besides ValueError and OSError. With
        `--verbosity=1` the traceback is printed too.
      operands: whether arguments that are no flags make sense; `main` gets the list of them then.
    """

    expected: tuple[type[Exception], ...] = (ValueError, OSError, *errors)

    def checked(argv: Sequence[str]) -> int | None:
        if len(argv) > 1 and not operands:
            return fail(
                f"unexpected argument {argv[1]!r}; flags are given as --name=value, and an "
                "unquoted pattern may have been expanded by the shell"
            )
        # TensorFlow's Python side; it would print each message a second time through absl.
        logger = logging.getLogger("tensorflow")
        logger.setLevel(converter.absl_to_standard(_tensorflow_verbosity()))
        logger.propagate = False
        _print_whatever_the_terminal_lacks()
        gc.freeze()  # what is imported stays, and need not be looked through again
        gc.enable()
        try:
            return main(argv[1:]) if operands else main()
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return EXIT_INTERRUPTED
        except expected as error:
            if absl_logging.level_debug():
                traceback.print_exc()
            return fail(reason(error))

    with lasting_outputs():
        app.run(checked, flags_parser=_parse_flags)


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


def _print_whatever_the_terminal_lacks() -> None:
    """Has letters that the terminal's encoding does not know printed as `\\u043a`, rather than end
    the program by an error, after all its work."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a `_LastingOutput` has it of its stream
            stream.reconfigure(errors="backslashreplace")


def clean_up_at_sigterm() -> None:
    """Makes SIGTERM, and SIGHUP unless it is ignored, end the program as an exception does, so that
    temporary folders go with it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: sys.exit(128 + number))


def reason(error: BaseException) -> str:
    """Returns what an error says, without what TensorFlow tells of its graph around it."""
    message = getattr(error, "message", None) or str(error)
    # "Graph execution error: Detected at node ... Node: 'x'", then the reason of each failure.
    message = re.split(r"\nNode: '[^']*'\n", message)[-1]
    message = re.sub(r"^\d+ root error\(s\) found\.\n\s*\(0\) ([A-Z_]+: )?", "", message.strip())
    return re.split(r"\n\s*\[\[|\n\nOriginal stack trace|\n\s*\(1\) ", message)[0].strip()


def flag_items(holder: flags.FlagHolder[list[str]]) -> list[str]:
    """Returns the items of a list flag, without the blanks around them; none where it is not given.

    Raises:
      ValueError: it is given, and one of its items is empty.
    """
    items = [item.strip() for item in holder.value]
    if "" in items:
        raise ValueError(
            f"--{holder.name}={','.join(holder.value)}: nothing stands before, after or between "
            "the commas"
        )
    return items


class _IntegersParser(flags.ArgumentParser):
    """`[48, 64, 96]`, as the tutorial writes it, or `48,64,96`."""

    syntactic_help = "integers, separated by commas"

    def parse(self, argument: str | Sequence[int]) -> tuple[int, ...]:
        if not isinstance(argument, str):
            return tuple(argument)
        items = argument.strip().strip("[]()").removesuffix(",")
        try:
            return tuple(int(item) for item in items.split(",")) if items.strip() else ()
        except ValueError:
            raise ValueError(f"expected integers such as 48,64,96, not {argument!r}") from None


def define_integers(name: str, default: tuple[int, ...], help_text: str) -> flags.FlagHolder:
    """Defines a flag of several integers."""
    # Serialized as it is parsed, so that --flagfile files can be written from a run.
    serializer = flags.ListSerializer(",")
    return flags.DEFINE(_IntegersParser(), name, default, help_text, serializer=serializer)


def _tensorflow_verbosity() -> int:
    """Returns what --verbosity says where it is given; absl's own default would let all through."""
    given = flags.FLAGS["verbosity"].present
    return absl_logging.get_verbosity() if given else absl_logging.ERROR


def _parse_flags(argv: Sequence[str]) -> list[str]:
    if "--version" in argv[1:]:
        print(VERSION)
        sys.exit()
    try:
        arguments = flags.FLAGS(_with_flag_files(argv))
    except (flags.Error, OSError) as error:
        # As absl says that a required flag is missing.
        message = re.sub(r"flag (\S+)=None: .*", r"\1 is required", str(error))
        sys.exit(fail(f"{message}\n{os.path.basename(argv[0])} --help lists the flags"))
    expand_homes(flags.FLAGS)
    return arguments


def expand_homes(values: flags.FlagValues) -> None:
    """Puts the home folder for a `~` that begins a text flag's value, or an item of it.

    The shell does so only where a word begins: it leaves `--model_dir=~/runs` as it is. No flag of
    these programs but a path begins with `~`.
    """
    for name in values:
        value = values[name].value
        if isinstance(value, str) and "~" in value:
            values[name].value = ",".join(map(os.path.expanduser, value.split(",")))


def _with_flag_files(arguments: Sequence[str], *, files: tuple[str, ...] = ()) -> list[str]:
    """Puts the lines of flag files in the place of `--flagfile`, as absl does.

    A file that another one names is looked for from here, then from that one's folder, then from
    the folder above it: recipes name each other as from the project's folder.

    Args:
      arguments: of the program, or the lines of a flag file.
      files: the flag files that are being read, each named in the one before.

    Raises:
      OSError: a file cannot be read, or is named in itself.
    """
    expanded: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*expanded, argument, *rest]
        name, _, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or name != "flagfile":
            expanded.append(argument)
            continue
        path = os.path.expanduser(value.strip("\"'") if "=" in argument else next(rest, ""))
        if files and not os.path.exists(path):
            folder = os.path.dirname(os.path.abspath(files[-1]))
            beside = (os.path.join(above, path) for above in (folder, os.path.dirname(folder)))
            path = next(filter(os.path.exists, beside), path)
        if path in files:
            raise OSError(f"--flagfile={path}: the file names itself")
        if not os.path.isfile(path):
            raise OSError(f"--flagfile={path}: no such file")
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
        lines = [line for line in lines if line and not line.startswith(("#", "//"))]
        expanded += _with_flag_files(lines, files=(*files, path))
    return expanded


def fail(message: str) -> int:
    """Prints an error and returns the exit code for it."""
    print(f"{os.path.basename(sys.argv[0])}: error: {message}", file=sys.stderr, flush=True)
    return EXIT_ERROR


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
