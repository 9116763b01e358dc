"""What the command-line programs share: how they run and end, exit codes, flags."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

from absl import app, flags
from absl import logging as absl_logging
from absl.logging import converter

from common import terminal
from common.errors import UserError, is_outside, reason

# Of the project; CHANGELOG.md says what is in it.
VERSION = "0.4.0"

EXIT_ERROR = 1
EXIT_RETRY = 138  # what a TFJob's ExitCode policy takes for an error that another start may cure
EXIT_INTERRUPTED = 130  # as shells report SIGINT


def run(
    main: Callable[..., int | None],
    *,
    operands: bool = False,
) -> None:
    """Runs a program's `main` on parsed flags.

    What the user did wrong, and what the machine refuses, ends as one line; with `--verbosity=1`
    the traceback is printed too. Any other exception is a bug: it ends as a traceback and a line
    that says so.

    Args:
      main: returns the exit code, None for 0.
      operands: whether arguments that are no flags make sense; `main` gets the list of them then.
    """

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
        terminal.print_codes_of_missing_letters()
        gc.freeze()  # what is imported stays, and need not be looked through again
        gc.enable()
        try:
            return main(argv[1:]) if operands else main()
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return EXIT_INTERRUPTED
        except Exception as error:
            if not (isinstance(error, UserError) or is_outside(error)):
                raise
            if absl_logging.level_debug():
                traceback.print_exc()
            return fail(reason(error))

    with terminal.lasting_outputs():
        try:
            app.run(checked, flags_parser=_parse_flags)
        except Exception:
            traceback.print_exc()
            sys.exit(fail("this is a bug in the program; please report it with the lines above"))


def clean_up_at_sigterm() -> None:
    """Makes SIGTERM, and SIGHUP unless it is ignored, end the program as an exception does, so that
    temporary folders go with it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: sys.exit(128 + number))


def flag_items(holder: flags.FlagHolder[list[str]]) -> list[str]:
    """Returns the items of a list flag, without the blanks around them; none where it is not given.

    Raises:
      UserError: it is given, and one of its items is empty.
    """
    items = [item.strip() for item in holder.value]
    if "" in items:
        raise UserError(
            f"--{holder.name}={','.join(holder.value)}: nothing stands before, after or between "
            "the commas"
        )
    return items


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
        check_texts(flags.FLAGS)
    except (flags.Error, OSError, UserError) as error:
        # As absl says that a required flag is missing.
        message = re.sub(r"flag (\S+)=None: .*", r"\1 is required", str(error))
        sys.exit(fail(f"{message}\n{os.path.basename(argv[0])} --help lists the flags"))
    expand_homes(flags.FLAGS)
    return arguments


def check_texts(values: flags.FlagValues) -> None:
    """Refuses what is no UTF-8: neither TensorFlow's files nor reports can be named by it.

    Raises:
      UserError: the value of a flag is none.
    """
    for name in values:
        value = values[name].value
        try:
            "".join(map(str, value if isinstance(value, list) else [value])).encode()
        except UnicodeEncodeError:
            raise UserError(f"--{name}={value!r}: not UTF-8; rename it") from None


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
      UserError: there is no such file, or it is named in itself, or it is no text.
      OSError: it cannot be read.
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
            raise UserError(f"--flagfile={path}: the file names itself")
        if not os.path.isfile(path):
            raise UserError(f"--flagfile={path}: no such file")
        try:
            with open(path, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
        except UnicodeDecodeError as error:
            raise UserError(f"--flagfile={path}: not a text in UTF-8 ({error})") from None
        lines = [line for line in lines if line and not line.startswith(("#", "//"))]
        expanded += _with_flag_files(lines, files=(*files, path))
    return expanded


def fail(message: str) -> int:
    """Prints an error and returns the exit code for it."""
    print(f"{os.path.basename(sys.argv[0])}: error: {message}", file=sys.stderr, flush=True)
    return EXIT_ERROR
