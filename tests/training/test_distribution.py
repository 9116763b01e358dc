import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

from common import locks

import numpy as np
import pytest
import tensorflow as tf
from helpers import (
    ROOT,
    TINY,
    random_records,
    run_dataset,
    run_program,
    start_program,
    train,
    train_model_args,
    write_records,
)

import input_pipeline
from training import distribution, hooks, model_dirs

CLUSTER_TASK = str(ROOT / "tests/training/cluster_task.py")

CLUSTER = {"chief": ["a:1"], "worker": ["b:1", "c:1"], "ps": ["d:1"]}


def config(kind, index=0, cluster=None) -> dict[str, str]:
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster or CLUSTER, "task": task})}


# ---- Tasks ----


def test_tasks_of_a_cluster_know_their_part():
    tasks = [
        distribution.read_task("parameter_server", config(kind, index))
        for kind, index in (("chief", 0), ("worker", 0), ("worker", 1), ("ps", 0), ("evaluator", 0))
    ]
    assert [task.num_workers for task in tasks] == [3] * 5
    assert [task.worker for task in tasks if task.trains] == [0, 1, 2]
    assert [task.is_chief for task in tasks] == [True, False, False, False, False]
    # Without a chief the first worker is it, as TensorFlow has it.
    workers = {"worker": ["a:1", "b:1"]}
    task = distribution.read_task("multi_worker", config("worker", 0, workers))
    assert task.is_chief and task.num_workers == 2


@pytest.mark.parametrize(
    "kind, environment, message",
    [
        ("multi_worker", {}, "needs a cluster in TF_CONFIG, which is not set"),
        ("none", config("chief"), "TF_CONFIG describes a cluster, but --distribution=none"),
        ("multi_worker", {"TF_CONFIG": "{"}, "not a cluster in JSON"),
        ("multi_worker", {"TF_CONFIG": "[]"}, "not a cluster in JSON"),
        ("multi_worker", config("chief"), "has no use for a ps"),
        ("parameter_server", config("worker", 2), "the cluster has no worker 2"),
        ("parameter_server", config("master"), "task type 'master'"),
        ("parameter_server", config("chief", 0, {"chief": ["a:1"]}), "needs a chief and a ps"),
        ("multi_worker", config("evaluator", 0, {"x": ["a:1"]}), "neither chief nor worker"),
    ],
)
def test_clusters_that_do_not_fit_are_refused(kind, environment, message):
    with pytest.raises(ValueError, match=message):
        distribution.read_task(kind, environment)


def test_a_process_without_a_cluster_is_the_chief():
    assert distribution.read_task("none", {}) == distribution.Task("chief", 0, 1, 0)
    assert distribution.read_task("none", {"TF_CONFIG": "{}"}).is_chief


def test_mirrored_needs_gpus():
    with pytest.raises(ValueError, match="TensorFlow sees none; --distribution=none trains on its"):
        distribution.make_strategy("mirrored")


# ---- Data ----


@pytest.mark.parametrize("num_files", [1, 2, 3, 7])
@pytest.mark.parametrize("num_parts", [2, 3])
def test_parts_of_an_epoch_are_the_training_set_each_drawing_once(tmp_path, num_files, num_parts):
    records = random_records(150)
    files = [write_records(tmp_path / f"r{i}", records[i::num_files]) for i in range(num_files)]
    seen = []
    for part in range(num_parts):
        batches = run_dataset(
            input_pipeline.training_input_fn(
                files, batch_size=4, num_classes=3, seed=5, num_epochs=1, part=part,
                num_parts=num_parts,
            )
        )  # fmt: skip
        drawings = [
            ink[: shape[0]].tobytes()
            for features, _ in batches
            for ink, shape in zip(features["ink"], features["shape"])
        ]
        assert len(drawings) >= 150 // num_parts // 2  # a fair share
        seen += drawings
    expected = [
        np.array(
            tf.train.Example.FromString(r).features.feature["ink"].float_list.value, np.float32
        ).tobytes()
        for r in records
    ]
    assert sorted(seen) == sorted(expected)


# ---- Strategies, by real processes ----


def run_cluster(kind: str, cluster: dict[str, int], arguments) -> dict[str, str]:
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
                processes[f"{name} {index}"] = subprocess.Popen(
                    [sys.executable, CLUSTER_TASK, kind, *arguments],
                    env={**os.environ, **config(name, index, hosts)},
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                )  # fmt: skip
        output = {}
        for name, process in processes.items():
            if not name.startswith("ps"):
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
    input_pipeline.write_classes(str(tmp_path / "classes"), ["ant", "bee", "cat"])
    return [str(tmp_path / "classes"), *files]


