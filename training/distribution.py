"""Which devices and machines train together."""

from __future__ import annotations

import dataclasses
import warnings

import tensorflow as tf

from common.errors import UserError
from common.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class Distribution(Settings):
    """Which devices and machines train together."""

    distribution: str = setting(
        "none",
        "mirrored: all GPUs of this machine. multi_worker: the cluster in TF_CONFIG.",
        choices=("none", "mirrored", "multi_worker"),
    )
    cluster_timeout_secs: int = setting(
        600, "Seconds to wait for the other processes of a cluster.", at_least=1
    )


def make_strategy(distribution: str) -> tf.distribute.Strategy | None:
    """Makes the strategy that Estimator trains with; None where it needs none.

    Raises:
      UserError: the machine has not what the strategy needs.
    """
    if distribution == "mirrored":
        if not tf.config.list_physical_devices("GPU"):
            raise UserError(
                "--distribution=mirrored trains on all GPUs of this machine, and TensorFlow sees "
                "none; --distribution=none trains on its CPU"
            )
        return tf.distribute.MirroredStrategy()
    if distribution == "multi_worker":
        # TensorFlow warns here of its own code.
        warnings.filterwarnings("ignore", message="To make it possible to preserve tf.data options")
        return tf.distribute.MultiWorkerMirroredStrategy()
    return None
