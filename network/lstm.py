"""One bidirectional LSTM layer, computed by any of three algorithms over the same variables.

Shapes: T longest sequence, B batch, C channels in, N nodes of a direction.

A direction has a kernel [C + N, 4N], the inputs' rows first, and a bias [4N], both with the gates
in the order i, c, f, o. Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with forget
gates (Gers et al., 2000):

    i, g, f, o = [x(t), h(t-1)] kernel + bias
    c(t) = sigmoid(f + 1) c(t-1) + sigmoid(i) tanh(g)
    h(t) = sigmoid(o) tanh(c(t))
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from common.errors import UserError
from network import hardware

# `auto` is cudnn_lstm where TensorFlow sees a GPU, and block_lstm elsewhere.
CELL_TYPES = ("auto", "lstm", "block_lstm", "cudnn_lstm")

# Added to the forget gate's bias, so that a new cell remembers: Jozefowicz et al., "An
# Empirical Exploration of Recurrent Network Architectures", 2015.
FORGET_BIAS = 1.0

# Kernel and bias of a direction.
Weights = tuple[tf.Tensor, tf.Tensor]


def resolve_cell_type(cell_type: str) -> str:
    """Returns the cell type itself, or what `auto` means on this machine.

    Raises:
      UserError: cuDNN is asked for where there is no GPU.
    """
    if cell_type == "auto":
        return "cudnn_lstm" if hardware.has_gpu() else "block_lstm"
    if cell_type == "cudnn_lstm" and not hardware.has_gpu():
        raise UserError(
            "cell_type=cudnn_lstm needs a GPU, and TensorFlow sees none here; block_lstm is the "
            "same network on a CPU, and auto chooses between them"
        )
    return cell_type


def bidirectional_lstm(
    inputs: tf.Tensor,
    lengths: tf.Tensor,
    forward: Weights,
    backward: Weights,
    *,
    cell_type: str,
    training: bool,
    bfloat16: bool = False,
) -> tf.Tensor:
    """Computes both directions of a layer, from states of zeros.

    Args:
      inputs: float32 [T, B, C].
      lengths: int64 [B], each sequence's own steps, at least 1.
      forward: weights of the direction that reads from the first step.
      backward: weights of the one that reads from a sequence's own last step.
      cell_type: one of CELL_TYPES but `auto`.
      training: whether gradients will be asked for.
      bfloat16: whether block_lstm is to multiply in bfloat16; the others do as always.

    Returns:
      float32 [T, B, 2N], forward outputs first; past a sequence's length it is meaningless.
    """
    recurrence = step_by_step_lstm
    if cell_type == "cudnn_lstm":
        recurrence = functools.partial(cudnn_lstm, training=training)
    if cell_type == "block_lstm":
        dtype = tf.bfloat16 if bfloat16 else tf.float32
        recurrence = functools.partial(block_lstm, training=training, dtype=dtype)

    reverse = _reversal(lengths, num_steps=tf.shape(inputs)[0], training=training)
    outputs = recurrence(inputs, *forward), reverse(recurrence(reverse(inputs), *backward))
    return tf.concat(outputs, axis=-1)


def _reversal(
    lengths: tf.Tensor, *, num_steps: tf.Tensor, training: bool
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that turns round each sequence's own steps; padding stays at the end.

    As `tf.reverse_sequence` does, but by copying whole rows, in half the time. In training it is
    its own gradient.
    """
    batch = tf.size(lengths, out_type=tf.int64)
    t = tf.range(tf.cast(num_steps, tf.int64))[:, tf.newaxis]  # [T, 1]
    source = tf.where(t < lengths, lengths - 1 - t, t)  # [T, B]
    rows = tf.reshape(source * batch + tf.range(batch), [-1])

    def reverse(x: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(x, [-1, x.shape[-1]])
        return tf.reshape(tf.gather(flat, rows), tf.shape(x))

    differentiable = tf.custom_gradient(lambda x: (reverse(x), reverse)) if training else reverse

    def keep_shape(x: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(differentiable(x), x.shape)

    return keep_shape


def step_by_step_lstm(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Computes one direction as the formulas have it: the reference for the other algorithms.

    Args:
      inputs: float32 [T, B, C].
      kernel: float32 [C + N, 4N].
      bias: float32 [4N].

    Returns:
      h, float32 [T, B, N].
    """

    def step(state: tuple[tf.Tensor, tf.Tensor], x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        cell, hidden = state
        gates = tf.matmul(tf.concat([x, hidden], axis=1), kernel) + bias  # [B, 4N]
        i, g, f, o = tf.split(gates, 4, axis=1)
        cell = tf.sigmoid(f + FORGET_BIAS) * cell + tf.sigmoid(i) * tf.tanh(g)
        return cell, tf.sigmoid(o) * tf.tanh(cell)

    zeros = tf.zeros([tf.shape(inputs)[1], bias.shape[0] // 4])
    return tf.scan(step, inputs, initializer=(zeros, zeros))[1]


class Steps(NamedTuple):
    """What the steps of one direction computed that their gradient needs, each [T] of float32
    [B, N]; named as in LSTMBlockCellGrad, which takes it. Not stacked, which takes longer than it
    is worth."""

    i: tf.TensorArray  # sigmoid of the input gate
    f: tf.TensorArray  # sigmoid of the forget gate, its 1.0 added
    o: tf.TensorArray  # sigmoid of the output gate
    ci: tf.TensorArray  # tanh(g)
    co: tf.TensorArray  # tanh(c)
    cs_prev: tf.TensorArray  # c of the step before


def block_lstm(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    *,
    training: bool = True,
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """Computes what `step_by_step_lstm` computes, up to rounding, several times as fast.

    What does not depend on the state is multiplied out in blocks, for all steps at once: forward
    the inputs, backward the gates' gradients. From step to step goes only what must.

    Args:
      inputs, kernel, bias: as `step_by_step_lstm` takes them.
      training: whether gradients will be asked for; if not, they are TensorFlow's and slower.
        TensorFlow keeps the graph of a custom gradient for ever, so that each evaluation would
        leave one.
      dtype: of the factors of all products. With bfloat16, which has float32's range and 8 bits
        of precision, all else is float32 still.
    """
    if not training:
        return _compute_steps(inputs, kernel, bias, dtype=dtype, keep=False)[0]

    @tf.custom_gradient
    def recurrence(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor):
        hidden, steps = _compute_steps(inputs, kernel, bias, dtype=dtype, keep=True)
        assert steps is not None

        def gradient(hidden_gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return _gradient(inputs, kernel, hidden, steps, hidden_gradient, dtype=dtype)

        return hidden, gradient

    # Variables must be read outside: custom gradients are of functions of tensors.
    return recurrence(inputs, tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias))


def _compute_steps(
    inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *, dtype: tf.DType, keep: bool
) -> tuple[tf.Tensor, Steps | None]:
    """Computes h, float32 [T, B, N], and keeps what a gradient needs where that is asked for.

    The inputs' products are one for all steps, only the state's are left for the loop: in
    TensorFlow's BlockLSTM, which multiplies both in each step, they took twice as long.
    """
    channels, num_nodes = inputs.shape[-1], bias.shape[0] // 4
    num_steps, batch = tf.shape(inputs)[0], tf.shape(inputs)[1]
    input_kernel, hidden_kernel = tf.split(tf.cast(kernel, dtype), [channels, num_nodes], axis=0)
    forget_bias = tf.repeat(tf.constant([0.0, 0.0, FORGET_BIAS, 0.0]), num_nodes)
    rows = tf.cast(tf.reshape(inputs, [-1, channels]), dtype)  # [T B, C]
    of_inputs = tf.nn.bias_add(tf.matmul(rows, input_kernel), tf.cast(bias + forget_bias, dtype))
    of_inputs = tf.reshape(of_inputs, [num_steps, batch, 4 * num_nodes])

    def step(t, cell, hidden, outputs, kept):
        gates = _step(of_inputs, t) + tf.matmul(tf.cast(hidden, dtype), hidden_kernel)
        i, g, f, o = (tf.cast(gate, tf.float32) for gate in tf.split(gates, 4, axis=1))
        i, g, f, o = tf.sigmoid(i), tf.tanh(g), tf.sigmoid(f), tf.sigmoid(o)
        cell_before, cell = cell, f * cell + i * g
        squashed = tf.tanh(cell)
        hidden = o * squashed
        values = Steps(i=i, f=f, o=o, ci=g, co=squashed, cs_prev=cell_before)
        kept = [array.write(t, value) for array, value in zip(kept, values)]
        return t + 1, cell, hidden, outputs.write(t, hidden), kept

    zeros = tf.zeros([batch, num_nodes])
    outputs, *kept = (
        tf.TensorArray(tf.float32, num_steps, element_shape=[None, num_nodes])
        for _ in ("h", *(Steps._fields if keep else ()))
    )
    *_, outputs, kept = tf.while_loop(
        lambda t, *_: t < num_steps,
        step,
        [0, zeros, zeros, outputs, kept],
        parallel_iterations=2,
    )
    return outputs.stack(), Steps(*kept) if keep else None


def _gradient(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    hidden: tf.Tensor,
    steps: Steps,
    hidden_gradient: tf.Tensor,
    *,
    dtype: tf.DType,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gradients by inputs, kernel and bias.

    Args:
      inputs: float32 [T, B, C].
      kernel: float32 [C + N, 4N].
      hidden: h, float32 [T, B, N].
      steps: what else was computed of them.
      hidden_gradient: float32 [T, B, N].
      dtype: of the factors of all products.
    """
    channels, num_nodes = inputs.shape[-1], hidden.shape[-1]
    input_kernel, hidden_kernel = tf.split(tf.cast(kernel, dtype), [channels, num_nodes], axis=0)
    gates_gradient = _gates_gradient(hidden_kernel, steps, hidden_gradient)
    gates_gradient = tf.reshape(gates_gradient, [-1, 4 * num_nodes])  # [T B, 4N]
    hidden = tf.cast(hidden, dtype)
    hidden_before = tf.concat([tf.zeros_like(hidden[:1]), hidden[:-1]], axis=0)
    seen = tf.concat([tf.cast(inputs, dtype), hidden_before], axis=2)
    seen = tf.reshape(seen, [-1, channels + num_nodes])
    ones = tf.ones([1, tf.shape(gates_gradient)[0]], dtype)
    gradients = (
        tf.reshape(tf.matmul(gates_gradient, input_kernel, transpose_b=True), tf.shape(inputs)),
        tf.matmul(seen, gates_gradient, transpose_a=True),
        # The sum over all rows, as a product: TensorFlow's sum takes several times as long.
        tf.matmul(ones, gates_gradient)[0],
    )
    return tuple(tf.cast(gradient, tf.float32) for gradient in gradients)


def _gates_gradient(
    hidden_kernel: tf.Tensor, steps: Steps, hidden_gradient: tf.Tensor
) -> tf.Tensor:
    """Goes back through the steps.

    Args:
      hidden_kernel: [N, 4N], in the type of the products.
      steps: what they computed.
      hidden_gradient: float32 [T, B, N].

    Returns:
      The gradient by the gates before their activations, [T, B, 4N], in the type of the products.
    """
    dtype = hidden_kernel.dtype
    num_steps, batch = tf.shape(hidden_gradient)[0], tf.shape(hidden_gradient)[1]
    num_nodes = hidden_gradient.shape[-1]
    turned_kernel = tf.transpose(hidden_kernel)  # once: multiplying by it turned takes longer
    # One step's gradient, without the products by the kernel. Without peepholes it does not look
    # at the cell (cs), and of the inputs, the kernel and the bias only at the shapes.
    cell_gradient_of_step = functools.partial(
        tf.raw_ops.LSTMBlockCellGrad,
        x=tf.zeros([batch, 0]),
        w=tf.zeros([num_nodes, 4 * num_nodes]),
        b=tf.zeros([4 * num_nodes]),
        **dict.fromkeys(("wci", "wcf", "wco"), tf.zeros([num_nodes])),
        use_peephole=False,
    )

    def step(t, cell_gradient, gates_gradient, all_gates_gradients):
        of_gates = tf.matmul(gates_gradient, turned_kernel)
        kept = {name: array.read(t) for name, array in steps._asdict().items()}
        cell = cell_gradient_of_step(
            h_prev=kept["cs_prev"],
            cs=kept["cs_prev"],
            **kept,
            cs_grad=cell_gradient,
            h_grad=_step(hidden_gradient, t) + tf.cast(of_gates, tf.float32),
        )
        gates_gradient = tf.cast(cell.dicfo, dtype)
        all_gates_gradients = all_gates_gradients.write(t, gates_gradient)
        return t - 1, cell.cs_prev_grad, gates_gradient, all_gates_gradients

    *_, all_gates_gradients = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        [
            num_steps - 1,
            tf.zeros([batch, num_nodes]),
            tf.zeros([batch, 4 * num_nodes], dtype),
            tf.TensorArray(dtype, num_steps, element_shape=[None, 4 * num_nodes]),
        ],
        parallel_iterations=2,
    )
    return all_gates_gradients.stack()


def _step(values: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """values[t], which shares the memory of values, as a TensorArray would not."""
    begin = tf.reshape(t, [1])
    return tf.raw_ops.StridedSlice(
        input=values, begin=begin, end=begin + 1, strides=[1], shrink_axis_mask=1
    )


def cudnn_lstm(
    inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *, training: bool
) -> tf.Tensor:
    """Computes what `step_by_step_lstm` computes, by cuDNN on a GPU.

    Without lengths: padding stands behind a sequence in either direction, where it reaches no
    step of its own. cuDNN is much faster so than with the lengths of padded sequences (measured
    with PyTorch's LSTM, which calls it likewise: 1.6 times at batches of 512, 3.4 times at 64).

    Args:
      inputs, kernel, bias: as `step_by_step_lstm` takes them.
      training: whether gradients will be asked for.
    """
    state = tf.zeros([1, tf.shape(inputs)[1], bias.shape[0] // 4])  # [layers, B, N]
    return tf.raw_ops.CudnnRNN(
        input=inputs,
        input_h=state,
        input_c=state,
        params=pack_cudnn_params(kernel, bias),
        rnn_mode="lstm",
        direction="unidirectional",
        is_training=training,
    ).output


def pack_cudnn_params(kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Returns cuDNN's parameter buffer of one direction, from our variables.

    cuDNN has the gates in the order i, f, c, o; a matrix [N, C] for each gate's inputs and one
    [N, N] for its hidden state; two biases that are added, of which the second stays zero; no
    forget bias of its own. All matrices come first, then all biases (NVIDIA, cuDNN Developer
    Guide, cudnnGetRNNWeightParams).

    Args:
      kernel: float32 [C + N, 4N].
      bias: float32 [4N].

    Returns:
      float32 [4N * (C + N) + 8N].
    """
    num_nodes = bias.shape[0] // 4
    channels = kernel.shape[0] - num_nodes
    i, c, f, o = tf.split(kernel, 4, axis=1)  # each [C + N, N]
    matrices = [tf.transpose(gate[:channels]) for gate in (i, f, c, o)]
    matrices += [tf.transpose(gate[channels:]) for gate in (i, f, c, o)]
    i, c, f, o = tf.split(bias, 4)
    biases = [i, f + FORGET_BIAS, c, o, tf.zeros([4 * num_nodes])]
    return tf.concat([tf.reshape(values, [-1]) for values in (*matrices, *biases)], axis=0)


def round_up_length(length: tf.Tensor) -> tf.Tensor:
    """Rounds a number of steps up to one of few: multiples of 8 up to 64, then four a doubling.

    TensorFlow prepares cuDNN's convolutions and its recurrence anew for each length that it has
    not seen, which takes longer than a step.

    Args:
      length: int32 [], at least 1.
    """
    doublings = tf.math.ceil(tf.math.log(tf.cast(length, tf.float64)) / math.log(2) - 1e-9)
    unit = tf.maximum(8, tf.cast(2 ** (doublings - 3), tf.int32))
    return -(-length // unit) * unit
