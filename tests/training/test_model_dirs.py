import dataclasses

import pytest
from helpers import CLASSES, TINY, global_step, train

import model
from dataset import class_list
from training import model_dirs


def test_model_dir_describes_itself(data, tmp_path):
    train(data, tmp_path / "m")
    text = (tmp_path / "m/hparams.json").read_text()
    assert model.HParams.from_json(text) == TINY
    assert class_list.read_classes(str(tmp_path / "m/classes.txt")) == CLASSES


def test_resuming_with_other_settings_is_refused(data, tmp_path):
    train(data, tmp_path / "m", steps=3)
    with pytest.raises(ValueError, match=r"num_nodes=4 \(now 5\), dropout=0.3 \(now 0.1\)"):
        train(data, tmp_path / "m", params=dataclasses.replace(TINY, num_nodes=5, dropout=0.1))
    with pytest.raises(ValueError, match="it also had 'cat'; it did not have 'dog'"):
        train(data, tmp_path / "m", classes=["ant", "bee", "dog"])
    with pytest.raises(ValueError, match="the order differs"):
        train(data, tmp_path / "m", classes=["ant", "cat", "bee"])
    assert global_step(tmp_path / "m") == 3


def test_a_named_checkpoint_is_evaluated(trained):
    path = f"{trained.model_dir}/model.ckpt-30"
    assert model_dirs.find_model(str(trained.model_dir), checkpoint=path).checkpoint == path
    with pytest.raises(ValueError, match="there is no .*model.ckpt-31.index"):
        model_dirs.find_model(
            str(trained.model_dir), checkpoint=f"{trained.model_dir}/model.ckpt-31"
        )


@pytest.mark.parametrize(
    "model_dir, message",
    [("nowhere", "no hparams.json there"), ("empty", "empty: no checkpoint there yet")],
)
def test_a_folder_without_a_model_is_refused(trained, tmp_path, model_dir, message):
    (tmp_path / "empty").mkdir()
    found = model_dirs.find_model(str(trained.model_dir))
    params, classes = found.params, found.classes
    model_dirs.write_description(str(tmp_path / "empty"), params=params, classes=classes)
    with pytest.raises(ValueError, match=message):
        model_dirs.find_model(str(tmp_path / model_dir))
