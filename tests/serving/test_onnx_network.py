import dataclasses
import json

import numpy as np
import onnxruntime
import pytest
from helpers import NETWORKS, TINY, by_tensorflow, random_strokes, random_weights

import model
from drawings import ink
from model_folder import description
from serving import onnx_network, weights


def load(network: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])


def run(session, drawings) -> dict[str, np.ndarray]:
    """What it returns of drawings, float32 [points, 3] each, padded with what is no number."""
    lengths = np.array([len(points) for points in drawings])
    batch = np.full((len(drawings), lengths.max() + 2, 3), np.nan, np.float32)
    for row, points in zip(batch, drawings):
        row[: len(points)] = points
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"points": batch, "lengths": lengths})))


@pytest.mark.parametrize("changes", NETWORKS)
def test_any_network_guesses_as_tensorflow_does(changes):
    params = dataclasses.replace(TINY, **changes)
    network = random_weights(params)
    words = [f"слово {i}" for i in range(params.num_classes)]
    session = load(onnx_network.build(network, params=params, temperature=2.5, classes=words))
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == words

    rng = np.random.default_rng(0)
    drawings = [random_strokes(rng) for _ in range(20)]
    drawings += [[[[3, 3], [5, 9]]], [[[-90.5, 80], [-50, 1e6]]]]  # without width; far apart
    answers = run(session, [ink.strokes_to_points(strokes) for strokes in drawings])
    inks = [ink.strokes_to_ink(strokes) for strokes in drawings]
    count = min(5, params.num_classes)
    for i, expected in enumerate(by_tensorflow(network, inks, params=params, temperature=2.5)):
        probabilities = expected["probabilities"]
        order = np.argsort(-probabilities, kind="stable")[:count]
        np.testing.assert_allclose(answers["probabilities"][i], probabilities[order], atol=1e-5)
        np.testing.assert_allclose(probabilities[answers["indices"][i]], probabilities[order], 1e-4)
        np.testing.assert_allclose(answers["embedding"][i], expected["embedding"], atol=1e-4)


def test_weights_are_those_of_the_network_alone(trained):
    params = description.read_hparams(str(trained.model_dir))
    read = weights.read(str(trained.model_dir / "model.ckpt-60"), params=params)
    assert {name: list(values.shape) for name, values in read.items()} == model.variable_shapes(
        params
    )


def test_the_tutorials_checkpoint_gives_its_probabilities(quickdraw_data):
    golden = np.load(quickdraw_data / "golden/logits.npz")
    params = model.HParams(num_classes=42)
    network = weights.read(str(quickdraw_data / "golden/checkpoint/model.ckpt"), params=params)
    words = list(map(str, range(42)))
    session = load(onnx_network.build(network, params=params, temperature=1.0, classes=words))
    drawings = []
    for rows, length in zip(golden["ink"], golden["lengths"]):
        points = np.pad(rows[:length], [(1, 0), (0, 0)])
        drawings.append(np.concatenate([points[:, :2].cumsum(axis=0), points[:, 2:]], axis=1))
    answers = run(session, drawings)
    odds = np.exp(golden["logits"].astype(np.float64))
    probabilities = np.sort(odds / odds.sum(axis=1, keepdims=True), axis=1)[:, :-6:-1]
    np.testing.assert_allclose(answers["probabilities"], probabilities, atol=1e-4)
    assert (answers["indices"][:, 0] == golden["logits"].argmax(axis=1)).all()
