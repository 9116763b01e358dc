"""Estimator on a TensorFlow that no longer contains it.

TensorFlow 2.16 removed `tf.estimator`, and kept what Estimator is made of: sessions, hooks, savers,
strategies. The library itself is the package tensorflow-estimator, whose last release, 2.15.0, is
pure Python. It runs unmodified once three things stand in for what is gone:

- the package `tensorflow_estimator`, without its `__init__`, which imports all canned estimators
  and the TPU's;
- its decorator `estimator_export`, whose base class TensorFlow removed; it only gave names in
  `tf.estimator`;
- the module `tensorflow.python.distribute.estimator_training`; see common/estimator_clusters.py.

Everywhere else `tf.estimator.X` is `estimators.X`. Private modules on which this depends: of
TensorFlow `tensorflow.python.distribute.distribute_coordinator` and
`.distribute_coordinator_context`, and what tensorflow-estimator imports itself; of
tensorflow-estimator the modules of `tensorflow_estimator.python.estimator` named below.
"""

from __future__ import annotations

import importlib.util
import sys
import types

import tensorflow as tf

PACKAGE = "tensorflow_estimator"


class _Unexported:
    """Stands in for the decorator `estimator_export`: leaves what it decorates alone."""

    def __init__(self, *names: str, **v1_names: object):
        pass

    def __call__(self, symbol):
        return symbol


def _stand_in(name: str, **members: object) -> None:
    """Makes `import name` give a module that has these members and nothing else."""
    module = types.ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module


def _prepare_import() -> None:
    package = importlib.util.find_spec(PACKAGE)
    if package is None:
        raise ImportError(f"{PACKAGE} is not installed; pip install -r requirements.txt does it")
    _stand_in(PACKAGE, __path__=package.submodule_search_locations)
    _stand_in(f"{PACKAGE}.python.estimator.estimator_export", estimator_export=_Unexported)
    sys.modules["tensorflow.python.distribute.estimator_training"] = estimator_clusters


try:
    from common import estimator_clusters

    _prepare_import()
    from tensorflow_estimator.python.estimator.estimator import EstimatorV2 as Estimator
    from tensorflow_estimator.python.estimator.estimator import WarmStartSettings
    from tensorflow_estimator.python.estimator.exporter import Exporter
    from tensorflow_estimator.python.estimator.mode_keys import ModeKeys
    from tensorflow_estimator.python.estimator.model_fn import EstimatorSpec
    from tensorflow_estimator.python.estimator.run_config import RunConfig
    from tensorflow_estimator.python.estimator.training import (
        EvalSpec,
        TrainSpec,
        train_and_evaluate,
    )
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"TensorFlow {tf.__version__} lacks a part that Estimator is made of ({error}); "
        "requirements.txt names a release that has them all"
    ) from error

# TensorFlow itself has kept these.
CheckpointSaverListener = tf.compat.v1.train.CheckpointSaverListener
NanLossDuringTrainingError = tf.compat.v1.train.NanLossDuringTrainingError
SessionRunArgs = tf.compat.v1.train.SessionRunArgs
SessionRunHook = tf.compat.v1.train.SessionRunHook

__all__ = [
    "CheckpointSaverListener",
    "Estimator",
    "EstimatorSpec",
    "EvalSpec",
    "Exporter",
    "ModeKeys",
    "NanLossDuringTrainingError",
    "RunConfig",
    "SessionRunArgs",
    "SessionRunHook",
    "TrainSpec",
    "WarmStartSettings",
    "train_and_evaluate",
]
