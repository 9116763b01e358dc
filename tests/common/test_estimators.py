"""Estimator is there, unmodified, and says what is missing where TensorFlow has lost a part."""

import base64
import hashlib
import importlib.metadata
import subprocess
import sys

import pytest
from helpers import ROOT

from common import estimator_clusters, estimators


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_the_library_is_the_one_of_the_package():
    """What is imported are the package's own files: a wheel lists the digest of each."""
    files = {str(f): f for f in importlib.metadata.files(estimators.PACKAGE.replace("_", "-"))}
    for part in (estimators.Estimator, estimators.RunConfig, estimators.train_and_evaluate):
        file = files[part.__module__.replace(".", "/") + ".py"]
        digest = hashlib.sha256(file.locate().read_bytes()).digest()
        padded = file.hash.value + "=" * (-len(file.hash.value) % 4)

        assert base64.urlsafe_b64decode(padded) == digest


@pytest.mark.parametrize(
    "lost",
    [
        "tensorflow.python.training.basic_session_run_hooks",
        "tensorflow.python.distribute.distribute_coordinator",
    ],
)
def test_a_part_that_tensorflow_lost_is_named(lost):
    package, _, name = lost.rpartition(".")
    done = run_python(
        "import sys, tensorflow\n"
        f"sys.modules[{lost!r}] = None\n"
        f"vars(sys.modules[{package!r}]).pop({name!r}, None)\n"
        "from common import estimators\n"
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: TensorFlow 2.") and name in last
    assert last.endswith("requirements.txt names a release that has them all")


def test_a_config_knows_whether_it_trains_in_a_cluster(monkeypatch):
    class Strategy:
        """As much of a strategy as a RunConfig looks at."""

    alone = estimators.RunConfig(train_distribute=Strategy())
    assert alone.is_chief and not estimator_clusters.should_run_distribute_coordinator(alone)
    monkeypatch.setenv(
        "TF_CONFIG",
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 0}}',
    )
    in_step = estimators.RunConfig(train_distribute=Strategy())
    assert estimator_clusters.should_run_distribute_coordinator(in_step)
    assert in_step.cluster_spec.as_dict() == {"chief": ["a:1"], "worker": ["b:1"]}
    evaluator = estimators.RunConfig()
    assert not estimator_clusters.should_run_distribute_coordinator(evaluator)
