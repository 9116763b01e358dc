import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from helpers import (
    TINY,
    in_tf_config,
    plain_session,
    random_records,
    run_program,
    start_program,
    train,
    train_model_args,
    write_records,
)

from network import hardware
from records import class_list
from training import cluster

CLUSTER_TASK = "tests/training/cluster_task.py"


def run_cluster(cluster: dict[str, int], arguments) -> dict[str, str]:
    """Runs cluster_task.py as each task of a cluster; what the processes say, by task."""
    with contextlib.ExitStack() as stack:
        sockets = {
            name: [stack.enter_context(socket.socket()) for _ in range(count)]
            for name, count in cluster.items()
        }
        for each in [s for group in sockets.values() for s in group]:
            each.bind(("127.0.0.1", 0))
        hosts = {
            name: [f"127.0.0.1:{s.getsockname()[1]}" for s in group]
            for name, group in sockets.items()
        }
    processes = {}
    try:
        for name, group in hosts.items():
            for index in range(len(group)):
                environment = in_tf_config(name, index, hosts)
                processes[f"{name} {index}"] = start_program(
                    CLUSTER_TASK, "multi_worker", *arguments, environment=environment
                )
        output = {}
        for name, process in processes.items():
            output[name] = process.communicate(timeout=120)[0]
            assert process.returncode == 0, output[name]
        return output
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()


def losses(output: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"^loss (\S+)$", output, re.M)]


@pytest.fixture
def two_files(tmp_path):
    """Two files of 32 drawings, and the arguments for tests/cluster_task.py after the folder."""
    records = random_records(64)
    files = [write_records(tmp_path / f"r{i}", records[32 * i : 32 * i + 32]) for i in range(2)]
    class_list.write_classes(str(tmp_path / "classes"), ["ant", "bee", "cat"])
    return [str(tmp_path / "classes"), *files]


def test_two_workers_in_step_are_one_with_the_batch_of_both(tmp_path, two_files):
    alone = run_program(CLUSTER_TASK, "none", 64, 12, tmp_path / "one", *two_files)
    expected = losses(alone.stdout)
    assert len(expected) == 12 and expected[-1] < 0.9 * expected[0]
    output = run_cluster({"chief": 1, "worker": 1}, ["32", "12", str(tmp_path / "two"), *two_files])
    for text in output.values():
        np.testing.assert_allclose(losses(text), expected, atol=1e-5)
    for name, _ in tf.train.list_variables(str(tmp_path / "one")):
        one, two = (tf.train.load_variable(str(tmp_path / f), name) for f in ("one", "two"))
        np.testing.assert_allclose(two, one, atol=1e-4, err_msg=name)


@pytest.fixture
def mirrored():
    """Two CPU devices that train synchronously, as train() takes them."""
    return {
        "strategy": tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]),
        "session_config": plain_session(device_count={"CPU": 2}, allow_soft_placement=True),
    }


@pytest.mark.filterwarnings("ignore:To make it possible to preserve tf.data options")
@pytest.mark.parametrize("batch_norm", [False, True])
def test_mirrored_devices_train_evaluate_everything_and_resume(
    data, tmp_path, mirrored, capsys, batch_norm
):
    params = dataclasses.replace(TINY, batch_norm=batch_norm)
    if batch_norm:
        mirrored.update(distortion=1.0, beginnings=0.5, class_balance=0.5)
    result = train(data, tmp_path / "m", params=params, steps=4, **mirrored)
    assert result["global_step"] == 4 and result["drawings"] == 18
    assert "Replicas:   2 of 4 drawings, 8 a step" in capsys.readouterr().out
    result = train(data, tmp_path / "m", params=params, steps=5)  # by one device
    assert result["global_step"] == 5
    assert train(data, tmp_path / "m", params=params, steps=6, **mirrored)["global_step"] == 6


@pytest.mark.filterwarnings("ignore:To make it possible to preserve tf.data options")
def test_mirrored_devices_train_in_half_precision(data, tmp_path, mirrored, monkeypatch):
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    params = dataclasses.replace(TINY, cell_type="block_lstm", mixed_precision=True)
    assert train(data, tmp_path / "m", params=params, steps=4, **mirrored)["global_step"] == 4


@pytest.mark.filterwarnings("ignore:To make it possible to preserve tf.data options")
def test_mirrored_devices_start_from_weights_and_stop_early(data, tmp_path, mirrored):
    first = train(data, tmp_path / "a", params=dataclasses.replace(TINY, cell_type="lstm"))
    frozen = dataclasses.replace(TINY, learning_rate=1e-12)
    result = train(
        data,
        tmp_path / "b",
        params=frozen,
        steps=50,
        save_checkpoints_steps=2,
        warm_start_from=str(tmp_path / "a"),
        early_stopping_evals=1,
        **mirrored,
    )
    assert result["global_step"] < 10
    assert result["loss"] == pytest.approx(first["loss"], rel=1e-5)


