import pytest
import tensorflow as tf
from helpers import train

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
    with pytest.raises(ValueError, match="none of its checkpoints can be gone on with"):
        train(data, tmp_path / "m", steps=5)
