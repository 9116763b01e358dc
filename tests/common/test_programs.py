import gc
import io
import os
import signal
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import flags
from helpers import ROOT

from common import programs
from common.errors import UserError


@pytest.mark.parametrize("text", [",", "a,,b", "a, ,b", "a,"])
def test_lists_with_an_empty_item_are_refused_by_their_flag(text):
    holder = flags.DEFINE_list("animals", [], "x", flag_values=flags.FlagValues())
    holder._flagvalues(["program", f"--animals={text}"])
    with pytest.raises(ValueError, match="--animals=.*nothing stands before, after or between"):
        programs.flag_items(holder)


def test_it_is_looked_for_while_a_program_works(monkeypatch):
    monkeypatch.setattr(programs.app, "run", lambda main, **options: main(["program"]))
    seen = []
    gc.disable()
    try:
        programs.run(lambda: seen.append(gc.isenabled()))
    finally:
        gc.enable()
        gc.unfreeze()
    assert seen == [True]


def test_letters_that_a_terminal_lacks_are_printed_as_their_codes(monkeypatch):
    monkeypatch.setattr(programs.app, "run", lambda main, **options: main(["program"]))
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="ascii"))
    try:
        programs.run(lambda: print("кот, cat", flush=True))
    finally:
        gc.unfreeze()
    assert buffer.getvalue() == b"\\u043a\\u043e\\u0442, cat\n"


def test_items_come_without_the_blanks_around_them():
    holder = flags.DEFINE_list("animals", [], "x", flag_values=flags.FlagValues())
    holder._flagvalues(["program", "--animals=sea turtle, cat ,dog"])
    assert programs.flag_items(holder) == ["sea turtle", "cat", "dog"]
    holder._flagvalues["animals"].unparse()
    holder._flagvalues.mark_as_parsed()
    assert programs.flag_items(holder) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_end_as_an_exception_does(kept_signals, number):
    signal.signal(number, signal.SIG_DFL)
    programs.clean_up_at_sigterm()
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(number)
    assert ended.value.code == 128 + number


def test_a_sighup_that_is_ignored_stays_so(kept_signals):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    programs.clean_up_at_sigterm()
    signal.raise_signal(signal.SIGHUP)


def test_a_program_whose_reader_is_gone_works_to_its_end(tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from common import errors, programs, startup, terminal\n"
        "def main():\n"
        "    for _ in range(10000): print('x' * 100)\n"
        "    open('done', 'w').close()\n"
        "    return 7\n"
        "programs.run(main)\n"
    )
    (tmp_path / "program.py").write_text(script)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (7, b"") and (tmp_path / "done").exists()