def test_a_worker_that_never_comes_is_named_in_time(data, tmp_path):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        host = f"127.0.0.1:{reserved.getsockname()[1]}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            own = f"127.0.0.1:{free.getsockname()[1]}"
        environment = in_tf_config("chief", 0, {"chief": [own], "worker": [host]})
        done = run_program(
            *train_model_args(
                data,
                num_layers=1,
                num_nodes=4,
                num_conv=4,
                conv_len=3,
                steps=3,
                model_dir=tmp_path / "m",
                distribution="multi_worker",
                cluster_timeout_secs=5,
            ),
            environment=environment,
        )
    assert done.returncode == 138
    assert f"No connection to worker 0 ({host})" in done.stderr and "5 seconds" in done.stderr


def test_a_cluster_survives_the_death_of_a_worker(data, tmp_path):
    program, *flags = train_model_args(
        data,
        num_layers=1,
        num_nodes=4,
        num_conv=4,
        conv_len=3,
        steps=120,
        batch_size=4,
        model_dir=tmp_path / "m",
        save_checkpoints_steps=60,
        eval_throttle_secs=0,
    )
    process = start_program(
        "scripts/local_cluster",
        "--workers=1",
        "--restarts=9",
        f"--pids={tmp_path}/pids",
        "--",
        *flags,
    )
    said = ""
    for line in process.stdout:
        said += line
        if "[chief 0] step 1/120" in line:
            os.kill(json.loads((tmp_path / "pids").read_text())["worker 0"], signal.SIGKILL)
            break
    said += process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    assert "[worker 0] ended with -9; starting it again" in said
    assert re.search(r"\[chief 0\] evaluation at step 120: .* 18 drawings", said)
    assert re.search(r"\[evaluator 0\] evaluation at step 120: .* 18 drawings", said)
    assert tf.train.load_variable(str(tmp_path / "m"), "global_step") == 120
    assert list((tmp_path / "m/export/drawing_classifier").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which processes there are")
def test_no_process_outlives_a_local_cluster_that_is_killed(data, tmp_path):
    pids = tmp_path / "pids"
    program, *flags = train_model_args(data, model_dir=tmp_path / "m")
    process = start_program("scripts/local_cluster", f"--pids={pids}", "--", *flags)
    while not pids.exists() and process.poll() is None:
        pass
    numbers = json.loads(pids.read_text())
    assert set(numbers) == {"chief 0", "worker 0", "evaluator 0"}
    assert all(map(is_running, numbers.values()))
    process.kill()
    process.communicate(timeout=20)
    deadline = time.monotonic() + 20
    while any(map(is_running, numbers.values())):
        assert time.monotonic() < deadline


def is_running(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"  # it has ended, and nobody has asked how


def test_an_evaluator_that_waits_for_a_checkpoint_ends_when_it_is_told_to(data, tmp_path):
    process = start_program(
        *train_model_args(data, distribution="multi_worker", model_dir=tmp_path / "m"),
        environment=in_tf_config("evaluator", 0, {"chief": ["a:1"], "worker": ["b:1"]}),
    )
    for line in process.stdout:
        if "this is evaluator 0" in line:
            break
    process.terminate()
    said = process.communicate(timeout=20)[0]
    assert process.returncode == 143 and "Stopped;" in said and "Traceback" not in said


def test_a_process_that_waits_ends_well_when_the_last_step_is_saved(monkeypatch, capsys):
    ended = []

    def leave(code):
        ended.append(code)
        raise SystemExit

    monkeypatch.setattr(cluster.os, "_exit", leave)
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    monkeypatch.setattr(cluster.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(cluster, "probe", lambda **_: {"chief 0 (a:1)": "gone"})
    hook = cluster.ClusterHook(patience=60, is_done=lambda: True)
    hook.begin()
    hook._last_step -= 10
    with pytest.raises(SystemExit):
        hook._watch()
    assert ended == [0] and "All steps are done" in capsys.readouterr().out
    # The chief saves the last step and ends after the process has looked whether all is done.
    done = iter([False, True])
    hook = cluster.ClusterHook(patience=0, is_done=lambda: next(done))
    hook.begin()
    hook._last_step -= 10
    with pytest.raises(SystemExit):
        hook._watch()
    assert ended[1:] == [0]
