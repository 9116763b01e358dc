import numpy as np
import pytest
import tensorflow as tf
from helpers import global_step, spoil_weights, train

from training import checkpoints


def test_a_checkpoint_that_was_cut_off_is_not_gone_on_with(data, tmp_path, capsys):
    train(data, tmp_path / "m", steps=6)
    (cut,) = (tmp_path / "m").glob("model.ckpt-6.data-*")
    cut.write_bytes(cut.read_bytes()[:-20])
    checkpoints.repair(str(tmp_path / "m"))
    assert tf.train.latest_checkpoint(str(tmp_path / "m")).endswith("model.ckpt-3")
    assert "model.ckpt-6: this checkpoint cannot be read" in capsys.readouterr().err
    result = train(data, tmp_path / "m", steps=8)
    assert result["global_step"] == 8


def test_a_folder_of_broken_checkpoints_is_refused(data, tmp_path):
    train(data, tmp_path / "m", steps=3)
    for path in (tmp_path / "m").glob("model.ckpt-*.index"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="none of its checkpoints can be used"):
        train(data, tmp_path / "m", steps=5)


@pytest.mark.parametrize("state", [None, b"", b"nonsense {", b"\xff\xfe\x00"])
def test_checkpoints_are_found_without_the_file_that_names_the_last(data, tmp_path, state, capsys):
    train(data, tmp_path / "m", steps=6)
    path = tmp_path / "m/checkpoint"
    path.unlink() if state is None else path.write_bytes(state)
    checkpoints.repair(str(tmp_path / "m"))
    assert "checkpoint is missing or damaged; going on from" in capsys.readouterr().err
    assert global_step(tmp_path / "m") == 6
    states = tf.train.get_checkpoint_state(str(tmp_path / "m"))
    assert [name.rpartition("-")[2] for name in states.all_model_checkpoint_paths] == [
        "0",
        "3",
        "6",
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_not_gone_on_with(data, tmp_path, value, capsys):
    train(data, tmp_path / "m", steps=6)
    spoil_weights(tmp_path / "m/model.ckpt-6", value)
    assert checkpoints.problem(f"{tmp_path}/m/model.ckpt-3") is None
    checkpoints.repair(str(tmp_path / "m"))
    assert "model.ckpt-6: this checkpoint holds weights that are not" in capsys.readouterr().err
    assert global_step(tmp_path / "m") == 3
