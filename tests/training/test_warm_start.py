import dataclasses
import shutil

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


def forget_classes(data):
    """Removes the class lists beside records, which then go with any class list."""
    for path in data.glob("*.classes"):
        path.unlink()


@pytest.mark.parametrize("classes", [["cat", "ant", "bee"], ["bee", "dog", "ant"]])
def test_the_last_layers_columns_go_with_the_names_of_their_classes(data, tmp_path, classes):
    train(data, tmp_path / "a")
    forget_classes(data)
    frozen = dataclasses.replace(TINY, learning_rate=1e-12)
    settings = {"classes": classes, "params": frozen, "steps": 1}
    train(data, tmp_path / "b", warm_start_from=str(tmp_path / "a"), **settings)
    for name in ("dense/kernel", "dense/bias"):
        a, b = (tf.train.load_variable(str(tmp_path / folder), name) for folder in "ab")
        for column, word in enumerate(classes):
            if word in CLASSES:
                same = a[..., CLASSES.index(word)]
                np.testing.assert_allclose(b[..., column], same, atol=1e-6, err_msg=word)
            else:
                known = [np.abs(a[..., i] - b[..., column]).max() for i in range(3)]
                assert name == "dense/bias" or min(known) > 1e-3


def test_warm_start_from_an_export_and_from_a_folder_that_names_no_last(trained, data, tmp_path):
    export = warm_start.find_source(str(trained.export))
    assert export.classes == trained.classes
    assert export.checkpoint == f"{trained.export}/variables/variables"
    assert warm_start.find_source(str(trained.export.parent)) == export
    index = f"{trained.model_dir}/model.ckpt-60.index"
    source = warm_start.find_source(index)
    assert source == (f"{trained.model_dir}/model.ckpt-60", trained.classes)
    shutil.copytree(trained.model_dir / "best", tmp_path / "only/best")
    assert warm_start.find_source(str(tmp_path / "only")).checkpoint.startswith(
        f"{tmp_path}/only/best/model.ckpt-"
    )
    # As the tutorial's checkpoint is handed on: files without a list of them, or a class list.
    for path in trained.model_dir.glob("model.ckpt-60.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / path.name.replace("-60", "")).write_bytes(path.read_bytes())
    source = warm_start.find_source(str(tmp_path))
    assert source == (f"{tmp_path}/model.ckpt-60", None)
    for path in tmp_path.glob("model.ckpt-60.*"):
        path.unlink()
    assert warm_start.find_source(str(tmp_path)).checkpoint == f"{tmp_path}/model.ckpt"
    for path in trained.model_dir.glob("model.ckpt-60.*"):
        (tmp_path / path.name.replace("model.ckpt-60", "other")).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="several checkpoints there; name one"):
        warm_start.find_source(str(tmp_path))


def test_warm_start_with_other_classes_leaves_the_last_layer_new(data, tmp_path):
    train(data, tmp_path / "a")
    forget_classes(data)
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
