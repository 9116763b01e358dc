"""The trained network as an ONNX file: for classifying without TensorFlow, in many languages.

Its graph takes, for B drawings of at most T points:

    points            float32 [B, T, 3]: x and y in any unit, y downwards, and 1 at the last point
                      of each stroke, else 0
    lengths           int64 [B]: points of each drawing, at least 2; what follows them is ignored

and returns, for k the smaller of 5 and the number of classes:

    indices           int64 [B, k]: of the class list, likeliest first
    probabilities     float32 [B, k]
    embedding         float32 [B, 2N]: the summed outputs of the last LSTM layer

The class list is in the file's metadata, as a list in JSON, and beside it in the export's
`assets.extra/classes.txt`, for runtimes that give no metadata. The operations are those of ONNX
(https://onnx.ai/onnx/operators); shapes are named as in model.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

import model
from common.settings import MAX_FLOAT32
from serving import weights as network_weights
from serving.weights import Weights

# Guesses a drawing.
TOP_K = 5

# Of the operations and of the file; runtimes of 2022 and later know them.
OPSET = 13
IR_VERSION = 8


# Constants of fewer values are float32 always: they decide about range, not about size.
MIN_HALF_VALUES = 1024


def build(
    weights: Weights,
    *,
    params: model.HParams,
    temperature: float,
    classes: Sequence[str],
    half: bool = False,
) -> bytes:
    """Returns the file's contents.

    Args:
      weights: of the network.
      params: its hyper-parameters.
      temperature: divides its logits, for the probabilities.
      classes: K class names.
      half: whether weights are stored as float16, which halves the file; runtimes convert them to
        float32 when they load it.
    """
    import onnx  # takes a quarter of a second, which the start of a training need not wait for

    weights = network_weights.calibrated(weights, temperature=temperature)
    graph = _Graph(onnx, half=half)
    x, mask, lengths = _ink(graph, positions=params.positions)  # [B, C, T], [B, 1, T], [B]
    x = _convolutions(graph, x, mask, weights, params=params)
    x = graph.add("Transpose", x, perm=[2, 0, 1])  # [T, B, C]
    mask = graph.add("Transpose", mask, perm=[2, 0, 1])  # [T, B, 1]
    x = _lstm_layers(graph, x, lengths, weights, params=params)  # [T, B, 2N]
    masked = graph.add("Mul", x, mask)
    embedding = graph.add("ReduceSum", masked, graph.integers(0), keepdims=0, output="embedding")
    dense = [graph.constant(weights[name]) for name in ("dense/kernel", "dense/bias")]
    probabilities = graph.add("Softmax", graph.add("Gemm", embedding, *dense), axis=1)
    k = min(TOP_K, len(classes))
    graph.add_all("TopK", [probabilities, graph.integers(k)], ["probabilities", "indices"], axis=1)
    return graph.serialized(
        inputs={"points": (np.float32, ["B", "T", 3]), "lengths": (np.int64, ["B"])},
        outputs={
            "indices": (np.int64, ["B", k]),
            "probabilities": (np.float32, ["B", k]),
            "embedding": (np.float32, ["B", 2 * params.num_nodes]),
        },
        metadata={"classes": json.dumps(list(classes), ensure_ascii=False)},
    )


def _ink(graph: _Graph, *, positions: bool) -> tuple[str, str, str]:
    """Encodes points as `ink.strokes_to_ink` does, in the same order of operations.

    Returns:
      ink, float32 [B, 3, T - 1], with positions [B, 5, T - 1]: zeros past a drawing's own rows;
      the mask of those, float32 [B, 1, T - 1]; and how many they are, int32 [B].
    """
    shape = graph.add("Shape", "points")
    num_points = graph.add("Gather", shape, graph.constant(np.array(1)))
    zero, one = graph.constant(np.array(0)), graph.constant(np.array(1))
    index = graph.add("Unsqueeze", graph.add("Range", zero, num_points, one), graph.integers(0, 2))
    lengths = graph.add("Unsqueeze", "lengths", graph.integers(1, 2))
    is_point = graph.add("Less", index, lengths)  # [B, T, 1]
    # Rubbish behind a drawing, NaN even, must not reach it by a product with zero.
    points = graph.add("Where", is_point, "points", graph.floats(0))
    xy, pen_up = graph.columns(points, 0, 2), graph.columns(points, 2, 3)
    lower, upper = (
        graph.add(name, graph.add("Where", is_point, xy, graph.floats(outside)), axes=[1])
        for name, outside in (("ReduceMin", MAX_FLOAT32), ("ReduceMax", -MAX_FLOAT32))
    )
    extent = graph.add("Sub", upper, lower)
    has_extent = graph.add("Greater", extent, graph.floats(0))
    extent = graph.add("Where", has_extent, extent, graph.floats(1))
    unit = graph.add("Div", graph.add("Sub", xy, lower), extent)
    first, later = graph.rows(unit, 0, -1), graph.rows(unit, 1, None)
    channels = [graph.add("Sub", later, first), graph.rows(pen_up, 1, None)]
    if positions:
        channels.append(graph.add("Sub", later, graph.floats(0.5)))
    mask = graph.add("Cast", graph.rows(is_point, 1, None), to=graph.FLOAT)
    ink = graph.add("Mul", graph.add("Concat", *channels, axis=2), mask)
    own_rows = graph.add("Cast", graph.add("Sub", "lengths", one), to=graph.INT32)
    ink, mask = (graph.add("Transpose", values, perm=[0, 2, 1]) for values in (ink, mask))
    return ink, mask, own_rows


def _convolutions(
    graph: _Graph, x: str, mask: str, weights: Weights, *, params: model.HParams
) -> str:
    for i, length in enumerate(params.conv_len):
        if params.batch_norm:
            name = f"batch_normalization_{i}" if i else "batch_normalization"
            gamma, beta, mean, variance = (
                weights[f"{name}/{part}"]
                for part in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            scale = gamma / np.sqrt(variance + model.BATCH_NORM_EPSILON)
            x = graph.add("Mul", x, graph.constant(scale[:, np.newaxis]))
            x = graph.add("Add", x, graph.constant((beta - mean * scale)[:, np.newaxis]))
            x = graph.add("Mul", x, mask)
        kernel = graph.constant(weights[f"conv1d_{i}/kernel"].transpose(2, 1, 0))
        bias = graph.constant(weights[f"conv1d_{i}/bias"])
        x = graph.add("Conv", x, kernel, bias, pads=[(length - 1) // 2, length // 2])
        x = graph.add("Mul", x, mask)
    return x


def _lstm_layers(
    graph: _Graph, x: str, lengths: str, weights: Weights, *, params: model.HParams
) -> str:
    joined = graph.integers(0, 0, 2 * params.num_nodes)  # 0: as it was
    for layer in range(params.num_layers):
        directions = network_weights.lstm_directions(weights, layer=layer, gates="iofc")
        of_inputs, of_state, bias = map(np.stack, zip(*directions))
        biases = np.concatenate([bias, np.zeros_like(bias)], axis=1)
        parts = [graph.constant(values) for values in (of_inputs, of_state, biases)]
        x = graph.add(
            "LSTM", x, *parts, lengths, direction="bidirectional", hidden_size=params.num_nodes
        )  # [T, directions, B, N]
        x = graph.add("Reshape", graph.add("Transpose", x, perm=[0, 2, 1, 3]), joined)
    return x


class _Graph:
    """Operations and constants, each known by the name of its output."""

    def __init__(self, onnx: ModuleType, *, half: bool):
        self._onnx = onnx
        self._half = half
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.FLOAT, self.INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32

    def constant(self, values: np.ndarray) -> str:
        """Adds float32 or int64 values."""
        name = f"constant_{len(self._constants)}"
        dtype = np.float32 if values.dtype.kind == "f" else np.int64
        values = np.ascontiguousarray(values, dtype).reshape(values.shape)
        halved = self._half and dtype == np.float32 and values.size >= MIN_HALF_VALUES
        if halved:
            values = values.astype(np.float16)
        self._constants.append(self._onnx.numpy_helper.from_array(values, name))
        return self.add("Cast", name, to=self.FLOAT) if halved else name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def floats(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def add(self, operation: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds an operation whose first output is wanted."""
        name = output or f"{operation}_{len(self._nodes)}"
        self.add_all(operation, inputs, [name], **attributes)
        return name

    def add_all(
        self, operation: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        self._nodes.append(self._onnx.helper.make_node(operation, inputs, outputs, **attributes))

    def rows(self, x: str, start: int, end: int | None) -> str:
        """Slices [B, T, ...] along T."""
        return self._slice(x, start, end, axis=1)

    def columns(self, x: str, start: int, end: int) -> str:
        """Slices [B, T, C] along C."""
        return self._slice(x, start, end, axis=2)

    def _slice(self, x: str, start: int, end: int | None, *, axis: int) -> str:
        end = np.iinfo(np.int64).max if end is None else end
        return self.add("Slice", x, *map(self.integers, (start, end, axis)))

    def serialized(
        self,
        *,
        inputs: dict[str, tuple[type, list]],
        outputs: dict[str, tuple[type, list]],
        metadata: dict[str, str],
    ) -> bytes:
        """Returns the file's contents; inputs and outputs are types and shapes by name."""
        helper = self._onnx.helper

        def described(values: dict[str, tuple[type, list]]) -> list:
            return [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(t)), s)
                for name, (t, s) in values.items()
            ]

        graph = helper.make_graph(
            self._nodes, "drawings", described(inputs), described(outputs), self._constants
        )
        opset = helper.make_opsetid("", OPSET)
        built = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        helper.set_model_props(built, metadata)
        self._onnx.checker.check_model(built, full_check=True)
        return built.SerializeToString()
