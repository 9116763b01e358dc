"""A step of the optimiser, and its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# What a step says when a gradient is NaN or infinite.
NOT_FINITE = "the gradients are not finite"


def cosine_learning_rate(
    global_step: tf.Tensor, *, highest: float, warmup_steps: int, decay_steps: int
) -> tf.Tensor:
    """Returns the learning rate of a step, float32 []: a linear rise, then half a cosine wave down
    to zero.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, without
    the restarts.

    Args:
      global_step: int64 [], steps done.
      highest: the rate between rise and fall.
      warmup_steps: of the rise.
      decay_steps: where the rate is zero, counted from the first step.
    """
    step = tf.cast(global_step, tf.float32)
    warmup = float(min(warmup_steps, decay_steps))
    rising = (step + 1) / max(warmup, 1.0)
    share = tf.clip_by_value((step - warmup) / max(decay_steps - warmup, 1.0), 0.0, 1.0)
    falling = 0.5 * (1 + tf.cos(math.pi * share))
    return highest * tf.where(step < warmup, rising, falling)


class Adam(tf.compat.v1.train.AdamOptimizer):
    """TensorFlow's, which can also make weights smaller by a share of themselves each step.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019: the share is the learning
    rate times `weight_decay`. Vectors, biases and such, are left as they are.
    """

    def __init__(self, learning_rate: tf.Tensor, *, weight_decay: float):
        super().__init__(learning_rate)
        self._weight_decay = weight_decay

    def _resource_apply_dense(self, grad: tf.Tensor, var: tf.Variable) -> tf.Operation:
        if not self._weight_decay or len(var.shape) < 2:
            return super()._resource_apply_dense(grad, var)
        with tf.control_dependencies([grad]):  # of the weights as they were
            decayed = var.assign_sub(self._lr_t * self._weight_decay * var, read_value=False)
        with tf.control_dependencies([decayed]):
            return super()._resource_apply_dense(grad, var)


def train_op(
    loss: tf.Tensor,
    *,
    learning_rate: tf.Tensor,
    weight_decay: float,
    gradient_clipping_norm: float,
    half_precision: tf.DType | None,
) -> tf.Operation:
    """Makes one step of Adam on gradients clipped by their global norm, and its summaries.

    Args:
      loss: float32 [].
      learning_rate: float32 [].
      weight_decay: as `Adam` takes it.
      gradient_clipping_norm: bound of the gradients' global norm; 0 for none.
      half_precision: of the products, None for float32. float16 needs its loss scaled.

    Returns:
      The operation that changes the variables and counts the global step.

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: a gradient is not finite; no variable is changed then. A
        step in float16 is skipped instead, and the loss scale lowered.
    """
    float16 = half_precision == tf.float16
    optimizer = _make_optimizer(learning_rate, weight_decay=weight_decay, float16=float16)
    gradients, variables = _compute_gradients(optimizer, loss)
    with tf.name_scope("clipping"):
        norm = tf.linalg.global_norm(gradients)
        if not float16:
            # A loss is seen to be NaN only one step after the variables are, when they may have
            # been saved.
            norm = tf.debugging.check_numerics(norm, NOT_FINITE)
        clipped = _clip(gradients, norm, bound=gradient_clipping_norm)
    tf.compat.v1.summary.scalar("learning_rate", learning_rate)
    _write_summaries(gradients, variables, norm=norm, clipped=clipped, float16=float16)
    return _apply(optimizer, clipped, variables, after=norm)


def _make_optimizer(
    learning_rate: tf.Tensor, *, weight_decay: float, float16: bool
) -> tf.compat.v1.train.Optimizer:
    optimizer = Adam(learning_rate, weight_decay=weight_decay)
    if not float16:
        return optimizer
    with tf.variable_creator_scope(_local_variable):
        return tf.compat.v1.mixed_precision.enable_mixed_precision_graph_rewrite(optimizer)


def _compute_gradients(
    optimizer: tf.compat.v1.train.Optimizer, loss: tf.Tensor
) -> tuple[Sequence[tf.Tensor], Sequence[tf.Variable]]:
    """Returns the gradients of the whole batch, of which each replica has a share, and what they
    are of."""
    with tf.name_scope("backward"):
        gradients, variables = zip(*optimizer.compute_gradients(loss))
    replicas = tf.distribute.get_replica_context()
    if replicas.num_replicas_in_sync > 1:
        gradients = replicas.merge_call(_sum_over_replicas, args=gradients)
    return gradients, variables


def _clip(gradients: Sequence[tf.Tensor], norm: tf.Tensor, *, bound: float) -> Sequence[tf.Tensor]:
    """Scales gradients of that global norm down to the bound; 0 is none."""
    if not bound:
        return gradients
    return tf.clip_by_global_norm(gradients, bound, use_norm=norm)[0]


def _write_summaries(
    gradients: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
    *,
    norm: tf.Tensor,
    clipped: Sequence[tf.Tensor],
    float16: bool,
) -> None:
    with tf.name_scope("gradient_norms"):
        norms = [tf.norm(gradient) for gradient in gradients]
        clipped_norm = tf.linalg.global_norm(clipped)
    tf.compat.v1.summary.scalar("global_norm/gradient_norm", norm)
    tf.compat.v1.summary.scalar("global_norm/clipped_gradient_norm", clipped_norm)
    for gradient, gradient_norm, variable in zip(gradients, norms, variables):
        name = variable.op.name
        if float16:  # no histogram takes what a skipped step may hold
            finite = tf.math.is_finite(gradient)
            gradient = tf.where(finite, gradient, tf.zeros_like(gradient))
        tf.compat.v1.summary.histogram(f"gradients/{name}", gradient)
        tf.compat.v1.summary.scalar(f"gradient_norm/{name}", gradient_norm)


def _apply(
    optimizer: tf.compat.v1.train.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
    *,
    after: tf.Tensor,
) -> tf.Operation:
    """Changes the variables and what else is to change in a step, once `after` is computed."""
    num_replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    if num_replicas > 1:  # applying adds up what the replicas give
        gradients = [gradient / num_replicas for gradient in gradients]
    global_step = tf.compat.v1.train.get_or_create_global_step()
    updates = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies([after, *updates]):
        return optimizer.apply_gradients(zip(gradients, variables), global_step=global_step)


def float32_sessions() -> None:
    """Lets sessions begun from now on compute in float32; those that train stay as they are.

    TensorFlow has one switch for all sessions of a process, which float16 turns on.
    """
    if tf.config.optimizer.get_experimental_options().get("auto_mixed_precision"):
        tf.compat.v1.mixed_precision.disable_mixed_precision_graph_rewrite()


def _local_variable(create: Callable[..., tf.Variable], **arguments: Any) -> tf.Variable:
    """Makes a variable that is in no checkpoint: the loss scale, which soon finds itself again.

    So a run may go on in float16 that began in float32, and the other way round.
    """
    arguments["collections"] = [tf.compat.v1.GraphKeys.LOCAL_VARIABLES]
    return create(**arguments)


def _sum_over_replicas(
    strategy: tf.distribute.Strategy, *gradients: tf.distribute.DistributedValues
) -> list[tf.distribute.DistributedValues]:
    # What ReplicaContext.all_reduce does, which looks for a gradient's variables by their names
    # and does not find those of the second replica.
    pairs = [(gradient, gradient) for gradient in gradients]
    return strategy.extended.batch_reduce_to(tf.distribute.ReduceOp.SUM, pairs)
