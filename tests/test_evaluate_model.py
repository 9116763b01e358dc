import csv
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from helpers import run_program

import evaluate_model
import input_pipeline
from training import model_dirs


def evaluate(trained, **changes):
    params, _, checkpoint = model_dirs.find_model(str(trained.model_dir))
    files = input_pipeline.match_files(trained.eval_data)
    arguments = {"params": params, "checkpoint": checkpoint, "batch_size": 64, **changes}
    return evaluate_model.evaluate(files, **arguments)


def test_numbers_are_those_of_classify_drawings_output(trained, tmp_path):
    done = run_program(
        "evaluate_model.py", f"--model_dir={trained.model_dir}",
        f"--eval_data={trained.eval_data}", f"--output_path={tmp_path}/report",
        "--accept_threshold=0.3",
    )  # fmt: skip
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


def test_any_batch_size_gives_the_same_numbers(trained):
    results = [evaluate(trained, batch_size=size) for size in (1, 7, 64)]
    for metrics, seen, prefixes in results[1:]:
        for name, value in results[0][0].items():
            if name != "padding_share":
                assert metrics[name] == pytest.approx(value, rel=1e-5), name
        assert (seen.confusion(6) == results[0][1].confusion(6)).all()
        assert [p["accuracy"] for p in prefixes] == [p["accuracy"] for p in results[0][2]]


def test_outcomes_are_the_records(trained):
    metrics, seen, prefixes = evaluate(trained)
    assert seen.correct.mean() == pytest.approx(metrics["accuracy"])
    assert len(seen.inks) == 48 and [*map(len, seen.inks)] == seen.lengths.tolist()
    assert seen.confusion(6).sum(axis=1).tolist() == [8] * 6
    assert [p["stroke_share"] for p in prefixes] == [0.25, 0.5, 0.75, 1.0]
    assert prefixes[-1]["accuracy"] == metrics["accuracy"]


def test_an_export_is_evaluated_as_its_checkpoint(trained):
    params, classes, checkpoint = model_dirs.find_model(str(trained.export))
    assert classes == trained.classes
    again, _, _ = evaluate(trained, params=params, checkpoint=checkpoint)
    for name, value in evaluate(trained)[0].items():
        if name != "global_step":
            assert again[name] == pytest.approx(value, rel=1e-6), name


def test_a_named_checkpoint_is_evaluated(trained):
    path = f"{trained.model_dir}/model.ckpt-30"
    assert model_dirs.find_model(str(trained.model_dir), checkpoint=path)[2] == path
    with pytest.raises(ValueError, match="there is no .*model.ckpt-31.index"):
        model_dirs.find_model(
            str(trained.model_dir), checkpoint=f"{trained.model_dir}/model.ckpt-31"
        )


def test_records_of_another_class_list_are_refused_with_the_difference(trained, tmp_path):
    records = tmp_path / "eval.tfrecord-00000-of-00001"
    records.touch()
    input_pipeline.write_classes(
        str(tmp_path / "eval.tfrecord.classes"), ["ant", "bee", "cow", "dog", "elk", "кот"]
    )
    for path in (trained.model_dir, trained.export):
        done = run_program("evaluate_model.py", f"--model_dir={path}", f"--eval_data={records}")
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "it also had 'cat'; it did not have 'cow'" in done.stderr


@pytest.mark.parametrize(
    "model_dir, message",
    [("nowhere", "no hparams.json there"), ("empty", "empty: no checkpoint there yet")],
)
def test_a_folder_without_a_model_is_refused(trained, tmp_path, model_dir, message):
    (tmp_path / "empty").mkdir()
    params, classes, _ = model_dirs.find_model(str(trained.model_dir))
    model_dirs.describe(str(tmp_path / "empty"), params=params, classes=classes)
    with pytest.raises(ValueError, match=message):
        model_dirs.find_model(str(tmp_path / model_dir))


def test_a_bad_record_is_named(trained, tmp_path):
    (path, _) = input_pipeline.match_files(trained.eval_data)
    damaged = tmp_path / "eval.tfrecord-00000-of-00001"
    with open(path, "rb") as file:
        damaged.write_bytes(file.read()[:-3])
    params, _, checkpoint = model_dirs.find_model(str(trained.model_dir))
    with pytest.raises(ValueError, match=re.escape(str(damaged)) + ": cannot be read after"):
        evaluate_model.evaluate([str(damaged)], params=params, checkpoint=checkpoint, batch_size=8)


def test_evaluating_leaves_no_trace_in_the_run(trained):
    def files():
        return sorted(
            path for path in trained.model_dir.rglob("*") if "evaluation" not in str(path)
        )

    before = files()
    evaluate(trained)
    assert files() == before
    assert tf.io.gfile.exists(str(trained.model_dir / "evaluations.ndjson"))