def test_two_workers_in_step_are_one_with_the_batch_of_both(tmp_path, two_files):
    alone = subprocess.run(
        [sys.executable, CLUSTER_TASK, "none", "64", "12",
         str(tmp_path / "one"), *two_files],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    expected = losses(alone.stdout)
    assert len(expected) == 12 and expected[-1] < 0.9 * expected[0]
    output = run_cluster(
        "multi_worker", {"chief": 1, "worker": 1}, ["32", "12", str(tmp_path / "two"), *two_files]
    )
    for text in output.values():
        np.testing.assert_allclose(losses(text), expected, atol=1e-5)
    for name, _ in tf.train.list_variables(str(tmp_path / "one")):
        one, two = (tf.train.load_variable(str(tmp_path / f), name) for f in ("one", "two"))
        np.testing.assert_allclose(two, one, atol=1e-4, err_msg=name)


def test_parameter_servers_train_and_evaluate(tmp_path, two_files):
    output = run_cluster(
        "parameter_server", {"chief": 1, "ps": 2}, ["32", "30", str(tmp_path / "m"), *two_files]
    )
    found = losses(output["chief 0"])
    assert found[-1] < 0.8 * found[0]
    assert "evaluation at step 30: " in output["chief 0"] and "64 drawings" in output["chief 0"]


@pytest.fixture
def mirrored():
    """Two CPU devices in step, as train() takes them."""
    return {
        "strategy": tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]),
        "session_config": tf.compat.v1.ConfigProto(
            device_count={"CPU": 2}, allow_soft_placement=True
        ),
    }


@pytest.mark.filterwarnings("ignore:To make it possible to preserve tf.data options")
@pytest.mark.parametrize("batch_norm", [False, True])
def test_mirrored_devices_train_evaluate_everything_and_resume(data, tmp_path, mirrored, capsys,
                                                               batch_norm):  # fmt: skip
    params = dataclasses.replace(TINY, batch_norm=batch_norm)
    result = train(data, tmp_path / "m", params=params, steps=4, **mirrored)
    assert result["global_step"] == 4 and result["drawings"] == 18
    assert "Replicas:   2 of 4 drawings, 8 a step" in capsys.readouterr().out
    result = train(data, tmp_path / "m", params=params, steps=5)  # by one device
    assert result["global_step"] == 5
    assert train(data, tmp_path / "m", params=params, steps=6, **mirrored)["global_step"] == 6


@pytest.mark.filterwarnings("ignore:To make it possible to preserve tf.data options")
def test_mirrored_devices_start_from_weights_and_stop_early(data, tmp_path, mirrored):
    first = train(data, tmp_path / "a", params=dataclasses.replace(TINY, cell_type="lstm"))
    frozen = dataclasses.replace(TINY, learning_rate=1e-12)
    result = train(
        data, tmp_path / "b", params=frozen, steps=50, save_checkpoints_steps=2,
        warm_start_from=str(tmp_path / "a"), early_stopping_evals=1, **mirrored,
    )  # fmt: skip
    assert result["global_step"] < 10
    assert result["loss"] == pytest.approx(first["loss"], rel=1e-5)


# ---- Faults ----


def test_a_worker_that_never_comes_is_named_in_time(data, tmp_path):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        host = f"127.0.0.1:{reserved.getsockname()[1]}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            own = f"127.0.0.1:{free.getsockname()[1]}"
        environment = config("chief", 0, {"chief": [own], "worker": [host]})
        done = run_program(
            *train_model_args(data, num_layers=1, num_nodes=4, num_conv=4, conv_len=3, steps=3,
                          model_dir=tmp_path / "m", distribution="multi_worker",
                          cluster_timeout_secs=5),
            environment=environment,
        )  # fmt: skip
    assert done.returncode == 138
    assert f"no connection to worker 0 ({host})" in done.stderr and "5 seconds" in done.stderr


