import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from helpers import CLASSES, TINY, train

import model
from training import warm_start


def test_warm_start_takes_the_weights_and_counts_from_zero(data, tmp_path):
    first = train(data, tmp_path / "a")
    result = train(
        data,
        tmp_path / "b",
        warm_start_from=str(tmp_path / "a"),
        steps=1,
        params=dataclasses.replace(TINY, learning_rate=1e-12),
    )
    assert result["global_step"] == 1
    assert result["loss"] == pytest.approx(first["loss"], rel=1e-5)


def test_warm_start_with_other_classes_leaves_the_last_layer_new(data, tmp_path):
    train(data, tmp_path / "a")
    classes = [*CLASSES, "dog"]
    train(
        data,
        tmp_path / "b",
        warm_start_from=str(tmp_path / "a"),
        steps=1,
        classes=classes,
        params=dataclasses.replace(TINY, num_classes=4, learning_rate=1e-12),
    )
    for name in ("conv1d_0/kernel", "dense/kernel"):
        a, b = (tf.train.load_variable(str(tmp_path / folder), name) for folder in "ab")
        assert (name == "dense/kernel") != (a.shape == b.shape and np.allclose(a, b))


def test_warm_start_from_another_network_is_refused(data, tmp_path):
    train(data, tmp_path / "a", steps=1)
    with pytest.raises(ValueError, match=r"cell_0.* has shape \[8, 16\], this network's \[9, 20\]"):
        train(
            data,
            tmp_path / "b",
            warm_start_from=str(tmp_path / "a"),
            params=dataclasses.replace(TINY, num_nodes=5),
        )
    with pytest.raises(ValueError, match="--warm_start_from=nowhere: no checkpoint there"):
        train(data, tmp_path / "b", warm_start_from="nowhere")


def test_warm_start_from_the_tutorials_checkpoint(quickdraw_data):
    checkpoint = str(quickdraw_data / "golden/checkpoint/model.ckpt")
    names = warm_start.check_shapes(checkpoint, params=model.HParams(num_classes=42), flag="x")
    assert len(names) == 20
    other = warm_start.check_shapes(checkpoint, params=model.HParams(num_classes=10), flag="x")
    assert set(names) - set(other) == {"dense/kernel", "dense/bias"}
