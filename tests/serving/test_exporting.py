import itertools
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from helpers import random_strokes, read_records

import input_pipeline
import model
from common import estimators
from drawings import ink, ndjson
from model_folder import best, models
from records import tfrecords
from serving import classifier, exporting

tf1 = tf.compat.v1


def pad(drawings) -> np.ndarray:
    batch = np.full((len(drawings), max(map(len, drawings)), 3), 7, np.float32)  # rubbish
    for row, drawing in zip(batch, drawings):
        row[: len(drawing)] = drawing
    return batch


def in_graph_ink(strokes_of_drawings) -> list[np.ndarray]:
    points = [ink.strokes_to_points(strokes) for strokes in strokes_of_drawings]
    with tf.Graph().as_default(), tf1.Session() as session:
        lengths = tf.constant([len(p) for p in points], tf.int64)
        values, lengths = session.run(exporting.points_to_ink(tf.constant(pad(points)), lengths))
    for drawing, length in zip(values, lengths):
        assert not drawing[length:].any()
    return [drawing[:length] for drawing, length in zip(values, lengths)]


def test_strokes_are_encoded_in_the_graph_as_by_ink():
    rng = np.random.default_rng(0)
    drawings = [random_strokes(rng) for _ in range(50)]
    drawings.append([[[3, 3], [5, 9]]])  # without width
    drawings.append([[[-90, -50], [-80, -20]]])  # left of and above what pads it
    drawings.append([[[90, 50], [80, 20]]])
    drawings.append([[[1.5e6, -2.5e6, 7.25], [0.001, 0.002, 0.0015]]])
    for saved, strokes in zip(in_graph_ink(drawings), drawings):
        np.testing.assert_allclose(saved, ink.strokes_to_ink(strokes), atol=1e-6)


def test_real_strokes_are_encoded_in_the_graph_as_by_ink(quickdraw_data):
    drawings = []
    for folder in ("raw", "simplified"):
        for path in sorted((quickdraw_data / "quickdraw" / folder).glob("*.ndjson"))[::20]:
            with open(path, "rb") as file:
                drawings += [
                    ndjson.parse_document(line)["drawing"] for line in itertools.islice(file, 8)
                ]
    assert len(drawings) > 250
    for saved, strokes in zip(in_graph_ink(drawings), drawings):
        np.testing.assert_allclose(saved, ink.strokes_to_ink(strokes), atol=1e-6)


@pytest.mark.parametrize(
    "points, length, message",
    [
        ([[0, 0, 0]], 1, "at least two points"),
        ([[0, 0, 0], [1, 1, 1]], 3, "lengths beyond the points"),
        ([[0, 0, 0], [np.nan, 1, 1]], 2, "NaN or infinity"),
        ([[0, 0, 0], [1, -np.inf, 1]], 2, "NaN or infinity"),
        ([[-3e38, 0, 0], [3e38, 1, 1]], 2, "points too far apart for float32"),
    ],
)
def test_points_that_are_no_drawing_are_refused(points, length, message):
    with tf.Graph().as_default(), tf1.Session() as session:
        fed = tf1.placeholder(tf.float32), tf1.placeholder(tf.int64)
        encoded = exporting.points_to_ink(*fed)
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            session.run(encoded, dict(zip(fed, ([points], [length]))))


def run_signature(export, name: str, inputs: dict) -> dict[str, np.ndarray]:
    with tf.Graph().as_default(), tf1.Session() as session:
        loaded = tf1.saved_model.load(session, ["serve"], str(export))
        signature = loaded.signature_def[name]
        outputs = {key: info.name for key, info in signature.outputs.items()}
        return session.run(outputs, {signature.inputs[k].name: v for k, v in inputs.items()})


