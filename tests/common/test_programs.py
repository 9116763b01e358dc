import gc
import io
import os
import signal
import subprocess
import sys

import pytest
from absl import flags
from helpers import ROOT

from common import programs


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
    parser = programs._IntegersParser()
    if integers is None:
        with pytest.raises(ValueError, match="expected integers such as 48,64,96"):
            parser.parse(text)
    else:
        assert parser.parse(text) == integers


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
    with pytest.raises(OSError, match="round.flags: the file names itself"):
        programs._with_flag_files([f"--flagfile={recipes}/round.flags"])
    with pytest.raises(OSError, match="--flagfile=missing.flags: no such file"):
        programs._with_flag_files(["--flagfile=missing.flags"])
