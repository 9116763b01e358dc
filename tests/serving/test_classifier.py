import json

import numpy as np
import pytest

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
