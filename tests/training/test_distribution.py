import numpy as np
import pytest
import tensorflow as tf
from helpers import in_tf_config, random_records, run_dataset, write_records

import input_pipeline
from training import cluster, distribution, tf_config


def test_tasks_of_a_cluster_know_their_part():
    tasks = [
        tf_config.read_task("multi_worker", in_tf_config(kind, index))
        for kind, index in (("chief", 0), ("worker", 0), ("worker", 1), ("evaluator", 0))
    ]
    assert [task.num_workers for task in tasks] == [3] * 4
    assert [task.worker for task in tasks if task.trains] == [0, 1, 2]
    assert [task.is_chief for task in tasks] == [True, False, False, False]
    # Without a chief the first worker is it, as TensorFlow has it.
    workers = {"worker": ["a:1", "b:1"]}
    task = tf_config.read_task("multi_worker", in_tf_config("worker", 0, workers))
    assert task.is_chief and task.num_workers == 2


@pytest.mark.parametrize(
    "kind, environment, message",
    [
        ("multi_worker", {}, "needs a cluster in TF_CONFIG, which is not set"),
        (
            "none",
            in_tf_config("chief"),
            "TF_CONFIG describes a cluster, but --distribution=none",
        ),
        ("multi_worker", {"TF_CONFIG": "{"}, "not a cluster in JSON"),
        ("multi_worker", {"TF_CONFIG": "[]"}, "not a cluster in JSON"),
        (
            "multi_worker",
            in_tf_config("chief", 0, {"chief": ["a:1"], "ps": ["b:1"]}),
            "needs no parameter servers",
        ),
        (
            "multi_worker",
            in_tf_config("chief", 0, {"chief": "a:1"}),
            'chief is "a:1"; expected',
        ),
        (
            "multi_worker",
            in_tf_config("chief", 0, {"chief": [7]}),
            "expected a list such as",
        ),
        (
            "multi_worker",
            in_tf_config("chief", 0, {"chief": ["a"]}),
            "expected a list such as",
        ),
        (
            "multi_worker",
            in_tf_config("chief", 0, {"chief": {"a:1": 1}}),
            "expected a list such as",
        ),
        ("multi_worker", in_tf_config("worker", 2), "the cluster has no worker 2"),
        ("multi_worker", in_tf_config("master"), "task type 'master'"),
        (
            "multi_worker",
            in_tf_config("evaluator", 0, {"x": ["a:1"]}),
            "neither chief nor worker",
        ),
    ],
)
def test_clusters_that_do_not_fit_are_refused(kind, environment, message):
    with pytest.raises(ValueError, match=message):
        tf_config.read_task(kind, environment)


def test_a_process_without_a_cluster_is_the_chief():
    assert tf_config.read_task("none", {}) == tf_config.Task("chief", 0, 1, 0)
    assert tf_config.read_task("none", {"TF_CONFIG": "{}"}).is_chief


def test_mirrored_needs_gpus():
    with pytest.raises(ValueError, match="TensorFlow sees none; --distribution=none trains on its"):
        distribution.make_strategy("mirrored")


@pytest.mark.parametrize("num_files", [1, 2, 3, 7])
@pytest.mark.parametrize("num_parts", [2, 3])
def test_parts_of_an_epoch_are_the_training_set_each_drawing_once(tmp_path, num_files, num_parts):
    records = random_records(150)
    files = [write_records(tmp_path / f"r{i}", records[i::num_files]) for i in range(num_files)]
    seen = []
    for part in range(num_parts):
        batches = run_dataset(
            input_pipeline.training_input_fn(
                files,
                batch_size=1,  # whatever fills no batch would be left out
                num_classes=3,
                seed=5,
                num_epochs=1,
                part=part,
                num_parts=num_parts,
            )
        )
        drawings = [
            ink[:length].tobytes()
            for features, _ in batches
            for ink, length in zip(features["ink"], features["lengths"])
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


def test_an_address_in_use_is_named(monkeypatch):
    for name, value in in_tf_config("worker", 1).items():
        monkeypatch.setenv(name, value)
    task = tf_config.read_task("multi_worker")
    error = tf.errors.UnknownError(None, None, "Could not start gRPC server")
    with (
        pytest.raises(cluster.PeerFailed, match="c:1, this process's address .* is in use"),
        cluster.failed_peers_named(task),
    ):
        raise error
    with (
        pytest.raises(cluster.PeerFailed, match="another process of the cluster failed .Una"),
        cluster.failed_peers_named(task),
    ):
        raise tf.errors.UnavailableError(None, None, "Socket closed")
    with (
        pytest.raises(tf.errors.UnknownError),
        cluster.failed_peers_named(tf_config.Task()),
    ):
        raise error
