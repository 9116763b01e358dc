import gc
import importlib.util
import io
import os
import runpy
import signal
import subprocess
import sys

from common import console

import pytest
import tensorflow as tf
from absl import flags
from helpers import ROOT


def test_the_reason_of_an_error_comes_without_tensorflows_graph():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        fed = tf.compat.v1.placeholder(tf.float32)
        checked = tf.debugging.check_numerics(fed, "ink holds NaN") + 1
        with pytest.raises(tf.errors.InvalidArgumentError) as failed:
            session.run(checked, {fed: [float("nan")]})
    said = console.reason(failed.value)
    assert said.startswith("ink holds NaN") and "\n" not in said and "[[" not in said
    assert console.reason(ValueError("plain\n  text")) == "plain\n  text"


@pytest.mark.parametrize("text", [",", "a,,b", "a, ,b", "a,"])
def test_lists_with_an_empty_item_are_refused_by_their_flag(text):
    holder = flags.DEFINE_list("animals", [], "x", flag_values=flags.FlagValues())
    holder._flagvalues(["program", f"--animals={text}"])
    with pytest.raises(ValueError, match="--animals=.*nothing stands before, after or between"):
        console.flag_items(holder)


@pytest.mark.parametrize(
    ("script", "expected"), [("train_model.py", False), ("somewhere/notebook.py", True)]
)
def test_no_program_looks_for_garbage_while_it_imports(monkeypatch, script, expected):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "argv", [str(ROOT / script)])
    source = importlib.util.spec_from_file_location("imported_again", console.__file__)
    try:
        source.loader.exec_module(importlib.util.module_from_spec(source))
        assert gc.isenabled() == expected
    finally:
        gc.enable()


def test_it_is_looked_for_while_a_program_works(monkeypatch):
    monkeypatch.setattr(console.app, "run", lambda main, **options: main(["program"]))
    seen = []
    gc.disable()
    try:
        console.run(lambda: seen.append(gc.isenabled()))
    finally:
        gc.enable()
        gc.unfreeze()
    assert seen == [True]


def test_letters_that_a_terminal_lacks_are_printed_as_their_codes(monkeypatch):
    monkeypatch.setattr(console.app, "run", lambda main, **options: main(["program"]))
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="ascii"))
    try:
        console.run(lambda: print("кот, cat", flush=True))
    finally:
        gc.unfreeze()
    assert buffer.getvalue() == b"\\u043a\\u043e\\u0442, cat\n"


@pytest.mark.parametrize(
    ("cores", "own", "expected"), [(8, None, "4"), (1, None, "1"), (8, "3", "3")]
)
def test_an_operation_takes_half_of_the_cores_unless_told_otherwise(
    monkeypatch, cores, own, expected
):
    name = "TF_NUM_INTRAOP_THREADS"
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    # First set, so that whatever the module sets is taken back after the test.
    monkeypatch.setenv(name, own or "")
    if own is None:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # which the module sets too
    runpy.run_path(console.__file__)
    assert os.environ[name] == expected


def test_items_come_without_the_blanks_around_them():
    holder = flags.DEFINE_list("animals", [], "x", flag_values=flags.FlagValues())
    holder._flagvalues(["program", "--animals=sea turtle, cat ,dog"])
    assert console.flag_items(holder) == ["sea turtle", "cat", "dog"]
    holder._flagvalues["animals"].unparse()
    holder._flagvalues.mark_as_parsed()
    assert console.flag_items(holder) == []


@pytest.mark.parametrize(
    "text, integers",
    [
        ("48,64,96", (48, 64, 96)),
        ("[48, 64, 96]", (48, 64, 96)),
        ("(48,)", (48,)),
        ("[]", ()),
        ("48,,64", None),
        ("48,64,,", None),
        ("48,x", None),
        ("4.5", None),
    ],
)
def test_integers_are_read_as_the_tutorial_writes_them(text, integers):
    parser = console._IntegersParser()
    if integers is None:
        with pytest.raises(ValueError, match="expected integers such as 48,64,96"):
            parser.parse(text)
    else:
        assert parser.parse(text) == integers


def test_ctrl_c_before_a_program_has_begun_is_no_traceback(capsys):
    assert sys.excepthook is not sys.__excepthook__
    console._on_uncaught(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "\nInterrupted.\n"
    console._on_uncaught(TypeError, TypeError("a bug"), None)
    assert "TypeError: a bug" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_end_as_an_exception_does(kept_signals, number):
    signal.signal(number, signal.SIG_DFL)
    console.clean_up_at_sigterm()
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(number)
    assert ended.value.code == 128 + number


def test_a_sighup_that_is_ignored_stays_so(kept_signals):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    console.clean_up_at_sigterm()
    signal.raise_signal(signal.SIGHUP)


def test_durations_are_for_people():
    texts = [console.duration(s) for s in (45.4, 12 * 60, 3 * 3600 + 20 * 60, 52 * 3600)]
    assert texts == ["45 s", "12 min", "3 h 20 min", "2 d 4 h"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(monkeypatch):
    said = {}
    for kind in (Terminal, io.StringIO):
        monkeypatch.setattr(sys, "stderr", kind())
        progress = console.Progress("Working", 4)
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
    with console.lasting_outputs():
        print("a line", flush=True)
        console.warn("another")
        console.Progress("Working", 4).update(4)
        with pytest.raises(type(error)):
            sys.stdout.buffer.write(b"what a program is for")
    assert (sys.stdout, sys.stderr) == streams


def test_a_program_whose_reader_is_gone_works_to_its_end(tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from common import console\n"
        "def main():\n"
        "    for _ in range(10000): print('x' * 100)\n"
        "    open('done', 'w').close()\n"
        "    return 7\n"
        "console.run(main)\n"
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
    console.expand_homes(values)
    assert (values.model_dir, values.data) == ("/home/ann/m", "a~b,/home/ann/c*,/home/ann/d")
    assert (values.none, values.none_number) == ("x", 3)


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
        expanded = console._with_flag_files([*arguments, "--flagfile=x"])
        assert expanded == [*expected[:-1], "--", expected[-1]]
        arguments = ["program", "--flagfile", f"{recipes}/beside.flags"]
        assert console._with_flag_files(arguments) == ["program", "--steps=12", "--rate=0.5"]
    (recipes / "round.flags").write_text("--flagfile=round.flags\n")
    with pytest.raises(OSError, match="round.flags: the file names itself"):
        console._with_flag_files([f"--flagfile={recipes}/round.flags"])
    with pytest.raises(OSError, match="--flagfile=missing.flags: no such file"):
        console._with_flag_files(["--flagfile=missing.flags"])
