import shutil

import numpy as np
import pytest
import tensorflow as tf
from helpers import global_step, spoil_weights, train, write_data

from model_folder import checkpoints, description, evaluations
from serving import drawing_page


@pytest.fixture(scope="module")
def of_six_steps(tmp_path_factory):
    """A folder with checkpoints of the steps 0, 3 and 6."""
    folder = tmp_path_factory.mktemp("run")
    write_data(folder / "data")
    train(folder / "data", folder / "m", steps=6, save_checkpoints_steps=3)
    return folder / "m"


@pytest.fixture
def model_dir(of_six_steps, tmp_path):
    """A copy of it."""
    return shutil.copytree(of_six_steps, tmp_path / "m")


def test_a_checkpoint_that_was_cut_off_is_not_gone_on_with(data, model_dir, capsys):
    (cut,) = model_dir.glob("model.ckpt-6.data-*")
    cut.write_bytes(cut.read_bytes()[:-20])
    checkpoints.repair(str(model_dir))
    assert tf.train.latest_checkpoint(str(model_dir)).endswith("model.ckpt-3")
    assert "model.ckpt-6: this checkpoint cannot be read" in capsys.readouterr().err
    result = train(data, model_dir, steps=8)
    assert result["global_step"] == 8


def test_a_folder_of_broken_checkpoints_is_refused(data, model_dir):
    for path in model_dir.glob("model.ckpt-*.index"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="none of its checkpoints can be used"):
        train(data, model_dir, steps=5)


@pytest.mark.parametrize("state", [None, b"", b"nonsense {", b"\xff\xfe\x00"])
def test_checkpoints_are_found_without_the_file_that_names_the_last(model_dir, state, capsys):
    path = model_dir / "checkpoint"
    path.unlink() if state is None else path.write_bytes(state)
    checkpoints.repair(str(model_dir))
    assert "checkpoint is missing or damaged; going on from" in capsys.readouterr().err
    assert global_step(model_dir) == 6
    states = tf.train.get_checkpoint_state(str(model_dir))
    assert [name.rpartition("-")[2] for name in states.all_model_checkpoint_paths] == [
        "0",
        "3",
        "6",
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_not_gone_on_with(model_dir, value, capsys):
    spoil_weights(model_dir / "model.ckpt-6", value)
    assert checkpoints.damage(f"{model_dir}/model.ckpt-3") is None
    checkpoints.repair(str(model_dir))
    assert "model.ckpt-6: this checkpoint holds weights that are not" in capsys.readouterr().err
    assert global_step(model_dir) == 3


def test_the_files_that_are_written_whole_are_known():
    assert set(checkpoints.WHOLE_FILES) == {
        checkpoints.STATE_FILE,
        description.CLASSES_FILE,
        description.HPARAMS_FILE,
        evaluations.BEGUN_FILE,
        evaluations.EVALUATIONS_FILE,
        evaluations.EVALUATOR_FILE,
        drawing_page.FILE,
    }


def test_a_damaged_state_file_names_no_last_checkpoint(tmp_path):
    assert checkpoints.latest(str(tmp_path)) is None
    (tmp_path / "checkpoint").write_bytes(b"\xff\xfe no text")
    assert checkpoints.latest(str(tmp_path)) is None
