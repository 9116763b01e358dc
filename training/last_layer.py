"""Columns of the last layer in closed form, for classes that the network was not trained on.

Random columns would send random gradients through the whole network in its first steps, and spoil
what it has learnt. Ridge regression (Hoerl and Kennard, "Ridge Regression: Biased Estimation for
Nonorthogonal Problems", 1970) on the network's embeddings separates a few drawings of each class
well, without a step of training. Shapes: M drawings, N nodes of an LSTM layer, K classes, J of
them new.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

import input_pipeline
import model

# Drawings whose embeddings are computed at most: 10 seconds of two cores.
MAX_DRAWINGS = 10_000
BATCH_SIZE = 64

# Added to the diagonal of the embeddings' scatter matrix, as a share of its trace: among 0.002 to
# 0.02 the best for 10, 30 and 100 drawings of each of 20 words.
RIDGE = 0.005
# How far a drawing's class shall be above the best of the others, and the others below it.
MARGIN = 5.0


def fit_new_columns(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    kernel: np.ndarray,
    bias: np.ndarray,
    is_new: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Fits the columns of new classes; the others keep their values.

    The target of a new class is a drawing's best logit among the known classes, or 0 if there are
    none, plus MARGIN for its own drawings and minus MARGIN for the others. That best logit is not
    linear in the embedding; so the new classes' bias is moved until as many drawings go to them as
    belong to them.

    Args:
      embeddings: [M, 2N], of training drawings.
      labels: int [M], their classes.
      kernel: [2N, K], of which the known classes' columns count.
      bias: [K].
      is_new: bool [K].

    Returns:
      The kernel, float32 [2N, K], and the bias, float32 [K].
    """
    embeddings = embeddings.astype(np.float64)
    rivals = np.zeros(len(labels))
    if not is_new.all():
        logits = embeddings @ kernel[:, ~is_new] + bias[~is_new]
        rivals = logits.max(axis=1)
    is_own = labels[:, np.newaxis] == np.flatnonzero(is_new)
    targets = rivals[:, np.newaxis] + np.where(is_own, MARGIN, -MARGIN)  # [M, J]

    mean, target_mean = embeddings.mean(axis=0), targets.mean(axis=0)
    centred = embeddings - mean
    scatter = centred.T @ centred
    ridge = RIDGE * np.trace(scatter) or 1.0
    fitted = np.linalg.solve(
        scatter + ridge * np.eye(len(scatter)), centred.T @ (targets - target_mean)
    )
    kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
    kernel[:, is_new] = fitted
    bias[is_new] = target_mean - mean @ fitted
    if not is_new.all():
        logits = embeddings @ kernel[:, is_new] + bias[is_new]
        leads = logits.max(axis=1) - rivals
        bias[is_new] -= np.quantile(leads, 1 - is_own.any(axis=1).mean())
    return kernel, bias


def embed_records(
    files: Sequence[str], checkpoint: str, *, params: model.HParams
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the embeddings of the first drawings of TFRecord files, in no particular order.

    Args:
      files: their paths.
      checkpoint: of a network's variables, in float32.
      params: of that network.

    Returns:
      Embeddings, float32 [M, 2N], and labels, int64 [M], of about MAX_DRAWINGS or all drawings.
    """
    input_fn = input_pipeline.eval_input_fn(
        files, batch_size=BATCH_SIZE, num_classes=params.num_classes
    )
    return embed(lambda: input_fn().take(MAX_DRAWINGS // BATCH_SIZE), checkpoint, params=params)


def embed(
    input_fn: input_pipeline.InputFn,
    checkpoint: str,
    *,
    params: model.HParams,
    training: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the embeddings of a dataset's drawings.

    Args:
      input_fn: makes the dataset, of at least one batch.
      checkpoint, params: as `embed_records` takes them.
      training: whether to drop out.

    Returns:
      Embeddings, float32 [M, 2N], and labels, int64 [M].
    """
    batches = []
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(0)  # of dropout
        features, labels = tf.compat.v1.data.make_one_shot_iterator(input_fn()).get_next()
        embedding = model.embed(
            features["ink"], features["lengths"], params=params, training=training
        )
        saver = tf.compat.v1.train.Saver()
        with tf.compat.v1.Session() as session:
            saver.restore(session, checkpoint)
            while True:
                try:
                    batches.append(session.run((embedding, labels)))
                except tf.errors.OutOfRangeError:
                    break
    embeddings, labels = zip(*batches)
    return np.concatenate(embeddings), np.concatenate(labels).astype(np.int64)
