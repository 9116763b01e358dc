import json
import queue
import threading

import pytest
from helpers import run_new_process, run_program, start_program

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
    ],
)
def test_program_refuses_without_a_traceback(trained, arguments, message):
    done = run_program(
        "classify_drawings.py", *(a.format(model=trained.model_dir) for a in arguments)
    )
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
