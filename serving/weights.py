"""A trained network's weights, for what computes it without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

import model
from network import lstm

Weights = Mapping[str, np.ndarray]  # float32, by the variable's name


def read(checkpoint: str, *, params: model.HParams) -> Weights:
    """Reads the network's variables, float32; what else a checkpoint holds is left out."""
    reader = tf.train.load_checkpoint(checkpoint)
    names = model.variable_shapes(params)
    return {name: reader.get_tensor(name).astype(np.float32) for name in names}


def calibrated(weights: Weights, *, temperature: float) -> Weights:
    """Returns the weights with the last layer's divided by the temperature, which need not be
    known then: its logits are those of the probabilities."""
    last = {name: weights[name] / temperature for name in ("dense/kernel", "dense/bias")}
    return {**weights, **last}


def lstm_directions(
    weights: Weights, *, layer: int, gates: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields of each direction of a layer what other libraries want, float32: the inputs' matrix
    [4N, C], the state's [4N, N], and the bias [4N], the forget gate's 1.0 added.

    Args:
      weights: of the network.
      layer: its number.
      gates: their order, letters of `icfo`.
    """
    for direction in ("fw", "bw"):
        scope = f"rnn_classification/cell_{layer}/bidirectional_rnn/{direction}/basic_lstm_cell"
        kernel, bias = weights[f"{scope}/kernel"], weights[f"{scope}/bias"].copy()
        num_nodes = len(bias) // 4
        bias[2 * num_nodes : 3 * num_nodes] += lstm.FORGET_BIAS
        parts = dict(zip("icfo", np.split(np.concatenate([kernel, bias[np.newaxis]]), 4, axis=1)))
        columns = np.concatenate([parts[gate] for gate in gates], axis=1)
        channels = len(kernel) - num_nodes
        yield columns[:channels].T, columns[channels:-1].T, columns[-1]
