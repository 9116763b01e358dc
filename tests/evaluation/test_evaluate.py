import dataclasses
import re

import numpy as np
import pytest
from helpers import random_records, spoil_weights, write_records

import input_pipeline
from evaluation import evaluate as evaluation
from evaluation import guesses
from model_folder import models
from records import tfrecords


def evaluate(trained, *, batch_size: int = 64, **changes):
    saved = models.find_model(str(trained.model_dir))
    files = input_pipeline.match_files(trained.eval_data)
    return evaluation.evaluate(files, dataclasses.replace(saved, **changes), batch_size=batch_size)


def test_any_batch_size_gives_the_same_numbers(trained):
    results = [evaluate(trained, batch_size=size) for size in (7, 64)]
    for metrics, seen, beginnings in results[1:]:
        for name, value in results[0][0].items():
            assert metrics[name] == pytest.approx(value, rel=1e-5), name
        assert (seen.confusion(6) == results[0][1].confusion(6)).all()
        assert [p["accuracy"] for p in beginnings] == [p["accuracy"] for p in results[0][2]]


def test_guesses_are_the_records(trained):
    metrics, seen, beginnings = evaluate(trained)
    assert seen.correct.mean() == pytest.approx(metrics["accuracy"])
    assert len(seen.inks) == 48 and [*map(len, seen.inks)] == seen.lengths.tolist()
    assert seen.confusion(6).sum(axis=1).tolist() == [8] * 6
    assert [p["stroke_share"] for p in beginnings] == [0.25, 0.5, 0.75, 1.0]
    assert beginnings[-1]["accuracy"] == metrics["accuracy"]


def test_an_export_is_evaluated_as_its_checkpoint(trained):
    saved = models.find_model(str(trained.export))
    assert saved.classes == trained.classes
    files = input_pipeline.match_files(trained.eval_data)
    again, _, _ = evaluation.evaluate(files, saved, batch_size=64)
    for name, value in evaluate(trained)[0].items():
        if name != "global_step":
            assert again[name] == pytest.approx(value, rel=1e-6), name


def test_a_bad_record_is_named(trained, tmp_path):
    (path, _) = input_pipeline.match_files(trained.eval_data)
    damaged = tmp_path / "eval.tfrecord-00000-of-00001"
    with open(path, "rb") as file:
        damaged.write_bytes(file.read()[:-3])
    saved = models.find_model(str(trained.model_dir))
    with pytest.raises(ValueError, match=re.escape(str(damaged)) + ": cannot be read after"):
        evaluation.evaluate([str(damaged)], saved, batch_size=8)


def test_evaluating_leaves_no_trace_in_the_run(trained):
    def files():
        return sorted(
            path for path in trained.model_dir.rglob("*") if "evaluation" not in str(path)
        )

    before = files()
    evaluate(trained)
    assert files() == before
    assert (trained.model_dir / "evaluations.ndjson").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_is_not_a_number_is_not_evaluated_as_right(trained, tmp_path, value):
    for path in trained.model_dir.glob("model.ckpt-60.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    spoil_weights(tmp_path / "model.ckpt-60", value)
    with pytest.raises(ValueError, match="model.ckpt-60: the loss is (nan|inf), for the network"):
        evaluate(trained, checkpoint=str(tmp_path / "model.ckpt-60"))


def test_a_record_that_is_not_a_number_is_named(trained, tmp_path):
    saved = models.find_model(str(trained.model_dir))
    bad = tfrecords.encode_record(np.full((3, 3), np.nan, np.float32).tobytes(), 0)
    path = write_records(tmp_path / "eval.tfrecord-0", [*random_records(5), bad])
    with pytest.raises(ValueError, match="eval.tfrecord-0, record 6: holds ink that is not a num"):
        evaluation.evaluate([path], saved, batch_size=4)


def test_the_drawings_that_are_kept_are_as_long_as_all(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(guesses, "KEPT_EMBEDDINGS", 256)
    path = write_records(tmp_path / "eval.tfrecord-0", random_records(1024))
    saved = models.find_model(str(trained.model_dir))
    monkeypatch.setattr(evaluation, "KEPT_INKS", 256)
    monkeypatch.setattr(evaluation, "STROKE_SHARES", ())
    _, seen, _ = evaluation.evaluate([path], saved, batch_size=4)
    assert (len(seen.lengths), len(seen.inks), len(seen.embeddings)) == (1024, 256, 256)
    kept = seen.lengths[:256]
    assert [len(ink) for ink in seen.inks] == kept.tolist()
    for share in (0.1, 0.5, 0.9):
        quantile = np.quantile(seen.lengths, share)
        assert share - 0.2 < (kept <= quantile).mean() < share + 0.2
    _, again, _ = evaluation.evaluate([path], saved, batch_size=4)
    assert (again.lengths == seen.lengths).all()  # the same drawings every time
