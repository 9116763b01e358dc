import dataclasses
import os
import re
import resource
import signal

from common import locks

import pytest
from helpers import global_step, run_program, start_program, train_model_args

import model
import train_model
from network import hardware

SMALL = {"num_layers": 1, "num_nodes": 4, "num_conv": "[4, 5]", "conv_len": "3,3"}


def test_the_tutorials_command_works_and_says_where_it_writes(data, tmp_path):
    done = run_program(*train_model_args(data, **SMALL, steps=3), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model_dir = re.search(r"Model: +(\S+)", done.stdout)[1]
    assert global_step(tmp_path / model_dir) == 3
    assert f"tensorboard --logdir={model_dir}" in done.stdout
    assert "num_conv=4,5" in done.stdout and "Parameters: " in done.stdout
    export = tmp_path / re.search(r"Exported: +(\S+)", done.stdout)[1]
    assert (export / "saved_model.pb").exists()
    assert export.relative_to(tmp_path / model_dir).parts[:2] == ("export", "drawing_classifier")
    assert re.search(r"^step 3/3  loss \d+\.\d{4}  [\d,]+ drawings/s  0 s left$", done.stdout, re.M)
    assert re.search(r"^evaluation at step 3: accuracy .*18 drawings$", done.stdout, re.M)
    assert done.stderr == ""  # nothing of TensorFlow's


def test_verbosity_lets_tensorflow_speak(data, tmp_path):
    done = run_program(*train_model_args(data, **SMALL, steps=1, verbosity=0), cwd=tmp_path)
    assert "Saving checkpoints for 0 into" in done.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        ({"training_data": "nowhere/*"}, "--training_data=nowhere/* matches no file"),
        ({"classes_file": "nowhere"}, "nowhere: no such class list"),
        ({"num_conv": "[4, 5"[1:] + ",6"}, "give one length for each number of filters"),
        ({"num_conv": "[4, x]"}, "expected integers such as 48,64,96"),
        ({"batch_size": 0}, "batch_size"),
        ({"cell_type": "gru"}, "cell_type"),
        ({"cell_type": "cudnn_lstm"}, "needs a GPU, and TensorFlow sees none here; block_lstm"),
        ({"mixed_precision": True, "cell_type": "lstm"}, "--mixed_precision "),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_program_refuses_without_a_traceback(data, tmp_path, flags, message):
    done = run_program(*train_model_args(data, **{**SMALL, **flags}), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_mixed_precision_needs_hardware_for_it(monkeypatch):
    mixed = model.HParams(num_classes=2, cell_type="block_lstm", mixed_precision=True)
    monkeypatch.setattr(hardware, "cpu_has_bfloat16", lambda: True)
    train_model.check_hardware(mixed)
    assert train_model.describe_computation(mixed) == "block_lstm, products in bfloat16"
    single = dataclasses.replace(mixed, mixed_precision=False)
    assert train_model.describe_computation(single).endswith(
        "--mixed_precision may be faster on this CPU"
    )
    with pytest.raises(ValueError, match="is for block_lstm, not --cell_type=lstm"):
        train_model.check_hardware(dataclasses.replace(mixed, cell_type="lstm"))
    monkeypatch.setattr(hardware, "cpu_has_bfloat16", lambda: False)
    with pytest.raises(ValueError, match="needs a GPU or a CPU that multiplies bfloat16"):
        train_model.check_hardware(mixed)
    assert train_model.describe_computation(single) == "block_lstm"
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    train_model.check_hardware(mixed)
    assert train_model.describe_computation(mixed) == "block_lstm, products in float16"


def test_full_disk_ends_training_with_a_message(data, tmp_path):
    # A limit on a file's size fails a write as a full disk does, without one to fill.
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    args = train_model_args(data, **SMALL, steps=3, model_dir=tmp_path / "m")
    done = run_program(*args, preexec_fn=limit)
    assert done.returncode == 1
    assert "File too large" in done.stderr and "Traceback" not in done.stderr
    assert run_program(*args).returncode == 0  # with room again


def wait_for_line(process, text: str) -> None:
    for line in process.stdout:
        if text in line:
            return


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_training_goes_on(data, tmp_path, number):
    flags = {**SMALL, "model_dir": tmp_path / "m", "save_checkpoints_steps": 20}
    process = start_program(
        *train_model_args(data, **flags, steps=1000000, eval_throttle_secs=10000)
    )
    wait_for_line(process, "step 1/")
    os.kill(process.pid, number)
    output = process.communicate(timeout=60)[0]
    assert "Traceback" not in output
    stopped_at = global_step(tmp_path / "m")
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert stopped_at % 20 == 0
    else:
        assert process.returncode == 128 + number
        assert stopped_at >= 1
        assert f"--model_dir={tmp_path}/m goes on from here" in output
    done = run_program(*train_model_args(data, **flags, steps=stopped_at + 2))
    assert done.returncode == 0, done.stderr
    assert global_step(tmp_path / "m") == stopped_at + 2


def test_a_second_run_in_the_same_folder_refuses(data, tmp_path):
    with locks.only_writer(str(tmp_path / "m"), busy="the test is there"):
        done = run_program(*train_model_args(data, steps=1, model_dir=tmp_path / "m"))
    assert done.returncode == 1
    assert f"{tmp_path}/m: another run is training there" in done.stderr
    with locks.only_writer(str(tmp_path / "m"), busy="the test is there"):
        pass  # free again
