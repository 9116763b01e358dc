"""What the network made of a batch, for hooks to look at.

Estimator hands a hook the graph, and nothing of what `model_fn` returned but its loss. A graph's
collections are how TensorFlow passes things on in that case, as it does the loss itself.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class BatchGuesses(NamedTuple):
    """A batch of drawings, and the guesses for them."""

    ink: tf.Tensor  # float32 [B, T, 3]
    lengths: tf.Tensor  # int64 [B], rows of each drawing's ink
    labels: tf.Tensor  # int64 [B]
    predictions: tf.Tensor  # int64 [B], the likeliest class
    probability: tf.Tensor  # float32 [B], of that class
    embedding: tf.Tensor  # float32 [B, 2N]

    def publish(self) -> None:
        """Makes it known in the current graph."""
        for name, tensor in self._asdict().items():
            tf.compat.v1.add_to_collection(f"guesses/{name}", tensor)


def published() -> BatchGuesses:
    """Returns the guesses in the current graph; of several replicas, the first one's."""
    return BatchGuesses(
        *(tf.compat.v1.get_collection(f"guesses/{name}")[0] for name in BatchGuesses._fields)
    )
