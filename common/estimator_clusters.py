"""Synchronous training by Estimator: stands in for a module that TensorFlow 2.16 removed.

`tensorflow.python.distribute.estimator_training` told Estimator's processes their places in the
cluster of TF_CONFIG. The distribute coordinator that it called is still there. These are the three
functions of it that `RunConfig` and `train_and_evaluate` call, for a strategy whose processes all
train: an evaluator has no strategy, and Estimator runs it without them.
"""

from __future__ import annotations

import copy

from tensorflow.python.distribute import distribute_coordinator, distribute_coordinator_context
from tensorflow.python.training import server_lib


def init_run_config(config, tf_config) -> None:
    """Tells a RunConfig with a strategy whether it trains by itself or in a cluster.

    Args:
      config: the RunConfig, whose private attributes are set.
      tf_config: what TF_CONFIG holds, a dictionary.
    """
    cluster = server_lib.ClusterSpec(tf_config.get("cluster", {}))
    in_cluster = cluster and config.train_distribute
    config._init_distributed_setting_from_environment_var({} if in_cluster else tf_config)
    if in_cluster:
        # The rest of the place is known once the coordinator has started TensorFlow's server.
        config._cluster_spec = cluster
        config._distribute_coordinator_mode = (
            distribute_coordinator.CoordinatorMode.INDEPENDENT_WORKER
        )
    else:
        config._distribute_coordinator_mode = None
        config._maybe_overwrite_session_config_for_distributed_training()


def should_run_distribute_coordinator(config) -> bool:
    """Returns whether this process trains synchronously with others."""
    return bool(getattr(config, "_distribute_coordinator_mode", None) and config.cluster_spec)


def train_and_evaluate(estimator, train_spec, eval_spec, executor_cls) -> None:
    """Trains with the others of the cluster; the evaluations are another process's."""

    def train(strategy) -> None:
        config = copy.deepcopy(estimator.config)
        _take_place(config, distribute_coordinator_context.get_current_worker_context())
        config._train_distribute = strategy
        placed = copy.copy(estimator)
        placed._config = config
        placed._train_distribution = strategy
        placed.train(
            train_spec.input_fn, max_steps=train_spec.max_steps, hooks=list(train_spec.hooks)
        )

    config = estimator.config
    distribute_coordinator.run_distribute_coordinator(
        train,
        config.train_distribute,
        mode=config._distribute_coordinator_mode,
        session_config=config.session_config,
    )


def _take_place(config, context) -> None:
    """Gives a RunConfig the place that the coordinator's context names."""
    jobs = context.cluster_spec.as_dict()
    chiefs, workers = len(jobs.get("chief", ())), len(jobs.get("worker", ()))
    config._service = None
    config._cluster_spec = context.cluster_spec
    config._task_type = context.task_type
    config._task_id = context.task_id
    config._master = config._evaluation_master = context.master_target
    config._is_chief = context.is_chief
    config._num_ps_replicas = 0
    config._num_worker_replicas = chiefs + workers
    config._global_id_in_cluster = context.task_id + (
        chiefs if context.task_type == "worker" else 0
    )
    config._distribute_coordinator_mode = None  # or `train` would ask the coordinator again
