"""The same network by others: PyTorch and ONNX Runtime, with the weights of a checkpoint of ours.

Both are optional, see requirements-bench.txt. Each is a function that takes ink, float32 [B, T, 3],
and lengths, int64 [B], and returns probabilities, float32 [B, K].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import shared

import numpy as np
import tensorflow as tf

import model
from network import lstm

Weights = Mapping[str, np.ndarray]
Batch = tuple[Mapping[str, np.ndarray], np.ndarray]  # features and labels of input_pipeline.py
Forward = Callable[[np.ndarray, np.ndarray], np.ndarray]

tf1 = tf.compat.v1

# The version of ONNX's operations; 13 made `axes` an input, which newer ones share.
ONNX_OPSET = 13
ONNX_IR_VERSION = 8


def read_weights(checkpoint: str, *, params: model.HParams) -> Weights:
    """Reads them; the last layer's divided by the temperature, as an export's logits are."""
    reader = tf.train.load_checkpoint(checkpoint)
    weights = {name: reader.get_tensor(name) for name in model.variable_shapes(params)}
    for name in ("dense/kernel", "dense/bias"):
        weights[name] = weights[name] / params.temperature
    return weights


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


def forwards(weights: Weights, *, params: model.HParams) -> dict[str, Forward]:
    """Makes the network with each of the libraries that is installed, by the library's name."""
    assert not params.batch_norm and not params.positions, "the tutorial's network is compared"
    found = {}
    try:
        import torch

        found["PyTorch"] = by_torch(torch, weights, params=params)
    except ImportError:
        pass
    try:
        import onnx
        import onnxruntime

        found["ONNX Runtime"] = by_onnx(onnx, onnxruntime, weights, params=params)
    except ImportError:
        pass
    return found


def lstm_weights(weights: Weights, layer: int, gates: str) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields of each direction the inputs' matrix [4N, C], the state's [4N, N] and the bias [4N].

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


def torch_layers(torch: ModuleType, *, params: model.HParams) -> tuple[Any, Any, Any]:
    """Makes PyTorch's own convolutions, LSTM of all layers and last layer, with random weights."""
    channels = (model.INK_CHANNELS, *params.num_conv)
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


def by_torch(torch: ModuleType, weights: Weights, *, params: model.HParams) -> Forward:
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
        directions = zip(lstm_weights(weights, layer, "ifco"), ("", "_reverse"))
        for (of_inputs, of_state, bias), suffix in directions:
            load(getattr(recurrent, f"weight_ih_l{layer}{suffix}"), of_inputs)
            load(getattr(recurrent, f"weight_hh_l{layer}{suffix}"), of_state)
            load(getattr(recurrent, f"bias_ih_l{layer}{suffix}"), bias)
            load(getattr(recurrent, f"bias_hh_l{layer}{suffix}"), np.zeros_like(bias))
    load(dense.weight, weights["dense/kernel"].T)
    load(dense.bias, weights["dense/bias"])
    recurrent.eval()  # no dropout

    def forward(ink: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            tensors = torch.from_numpy(ink), torch.from_numpy(lengths)
            packed = len(lengths) > 1  # one alone has no padding, and is faster so
            return torch.softmax(torch_logits(torch, layers, *tensors, packed=packed), 1).numpy()

    return forward


def by_onnx(
    onnx: ModuleType, onnxruntime: ModuleType, weights: Weights, *, params: model.HParams
) -> Forward:
    """ONNX Runtime's LSTM, which takes lengths."""
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: np.ndarray) -> str:
        values = np.ascontiguousarray(values)
        constants.append(onnx.numpy_helper.from_array(values, name))
        return name

    def add(operation: str, inputs: list[str], **attributes: Any) -> str:
        name = f"{operation}_{len(nodes)}"
        nodes.append(onnx.helper.make_node(operation, inputs, [name], **attributes))
        return name

    x = add("Transpose", ["ink"], perm=[0, 2, 1])
    mask = add("Unsqueeze", ["mask", constant("channels", np.array([1]))])  # [B, 1, T]
    for i, length in enumerate(params.conv_len):
        parts = [
            constant(f"kernel_{i}", weights[f"conv1d_{i}/kernel"].transpose(2, 1, 0)),
            constant(f"bias_{i}", weights[f"conv1d_{i}/bias"]),
        ]
        x = add("Conv", [x, *parts], pads=[(length - 1) // 2, length // 2])
        x = add("Mul", [x, mask])
    x = add("Transpose", [x], perm=[2, 0, 1])  # [T, B, C]
    shape = constant("shape", np.array([0, 0, 2 * params.num_nodes]))
    for layer in range(params.num_layers):
        of_inputs, of_state, bias = map(np.stack, zip(*lstm_weights(weights, layer, "iofc")))
        parts = [
            constant(f"of_inputs_{layer}", of_inputs),
            constant(f"of_state_{layer}", of_state),
            constant(f"biases_{layer}", np.concatenate([bias, np.zeros_like(bias)], axis=1)),
        ]
        x = add(
            "LSTM",
            [x, *parts, "lengths"],
            direction="bidirectional",
            hidden_size=params.num_nodes,
        )  # [T, directions, B, N]
        x = add("Reshape", [add("Transpose", [x], perm=[0, 2, 1, 3]), shape])
    x = add("ReduceSum", [x, constant("time", np.array([0]))], keepdims=0)
    dense = [constant(f"dense_{name}", weights[f"dense/{name}"]) for name in ("kernel", "bias")]
    x = add("Softmax", [add("Gemm", [x, *dense])], axis=1)
    floats, integers = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "drawings",
        [
            value("ink", floats, ["B", "T", model.INK_CHANNELS]),
            value("mask", floats, ["B", "T"]),
            value("lengths", integers, ["B"]),
        ],
        [value(x, floats, None)],
        constants,
    )
    opset = onnx.helper.make_opsetid("", ONNX_OPSET)
    proto = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=ONNX_IR_VERSION)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = shared.NUM_CORES
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def forward(ink: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        mask = (np.arange(ink.shape[1]) < lengths[:, np.newaxis]).astype(np.float32)
        feeds = {"ink": ink, "mask": mask, "lengths": lengths.astype(np.int32)}
        return session.run(None, feeds)[0]

    return forward