def test_a_home_folder_is_put_for_its_sign_in_every_text_flag(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    values = flags.FlagValues()
    for name, text in (("model_dir", "~/m"), ("data", "a~b,~/c*,~/d"), ("none", "x")):
        flags.DEFINE_string(name, None, "x", flag_values=values)
        flags.DEFINE_integer(f"{name}_number", 3, "x", flag_values=values)
        values[name].value = text
    values.mark_as_parsed()
    programs.expand_homes(values)
    assert (values.model_dir, values.data) == ("/home/ann/m", "a~b,/home/ann/c*,/home/ann/d")
    assert (values.none, values.none_number) == ("x", 3)


def test_a_flag_that_is_no_utf_8_is_refused_by_its_name():
    values = flags.FlagValues()
    flags.DEFINE_string("model_dir", None, "x", flag_values=values)
    flags.DEFINE_list("categories", [], "x", flag_values=values)
    values(["program", "--model_dir=кот", "--categories=кот,cat"])
    programs.check_texts(values)
    for name, given in (("model_dir", b"runs/\xff"), ("categories", b"cat,\xff")):
        before = values[name].value
        values[name].parse(os.fsdecode(given))
        with pytest.raises(UserError, match=rf"--{name}=.*.udcff.*: not UTF-8"):
            programs.check_texts(values)
        values[name].value = before


def test_flag_files_name_each_other_from_wherever_they_are_read(tmp_path, monkeypatch):
    recipes = tmp_path / "project/recipes"
    recipes.mkdir(parents=True)
    (recipes / "long.flags").write_text("# a comment\n--steps=12\n\n  --rate=0.5\n")
    (recipes / "uneven.flags").write_text("--flagfile=recipes/long.flags\n--steps=24\n")
    (recipes / "beside.flags").write_text("--flagfile=long.flags\n")
    expected = ["program", "--a", "--steps=12", "--rate=0.5", "--steps=24", "b", "--flagfile=x"]
    for here in (tmp_path, tmp_path / "project", recipes):
        monkeypatch.chdir(here)
        arguments = ["program", "--a", f"--flagfile={recipes}/uneven.flags", "b", "--"]
        expanded = programs._with_flag_files([*arguments, "--flagfile=x"])
        assert expanded == [*expected[:-1], "--", expected[-1]]
        arguments = ["program", "--flagfile", f"{recipes}/beside.flags"]
        assert programs._with_flag_files(arguments) == ["program", "--steps=12", "--rate=0.5"]
    (recipes / "round.flags").write_text("--flagfile=round.flags\n")
    with pytest.raises(UserError, match="round.flags: the file names itself"):
        programs._with_flag_files([f"--flagfile={recipes}/round.flags"])
    with pytest.raises(UserError, match="--flagfile=missing.flags: no such file"):
        programs._with_flag_files(["--flagfile=missing.flags"])


def test_a_flag_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "x.flags").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"x.flags: not a text in UTF-8"):
        programs._with_flag_files([f"--flagfile={tmp_path}/x.flags"])


@pytest.fixture
def ended(monkeypatch, capsys):
    """Runs a program whose `main` raises an error; returns its exit code and what it said."""

    def app_run(main, **options):
        sys.exit(main(["program.py"]))

    monkeypatch.setattr(programs.app, "run", app_run)
    monkeypatch.setattr(sys, "argv", ["/somewhere/program.py"])

    def run(error: Exception) -> tuple[object, str]:
        def main():
            raise error

        try:
            with pytest.raises(SystemExit) as end:
                programs.run(main)
        finally:
            gc.unfreeze()
        return end.value.code, capsys.readouterr().err

    return run


def of_tensorflow(kind: type[tf.errors.OpError], message: str) -> tf.errors.OpError:
    return kind(None, None, message)


@pytest.mark.parametrize(
    "error, said",
    [
        (UserError("--steps=0: expected 1 or more"), "--steps=0: expected 1 or more"),
        (PermissionError(13, "Permission denied", "runs/1"), "runs/1: Permission denied"),
        (of_tensorflow(tf.errors.NotFoundError, "x; No such file or directory"), "x; No such file"),
        (of_tensorflow(tf.errors.ResourceExhaustedError, "OOM when allocating"), "OOM when alloc"),
        # The code is another one for each operating system's error.
        (of_tensorflow(tf.errors.OutOfRangeError, "runs/1/x; File too large"), "runs/1/x; File to"),
        (of_tensorflow(tf.errors.UnknownError, "x; Input/output error"), "x; Input/output error"),
    ],
)
def test_what_is_no_bug_ends_as_one_line(ended, error, said):
    code, stderr = ended(error)
    assert code == 1
    assert stderr.startswith(f"program.py: error: {said}") and stderr.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a list is empty"),
        KeyError("ink"),
        of_tensorflow(tf.errors.InvalidArgumentError, "Incompatible shapes: [3] vs. [4]"),
        of_tensorflow(tf.errors.FailedPreconditionError, "a variable is uninitialized"),
    ],
)
def test_a_bug_ends_as_a_traceback_that_asks_to_be_reported(ended, error):
    code, stderr = ended(error)
    lines = stderr.splitlines()
    assert code == 1 and lines[0] == "Traceback (most recent call last):"
    assert type(error).__name__ in stderr and "raise error" in stderr
    assert lines[-1] == (
        "program.py: error: this is a bug in the program; please report it with the lines above"
    )
