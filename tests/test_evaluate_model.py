import csv
import json

import numpy as np
import pytest
from helpers import run_program

from records import class_list


def test_numbers_are_those_of_classify_drawings_output(trained, tmp_path):
    done = run_program(
        "evaluate_model.py",
        f"--model_dir={trained.model_dir}",
        f"--eval_data={trained.eval_data}",
        f"--output_path={tmp_path}/report",
        "--accept_threshold=0.3",
    )
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/report/report.html" in done.stdout and done.stderr == ""
    report = json.loads((tmp_path / "report/report.json").read_text())
    drawings = tmp_path / "drawings.ndjson"
    drawings.write_bytes(b"\n".join(trained.lines))
    done = run_program("classify_drawings.py", f"--model={trained.model_dir}", drawings)
    words = [json.loads(line)["word"] for line in trained.lines]
    answers = [json.loads(line)["guesses"] for line in done.stdout.splitlines()]
    ranks, of_word = [], {}
    accepted = falsely = 0
    for word, guesses in zip(words, answers):
        guessed = [guess["word"] for guess in guesses]
        ranks.append(guessed.index(word) if word in guessed else 5)
        of_word.setdefault(word, []).append(ranks[-1] == 0)
        accepted += any(g["word"] == word and g["probability"] > 0.3 for g in guesses)
        falsely += any(g["word"] != word and g["probability"] > 0.3 for g in guesses)
    metrics = report["metrics"]
    assert 0 < metrics["accuracy"] < 1 and len(ranks) == 48
    assert metrics["drawings"] == 48
    for top, name in ((1, "accuracy"), (3, "top_3_accuracy"), (5, "top_5_accuracy")):
        assert metrics[name] == pytest.approx(sum(rank < top for rank in ranks) / 48)
    expected = sum(1 / (rank + 1) for rank in ranks if rank < 3) / 48
    assert metrics["map_3"] == pytest.approx(expected)
    assert metrics["mean_class_accuracy"] == pytest.approx(
        np.mean([np.mean(right) for right in of_word.values()])
    )
    assert metrics["accepted"] == pytest.approx(accepted / 48)
    assert metrics["falsely_accepted"] == pytest.approx(falsely / 48)

    with open(tmp_path / "report/classes.csv", newline="") as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert {word: (int(row["count"]), float(row["accuracy"])) for word, row in rows.items()} == {
        word: (8, pytest.approx(np.mean(right), abs=1e-6)) for word, right in of_word.items()
    }
    for word, row in rows.items():
        wrong = [g[0]["word"] for w, g in zip(words, answers) if w == word != g[0]["word"]]
        most = max(map(wrong.count, wrong), default=0)
        assert int(row["count_1"] or 0) == most
        assert not wrong or wrong.count(row["taken_for_1"]) == most


def test_records_of_another_class_list_are_refused_with_the_difference(trained, tmp_path):
    records = tmp_path / "eval.tfrecord-00000-of-00001"
    records.touch()
    class_list.write_classes(
        str(tmp_path / "eval.tfrecord.classes"), ["ant", "bee", "cow", "dog", "elk", "кот"]
    )
    for path in (trained.model_dir, trained.export):
        done = run_program("evaluate_model.py", f"--model_dir={path}", f"--eval_data={records}")
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "it also had 'cat'; it did not have 'cow'" in done.stderr
