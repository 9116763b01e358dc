"""The same network by others: PyTorch, which is optional (requirements-bench.txt), and ONNX Runtime
as it comes, which `Classifier` uses in its own way; with the weights of a checkpoint of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import tensorflow as tf

import model
import shared
from serving import onnx_network
from serving import weights as network_weights
from serving.weights import Weights

Batch = tuple[Mapping[str, np.ndarray], np.ndarray]  # features and labels of input_pipeline.py

tf1 = tf.compat.v1


class Peer(NamedTuple):
    """A library that computes the network.

    Attributes:
      prepare: makes of ink, float32 [B, T, 3], and lengths, int64 [B], what it takes.
      forward: returns of that the likeliest class's probability, float32 [B].
      batch_size: drawings of a sorted batch, of 8 to 256, with which it is fastest.
    """

    prepare: Callable[[np.ndarray, np.ndarray], Any]
    forward: Callable[[Any], np.ndarray]
    batch_size: int


def read_batches(input_fn: Callable, *, most: int | None = None) -> list[Batch]:
    """Reads the batches of an input function beforehand; all, or the first ones."""
    batches: list[Batch] = []
    with tf.Graph().as_default(), tf1.Session() as session:
        batch = tf1.data.make_one_shot_iterator(input_fn()).get_next()
        while most is None or len(batches) < most:
            try:
                batches.append(session.run(batch))
            except tf.errors.OutOfRangeError:
                break
    return batches


def peers(weights: Weights, *, params: model.HParams, classes: Sequence[str]) -> dict[str, Peer]:
    """Makes the network with each of the libraries that is installed, by the library's name.

    The weights are calibrated ones.
    """
    assert not params.batch_norm and not params.positions, "the tutorial's network is compared"
    by_name = {}
    try:
        import torch

        by_name["PyTorch"] = by_torch(torch, weights, params=params)
    except ImportError:
        pass
    network = onnx_network.build(weights, params=params, temperature=1.0, classes=classes)
    by_name["ONNX Runtime"] = by_onnx(network)
    return by_name


def torch_layers(torch: ModuleType, *, params: model.HParams) -> tuple[Any, Any, Any]:
    """Makes PyTorch's own convolutions, LSTM of all layers and last layer, with random weights."""
    channels = (model.INK_COLUMNS, *params.num_conv)
    convolutions = torch.nn.ModuleList(
        torch.nn.Conv1d(a, b, n, padding="same")
        for a, b, n in zip(channels, channels[1:], params.conv_len)
    )
    recurrent = torch.nn.LSTM(
        channels[-1],
        params.num_nodes,
        params.num_layers,
        dropout=params.dropout,
        bidirectional=True,
    )
    return convolutions, recurrent, torch.nn.Linear(2 * params.num_nodes, params.num_classes)


def torch_logits(
    torch: ModuleType,
    layers: tuple[Any, Any, Any],
    ink: Any,
    lengths: Any,
    *,
    packed: bool,
    dropout: float = 0.0,
) -> Any:
    """Computes logits, [B, K], of tensors by the layers of `torch_layers`.

    With sequences that are not packed the backward direction reads the padding first: not the same
    network, but a faster one.
    """
    convolutions, recurrent, dense = layers
    mask = torch.arange(ink.shape[1]) < lengths[:, None]  # [B, T]
    x = ink.transpose(1, 2)
    for i, convolution in enumerate(convolutions):
        dropped = torch.nn.functional.dropout(x, dropout) if i and dropout else x
        x = convolution(dropped) * mask[:, None]
    x = x.permute(2, 0, 1)  # [T, B, C]
    if packed:
        packing = torch.nn.utils.rnn
        x = packing.pack_padded_sequence(x, lengths, enforce_sorted=False)
        x, _ = packing.pad_packed_sequence(recurrent(x)[0])
    else:
        x, _ = recurrent(x)
        x = x * mask.t()[:, :, None]
    return dense(x.sum(0))


def by_torch(torch: ModuleType, weights: Weights, *, params: model.HParams) -> Peer:
    """PyTorch's own layers with our weights."""
    layers = torch_layers(torch, params=params)
    convolutions, recurrent, dense = layers

    def load(parameter: Any, values: np.ndarray) -> None:
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(values)))

    for i, convolution in enumerate(convolutions):
        load(convolution.weight, weights[f"conv1d_{i}/kernel"].transpose(2, 1, 0))
        load(convolution.bias, weights[f"conv1d_{i}/bias"])
    for layer in range(params.num_layers):
        directions = network_weights.lstm_directions(weights, layer=layer, gates="ifco")
        for (of_inputs, of_state, bias), suffix in zip(directions, ("", "_reverse")):
            load(getattr(recurrent, f"weight_ih_l{layer}{suffix}"), of_inputs)
            load(getattr(recurrent, f"weight_hh_l{layer}{suffix}"), of_state)
            load(getattr(recurrent, f"bias_ih_l{layer}{suffix}"), bias)
            load(getattr(recurrent, f"bias_hh_l{layer}{suffix}"), np.zeros_like(bias))
    load(dense.weight, weights["dense/kernel"].T)
    load(dense.bias, weights["dense/bias"])
    recurrent.eval()  # no dropout

    def prepare(ink: np.ndarray, lengths: np.ndarray) -> Any:
        return torch.from_numpy(ink), torch.from_numpy(lengths)

    def forward(batch: Any) -> np.ndarray:
        with torch.inference_mode():
            packed = len(batch[1]) > 1  # one alone has no padding, and is faster so
            logits = torch_logits(torch, layers, *batch, packed=packed)
            return torch.softmax(logits, 1).max(1).values.numpy()

    return Peer(prepare, forward, batch_size=128)


def by_onnx(network: bytes) -> Peer:
    """ONNX Runtime on the export's file, all cores at one batch: what it does by itself."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = shared.NUM_CORES
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def prepare(ink: np.ndarray, lengths: np.ndarray) -> dict[str, np.ndarray]:
        steps = np.pad(ink, [(0, 0), (1, 0), (0, 0)])
        points = np.concatenate([steps[:, :, :2].cumsum(axis=1), steps[:, :, 2:]], axis=2)
        return {"points": points, "lengths": lengths + 1}

    def forward(feeds: dict[str, np.ndarray]) -> np.ndarray:
        return session.run(["probabilities"], feeds)[0][:, 0]

    return Peer(prepare, forward, batch_size=16)