def test_a_cluster_survives_the_death_of_a_worker(data, tmp_path):
    program, *flags = train_model_args(
        data, num_layers=1, num_nodes=4, num_conv=4, conv_len=3, steps=300, batch_size=4,
        model_dir=tmp_path / "m", save_checkpoints_steps=50, eval_throttle_secs=0,
    )  # fmt: skip
    process = start_program(
        "scripts/local_cluster", "--workers=1", "--restarts=9", f"--pids={tmp_path}/pids", "--",
        *flags,
    )  # fmt: skip
    said = ""
    for line in process.stdout:
        said += line
        if "[chief 0] step 1/300" in line:
            os.kill(json.loads((tmp_path / "pids").read_text())["worker 0"], signal.SIGKILL)
            break
    said += process.communicate(timeout=120)[0]
    assert process.returncode == 0, said
    assert "[worker 0] ended with -9; starting it again" in said
    assert re.search(r"\[chief 0\] evaluation at step 300: .* 18 drawings", said)
    assert re.search(r"\[evaluator 0\] evaluation at step 300: .* 18 drawings", said)
    assert tf.train.load_variable(str(tmp_path / "m"), "global_step") == 300
    assert list((tmp_path / "m/export/drawing_classifier").iterdir())


def test_workers_pause_while_a_chief_that_came_is_gone(monkeypatch):
    answers = iter(["gone", "there", "gone", "silent", "gone", "there"])
    paused = []

    def probe(**_):
        paused.append(hook._chief_is_gone)
        answer = next(answers, None)
        hook._ended = answer is None
        return {"chief 0 (a:1)": answer}

    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    hook = hooks.ClusterHook(patience=60, in_step=False)
    monkeypatch.setattr(hooks, "CHIEF_SECONDS", 0)
    monkeypatch.setattr(distribution, "probe", probe)
    hook._watch_chief()
    # Not before it came; a chief that is only silent may be at work.
    assert paused == [False, False, False, True, False, True, False]


def test_a_second_run_in_the_same_folder_refuses(data, tmp_path):
    with locks.only_writer(str(tmp_path / "m"), busy="the test is there"):
        done = run_program(*train_model_args(data, steps=1, model_dir=tmp_path / "m"))
    assert done.returncode == 1
    assert f"{tmp_path}/m: another run is training there" in done.stderr
    with locks.only_writer(str(tmp_path / "m"), busy="the test is there"):
        pass  # free again


def test_a_checkpoint_that_was_cut_off_is_not_gone_on_with(data, tmp_path, capsys):
    train(data, tmp_path / "m", steps=6)
    (cut,) = (tmp_path / "m").glob("model.ckpt-6.data-*")
    cut.write_bytes(cut.read_bytes()[:-20])
    model_dirs.drop_broken_checkpoints(str(tmp_path / "m"))
    assert tf.train.latest_checkpoint(str(tmp_path / "m")).endswith("model.ckpt-3")
    assert "model.ckpt-6: this checkpoint cannot be read" in capsys.readouterr().err
    result = train(data, tmp_path / "m", steps=8)
    assert result["global_step"] == 8


def test_a_folder_of_broken_checkpoints_is_begun_anew(data, tmp_path):
    train(data, tmp_path / "m", steps=3)
    for path in (tmp_path / "m").glob("model.ckpt-*.index"):
        path.write_bytes(b"")
    assert train(data, tmp_path / "m", steps=2)["global_step"] == 2


def test_early_stopping_in_a_cluster_is_refused(data, tmp_path):
    done = run_program(
        *train_model_args(data, distribution="multi_worker", early_stopping_evals=3,
                      model_dir=tmp_path / "m"),
        environment={**config("chief", 0, {"chief": ["a:1"], "worker": ["b:1"]})},
    )  # fmt: skip
    assert done.returncode == 1 and "--early_stopping_evals works on one machine" in done.stderr


def test_an_evaluator_need_not_be_able_to_train(data, tmp_path):
    train(data, tmp_path / "m", steps=6)
    flags = {
        name: str(value).strip("()")
        for name, value in dataclasses.asdict(TINY).items()
        if name not in ("num_classes", "decay_steps")
    }
    flags.update(cell_type="lstm", mixed_precision=True, steps=6, model_dir=tmp_path / "m")
    cluster = {"chief": ["a:1"], "worker": ["b:1"]}
    arguments = train_model_args(data, distribution="multi_worker", **flags)
    evaluator, worker = (
        run_program(*arguments, environment=config(kind, 0, cluster))
        for kind in ("evaluator", "worker")
    )
    assert evaluator.returncode == 0, evaluator.stderr
    assert "has done 6 steps already" in evaluator.stdout
    assert worker.returncode == 1 and "--mixed_precision" in worker.stderr
