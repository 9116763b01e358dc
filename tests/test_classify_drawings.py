import json
import queue
import threading

import numpy as np
import pytest
from helpers import run_program, start_program

from drawings import ndjson
from serving import classifier


@pytest.fixture(scope="module")
def model(trained):
    return classifier.Classifier(str(trained.model_dir))


def test_guesses_do_not_depend_on_what_is_classified_together(trained, model):
    drawings = [
        classifier.prepare(ndjson.parse_document(line)["drawing"]) for line in trained.lines
    ]
    together = model.classify_points(drawings)
    assert len(together) == 48
    for line, guesses in list(zip(trained.lines, together))[::7]:
        alone = model.classify(json.loads(line)["drawing"])
        assert [guess.word for guess in alone] == [guess.word for guess in guesses]
        assert [g.probability for g in alone] == pytest.approx(
            [g.probability for g in guesses], abs=1e-5
        )
        probabilities = [guess.probability for guess in guesses]
        assert probabilities == sorted(probabilities, reverse=True) and len(guesses) == 5


def test_simplified_drawings_stay_as_they_are_and_others_are_simplified():
    simplified = [[[0, 100, 255], [0, 1, 0]]]  # a bend that simplifying would take away
    np.testing.assert_array_equal(
        classifier.prepare(simplified), [[0, 0, 0], [100, 1, 0], [255, 0, 1]]
    )
    straight = [[0, 0, 0], [255, 0, 1]]
    raw = [[[0.0, 100.0, 255.0], [0.0, 1.0, 0.0], [0, 10, 20]]]
    live = [[[0, 200, 510], [10, 12, 10]]]
    shifted = [[[-1, 99, 254], [0, 1, 0]]]
    for strokes in (raw, live, shifted):
        np.testing.assert_array_equal(classifier.prepare(strokes), straight)


@pytest.mark.parametrize(
    "strokes, message",
    [
        ([], "no strokes"),
        ([[[1], [1]]], "a single point"),
        ([[[1, 2], [1]]], "different length"),
        ([[[1, "2"], [1, 2]]], "not a number"),
        ([[[1, float("nan")], [1, 2]]], "beyond float32"),
        ("cat", "not a list"),
    ],
)
def test_what_is_no_drawing_is_refused(model, strokes, message):
    with pytest.raises(ValueError, match=message):
        model.classify(strokes)


def test_a_folder_without_an_export_says_what_was_looked_for(trained, tmp_path):
    with pytest.raises(ValueError, match=r"no exported model there, neither .*saved_model.pb, nor"):
        classifier.Classifier(str(tmp_path))
    (tmp_path / "checkpoint").touch()
    with pytest.raises(ValueError, match="there are checkpoints: train_model.py"):
        classifier.Classifier(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not an export of train_model.py, or a damaged one"):
        classifier.Classifier(str(tmp_path))


def test_a_line_a_drawing_in_order_and_bad_ones_are_named(trained, model, tmp_path):
    lines = [
        trained.lines[0],
        b"nonsense",
        b"",
        b'{"key_id": "7", "drawing": [[[1], [1]]]}',
        b'{"key_id": "8", "drawing": [[[0, 5.5, 9], [0, 3, 9]]]}',
    ]
    first = tmp_path / "first.ndjson"
    first.write_bytes(b"\n".join(lines) + b"\n")
    done = run_program(
        "classify_drawings.py", f"--model={trained.export}", first, "-",
        input=trained.lines[1].decode(),
    )  # fmt: skip
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
        "classify_drawings.py", f"--model={trained.model_dir}", "--format=text", "-",
        stdin_pipe=True,
    )  # fmt: skip
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
