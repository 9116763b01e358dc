import dataclasses

import numpy as np
import pytest
from helpers import TINY, train

import balance
from model_folder import checkpoints
from serving import weights
from training import last_layer


def test_a_class_that_another_hides_is_recognised_again():
    # Of class 1, ten drawings look a little like class 0, and thirty very much so.
    labels = np.repeat([0, 1, 2], 40)
    logits = np.zeros((120, 3))
    logits[:40, 0], logits[80:, 2] = 4, 9
    logits[40:50, 0], logits[50:80, 0] = 1, 3
    bias = balance.lift_bias(logits, labels)
    np.testing.assert_array_equal((logits + bias).argmax(axis=1), labels)
    # No more than that takes: three quarters of them are recognised once it is above 3.
    np.testing.assert_array_equal(bias[[0, 2]], 0)
    assert bias[1] == pytest.approx(3, abs=2 * balance.STEP) and bias[1] > 3


def test_classes_of_which_most_are_recognised_get_no_bias():
    labels = np.arange(80) % 4  # of 20 drawings each, 12 are recognised
    logits = 3 * np.eye(4)[np.where(np.arange(80) < 48, labels, 0)]
    np.testing.assert_array_equal(balance.lift_bias(logits, labels), 0)


def test_classes_that_cannot_be_told_apart_end_the_search():
    bias = balance.lift_bias(np.zeros((40, 2)), np.arange(40) % 2)
    assert bias.max() <= balance.MAX_STEPS * balance.STEP


def test_a_networks_bias_is_lifted_on_its_training_drawings(data, tmp_path, monkeypatch):
    train(data, tmp_path / "a", steps=2)
    checkpoint = checkpoints.latest(str(tmp_path / "a"))
    files = sorted(map(str, data.glob("training.tfrecord-?????-of-?????")))
    values = dict(weights.read(checkpoint, params=TINY))
    kernel, bias = values["dense/kernel"], values["dense/bias"] + np.float32([2, 0, 0])
    checkpoint = checkpoints.write({**values, "dense/bias": bias}, str(tmp_path / "biased"))
    monkeypatch.setattr(balance, "BATCH_SIZE", 8)
    monkeypatch.setattr(balance, "DRAWINGS", 80)  # each once
    plain = dataclasses.replace(TINY, dropout=0.0)
    lifted = balance.lifted_bias(
        files, checkpoint, params=plain, distortion=0.0, stroke_variation=0.0
    )
    embeddings, labels = last_layer.embed_records(files, checkpoint, params=TINY)
    expected = balance.lift_bias(embeddings @ kernel + bias, labels)
    np.testing.assert_allclose(lifted - bias, expected, atol=2 * balance.STEP)
    assert expected.max() > 0.5
