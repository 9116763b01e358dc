import gzip
import json
import os
import queue
import signal
import subprocess
import sys
import threading

import pytest
from helpers import ROOT, run_new_process, run_program, start_program

from serving import classifier


def test_a_line_a_drawing_in_order_and_bad_ones_are_named(trained, tmp_path):
    model = classifier.Classifier(str(trained.model_dir))
    lines = [
        trained.lines[0],
        b"nonsense",
        b"",
        b'{"key_id": "7", "drawing": [[[1], [1]]]}',
        b'{"key_id": "8", "drawing": [[[0, 5.5, 9], [0, 3, 9]]]}',
    ]
    first = tmp_path / "first.ndjson"
    first.write_bytes(b"\n".join(lines) + b"\n")
    done = run_new_process(
        "classify_drawings.py",
        f"--model={trained.export}",
        first,
        "-",
        input=trained.lines[1].decode(),
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["key_id"] for answer in answers] == [None, None, "7", "8", None]
    assert answers[1]["error"] == "malformed JSON" and answers[2]["error"] == "a single point"
    for answer, line in ((answers[0], lines[0]), (answers[-1], trained.lines[1])):
        expected = model.classify(json.loads(line)["drawing"])
        assert [guess["word"] for guess in answer["guesses"]] == [g.word for g in expected]
        assert [guess["probability"] for guess in answer["guesses"]] == pytest.approx(
            [g.probability for g in expected], abs=1e-5
        )
    assert "2 of 5 drawings could not be used" in done.stderr


def test_text_is_for_people_and_answers_come_at_once(trained):
    process = start_program(
        "classify_drawings.py",
        f"--model={trained.model_dir}",
        "--format=text",
        "-",
        stdin_pipe=True,
    )
    answers = queue.Queue()
    reader = threading.Thread(target=lambda: [*map(answers.put, process.stdout)], daemon=True)
    reader.start()
    for number in range(2):
        line = json.dumps({"key_id": f"no{number}", **json.loads(trained.lines[number])})
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answer = answers.get(timeout=60)  # while the input is still open
        assert answer.startswith(f"no{number}  ") and answer.count("%") == 5
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    reader.join()
    process.stdout.close()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model={model}"], "no file given; - is standard input"),
        (["--model={model}", "nowhere.ndjson"], "nowhere.ndjson: no such file"),
        (["--model=nowhere", __file__], "nowhere: no exported model there"),
        (["--model={model}", __file__], "could not be used"),
        (["--model={model}", "/"], "/: is a folder; give the files in it"),
        (["--model={model}", "/dev/null"], "/dev/null: no drawing in it"),
    ],
)
def test_program_refuses_without_a_traceback(trained, arguments, message):
    done = run_program(
        "classify_drawings.py", *(a.format(model=trained.model_dir) for a in arguments)
    )
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr


def test_compressed_files_arrays_and_pipes_are_read(trained, tmp_path):
    line = json.loads(trained.lines[0])
    compressed = tmp_path / "a.ndjson.gz"
    compressed.write_bytes(gzip.compress(trained.lines[0] + b"\n"))
    array = tmp_path / "array.json"
    array.write_text(json.dumps([{"drawing": json.dumps(line["drawing"])}, line], indent=1))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[trained.lines[0]])
    writer.start()
    done = run_program("classify_drawings.py", f"--model={trained.export}", compressed, array, pipe)
    writer.join()
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    assert "guesses" in first and others == [first] * 3


def test_one_hint_a_file_says_what_it_holds(trained, tmp_path):
    good, other = trained.lines[0], b'{"drawing": [{"x": 1, "y": 2}]}'
    (tmp_path / "a.ndjson").write_bytes(b"\n".join([good, other, other]))
    (tmp_path / "b.ndjson").write_bytes(b"<html>\n")
    done = run_program(
        "classify_drawings.py", f"--model={trained.export}", "a.ndjson", "b.ndjson", cwd=tmp_path
    )
    assert done.returncode == 0
    assert done.stderr.count("a.ndjson, line 2: a stroke is not [xs, ys] or") == 1
    assert "(the drawing is a list of objects with 'x', 'y')" in done.stderr
    assert "b.ndjson, line 1: malformed JSON (it begins '<html>')" in done.stderr
    assert "3 of 4 drawings could not be used" in done.stderr


def test_a_key_that_breaks_lines_stays_on_one(trained, tmp_path):
    line = {**json.loads(trained.lines[0]), "key_id": "a\nb\x1b[2J"}
    (tmp_path / "a.ndjson").write_text(json.dumps(line) + "\n" + json.dumps({**line, "key_id": 0}))
    arguments = [f"--model={trained.export}", "--format=text", str(tmp_path / "a.ndjson")]
    lines = run_program("classify_drawings.py", *arguments).stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["a b [2J", "0"]


def waiting_for_input(trained) -> subprocess.Popen:
    """The program, which has answered a first line of its standard input."""
    process = start_program(
        "classify_drawings.py", f"--model={trained.export}", "-", stdin_pipe=True
    )
    process.stdin.write(trained.lines[0].decode() + "\n")
    process.stdin.flush()
    assert "guesses" in process.stdout.readline()
    return process


def test_ctrl_c_while_it_waits_for_input_is_an_orderly_end(trained):
    with waiting_for_input(trained) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "\nInterrupted.\n"
        assert process.wait(timeout=60) == 130


def test_where_the_reader_has_gone_it_ends_without_a_word(trained):
    with subprocess.Popen(
        [sys.executable, ROOT / "classify_drawings.py", f"--model={trained.export}", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(trained.lines[0] + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(trained.lines[0] + b"\n")
        process.stdin.flush()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "redirections, code, message",
    [
        ("<&-", 1, "error: standard input is closed"),
        (">&-", 1, "error: standard output is closed"),
        ("- < drawings", 0, ""),
        ("< empty", 1, "error: -: no drawing in it"),
    ],
)
def test_standard_input_twice_closed_or_empty(trained, tmp_path, redirections, code, message):
    (tmp_path / "drawings").write_bytes(trained.lines[0])
    (tmp_path / "empty").touch()
    program = f"{sys.executable} {ROOT}/classify_drawings.py --model={trained.export} -"
    done = subprocess.run(
        f"{program} {redirections}", shell=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == code and done.stderr.count("\n") == bool(message)
    assert message in done.stderr