def test_both_signatures_give_what_the_checkpoint_gives(trained):
    pattern = trained.eval_data
    files = input_pipeline.match_files(pattern)
    records = [record for path in files for record in read_records(path)]
    examples = run_signature(trained.export, "examples", {"examples": records})
    assert examples["classes"].shape == examples["probabilities"].shape == (48, 5)
    assert examples["embedding"].shape == (48, 12)

    saved = models.find_model(str(trained.model_dir))
    params, classes = saved.params, saved.classes
    estimator = estimators.Estimator(model.model_fn, params=params)
    for i, record in enumerate(records[:5]):
        example = tf.train.Example.FromString(record).features.feature
        drawing = np.array(example["ink"].float_list.value, np.float32).reshape(1, -1, 3)
        features = {"ink": drawing, "lengths": np.array([drawing.shape[1]])}
        (expected,) = estimator.predict(
            lambda features=features: tf.data.Dataset.from_tensors(features),
            checkpoint_path=best.best_checkpoint(str(trained.model_dir)),
        )
        # What evaluation saved best: in the file, not by what is tested here.
        lines = (trained.model_dir / "evaluations.ndjson").read_text().splitlines()
        by_step = {line["global_step"]: line for line in map(json.loads, lines)}
        temperature = by_step[int(saved.checkpoint.rpartition("-")[2])]["temperature"]
        assert 0.5 < temperature != 1
        odds = np.exp(expected["logits"] / temperature)
        probabilities = odds / odds.sum()
        order = np.argsort(-probabilities)[:5]
        assert [word.decode() for word in examples["classes"][i]] == [classes[k] for k in order]
        np.testing.assert_allclose(examples["probabilities"][i], probabilities[order], atol=1e-5)
        np.testing.assert_allclose(examples["embedding"][i], expected["embedding"], atol=1e-5)

    by_ink = {}
    for i, record in enumerate(records):
        value = tf.train.Example.FromString(record).features.feature["ink"].float_list.value
        by_ink[np.array(value, np.float32).tobytes()] = i
    drawings = [ndjson.parse_document(line)["drawing"] for line in trained.lines]
    points = [ink.strokes_to_points(strokes) for strokes in drawings]
    served = run_signature(
        trained.export,
        "serving_default",
        {"points": pad(points), "lengths": [len(p) for p in points]},
    )
    rows = [by_ink[ink.strokes_to_ink(strokes).tobytes()] for strokes in drawings]
    np.testing.assert_allclose(served["probabilities"], examples["probabilities"][rows], atol=1e-5)
    np.testing.assert_allclose(served["embedding"], examples["embedding"][rows], atol=1e-4)


def test_an_export_has_no_operation_that_needs_a_gpu_or_new_code(trained):
    with tf.Graph().as_default(), tf1.Session() as session:
        graph = tf1.saved_model.load(session, ["serve"], str(trained.export)).graph_def
    names = {node.op for node in graph.node}
    for function in graph.library.function:
        names |= {node.op for node in function.node_def}
    assert {"MatMul", "Conv2D"} <= names
    assert not any("Cudnn" in name or "PyFunc" in name for name in names)


def test_the_newest_version_is_found(trained, tmp_path):
    assert classifier.find_export(str(trained.export)) == str(trained.export)
    assert classifier.find_export(str(trained.export.parent)) == str(trained.export)
    assert classifier.find_export(str(trained.model_dir)) == str(trained.export)
    for version in ("9", "10"):
        (tmp_path / version).mkdir()
        (tmp_path / version / classifier.ONNX_FILE).touch()
    (tmp_path / "11").mkdir()  # being written
    assert classifier.find_export(str(tmp_path)) == str(tmp_path / "10")


@pytest.mark.parametrize("name", ["serving_default", "examples"])
def test_no_drawing_is_refused_with_its_reason(trained, name):
    inputs = {"points": np.zeros((0, 2, 3)), "lengths": np.zeros(0, int)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="no drawing was given"):
        run_signature(trained.export, name, inputs if "def" in name else {"examples": []})


def test_ink_that_is_not_a_number_is_refused_by_an_export(trained):
    bad = tfrecords.encode_record(np.full((4, 3), np.nan, np.float32).tobytes(), 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN or infinity"):
        run_signature(trained.export, "examples", {"examples": [bad]})


def test_an_export_that_was_killed_is_removed_by_the_next(trained, tmp_path):
    (tmp_path / "export/drawing_classifier/unfinished-1").mkdir(parents=True)
    saved = models.find_model(str(trained.export))
    exporting.export(str(tmp_path), saved)
    (left,) = (tmp_path / "export/drawing_classifier").iterdir()
    assert left.name.isdigit() and (left / "saved_model.pb").exists()


def test_the_last_export_is_the_one_that_is_loaded_whatever_the_clock_said(trained, tmp_path):
    ahead = tmp_path / "export/drawing_classifier/99999999999"
    shutil.copytree(trained.export, ahead)
    saved = models.find_model(str(trained.export))
    last = exporting.export(str(tmp_path), saved)
    assert last != str(ahead) and classifier.find_export(str(tmp_path)) == last
    assert models.export_checkpoint(str(ahead.parent)) == f"{last}/variables/variables"
