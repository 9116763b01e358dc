import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from helpers import ROOT, ndjson_line, resampled

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


def test_many_batches_give_each_drawing_its_own_guesses(trained, model):
    drawings = [
        classifier.prepare(ndjson.parse_document(line)["drawing"]) for line in trained.lines
    ]
    once = model.classify_points(drawings)
    many = model.classify_points(drawings * 4)  # side by side, and sorted into other batches
    assert len(many) == 192 > classifier.BATCH_SIZE
    for i, guesses in enumerate(many):
        expected = once[i % len(once)]
        assert [guess.word for guess in guesses] == [guess.word for guess in expected]
        assert [g.probability for g in guesses] == pytest.approx(
            [g.probability for g in expected], abs=1e-5
        )
    assert model.classify_points([]) == []


@pytest.mark.parametrize(
    "cores, batch_points, batches",
    [
        (1, 800, [(1, 900), (2, 31), (2, 400)]),  # long ones alone: by their points
        (1, 10000, [(5, 900)]),
        (2, 10000, [(2, 31), (3, 900)]),  # each core has its share
        (8, 10000, [(1, 2), (1, 31), (1, 300), (1, 400), (1, 900)]),
    ],
)
def test_drawings_are_shared_out_among_cores_and_by_length(
    model, monkeypatch, cores, batch_points, batches
):
    rng = np.random.default_rng(0)
    drawings = [rng.normal(size=(n, 3)).astype(np.float32) for n in (900, 2, 300, 31, 400)]
    alone = [model.classify_points([drawing])[0] for drawing in drawings]
    monkeypatch.setattr(classifier, "_num_cores", lambda: cores)
    monkeypatch.setattr(classifier, "BATCH_POINTS", batch_points)
    sizes = []
    session = model._side_by_side

    class Watched:
        def run(self, outputs, feeds):
            sizes.append(feeds["points"].shape[:2])
            return session.run(outputs, feeds)

    monkeypatch.setitem(model.__dict__, "_side_by_side", Watched())
    answers = model.classify_points(drawings)
    assert sorted(sizes) == batches
    for guesses, others in zip(answers, alone):
        assert [g.probability for g in guesses] == pytest.approx(
            [g.probability for g in others], abs=1e-5
        )


def test_it_guesses_what_the_saved_model_does(trained, model):
    points = [classifier.prepare(json.loads(line)["drawing"]) for line in trained.lines[:12]]
    padded = np.zeros((len(points), max(map(len, points)), 3), np.float32)
    for row, drawing in zip(padded, points):
        row[: len(drawing)] = drawing
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], model.folder)
        signature = loaded.signature_def["serving_default"]
        outputs = [signature.outputs[name].name for name in ("classes", "probabilities")]
        feeds = {"points": padded, "lengths": [len(drawing) for drawing in points]}
        classes, probabilities = session.run(
            outputs, {signature.inputs[name].name: value for name, value in feeds.items()}
        )
    for guesses, words, likely in zip(model.classify_points(points), classes, probabilities):
        assert [guess.word for guess in guesses] == [word.decode() for word in words]
        np.testing.assert_allclose([g.probability for g in guesses], likely, atol=1e-5)


def test_the_words_stand_in_a_file_too_for_runtimes_that_give_no_metadata(trained, model):
    text = (trained.export / "assets.extra/classes.txt").read_text("utf-8")
    assert text.splitlines() == model.words == trained.classes


def test_a_damaged_onnx_file_is_named_as_such(trained, tmp_path):
    shutil.copytree(trained.export, tmp_path / "1")
    (tmp_path / "1" / classifier.ONNX_FILE).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="/1: not an export of train_model.py, or a damaged one"):
        classifier.Classifier(str(tmp_path))


def test_classifying_does_without_tensorflow():
    source = "import sys, classify_drawings; print({'tensorflow', 'numba'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_what_is_classified_is_what_would_have_been_trained_on(model):
    square = [[[0, 0, 200, 200, 0], [0, 200, 200, 0, 0]]]
    dense = [np.rint(stroke).astype(int).tolist() for stroke in resampled(square, 4)]
    bend = [[[0, 100, 255], [0, 1, 0]]]  # simplifying would leave its middle out
    for strokes in (square, dense, bend, [[*bend[0], [0, 10, 20]]]):
        _, trained_on = ndjson.parse_line(ndjson_line("x", strokes))
        points = classifier.prepare(strokes)
        line = np.cumsum(np.concatenate([[[0, 0, 0]], trained_on]), axis=0)
        for axis in (0, 1):  # ink is the way from point to point, of a box of one by one
            moved = points[:, axis] - points[0, axis]
            extent = np.ptp(points[:, axis]) or 1
            np.testing.assert_allclose(line[:, axis], moved / extent, atol=1e-6)
        np.testing.assert_array_equal(trained_on[:, 2], points[1:, 2])
    assert len(classifier.prepare(bend)) == 3
    assert len(classifier.prepare(dense)) < 10 < len(dense[0][0])


def test_numpys_numbers_are_numbers(model):
    square = [[[0, 0, 200, 200, 0], [0, 200, 200, 0, 0]]]
    expected = model.classify(square)
    array = np.array(square[0])
    for dtype in (np.int64, np.uint8, np.float32, np.float64, np.float16):
        typed = array.astype(dtype)
        for strokes in ([typed], [list(map(list, typed))], [tuple(typed)], typed[np.newaxis]):
            assert model.classify(strokes) == expected


@pytest.mark.parametrize(
    "strokes, message",
    [
        ([], "no strokes"),
        ([[[1], [1]]], "a single point"),
        ([[[1, 2], [1]]], "different length"),
        ([[[1, "2"], [1, 2]]], "not a number"),
        ([[[1, float("nan")], [1, 2]]], "not a number"),
        ([np.array([[1, np.nan], [1, 2]])], "not a number"),
        ([[np.array([True, False]), [1, 2]]], "not a number"),
        ([[[np.True_, 1], [1, 2]]], "not a number"),
        (np.array(5), "not a list"),
        ([[[-3e38, 3e38], [3, 4]]], "beyond float32"),
        ("cat", "not a list"),
    ],
)
def test_what_is_no_drawing_is_refused(model, strokes, message):
    with pytest.raises(ValueError, match=message):
        model.classify(strokes)


def test_a_folder_without_an_export_says_what_was_looked_for(trained, tmp_path):
    with pytest.raises(
        ValueError, match=r"no exported model there, neither .*drawing_classifier.onnx, nor"
    ):
        classifier.Classifier(str(tmp_path))
    (tmp_path / "checkpoint").touch()
    with pytest.raises(ValueError, match="there are checkpoints: train_model.py"):
        classifier.Classifier(str(tmp_path))
    (tmp_path / classifier.ONNX_FILE).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="not an export of train_model.py, or a damaged one"):
        classifier.Classifier(str(tmp_path))
