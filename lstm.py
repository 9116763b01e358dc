"""One bidirectional LSTM layer, computed by any of three kernels over the same variables.

Shapes: T longest sequence, B batch, C channels in, N nodes of a direction.

A direction has a kernel [C + N, 4N], the inputs' rows first, and a bias [4N], both with the gates
in the order i, c, f, o. Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with forget
gates (Gers et al., 2000):

    i, g, f, o = [x(t), h(t-1)] kernel + bias
    c(t) = sigmoid(f + 1) c(t-1) + sigmoid(i) tanh(g)
    h(t) = sigmoid(o) tanh(c(t))
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# `auto` is cudnn_lstm where TensorFlow sees a GPU, and block_lstm elsewhere.
CELL_TYPES = ("auto", "lstm", "block_lstm", "cudnn_lstm")

# Added to the forget gate's bias, so that a new cell remembers: Jozefowicz et al., "An
# Empirical Exploration of Recurrent Network Architectures", 2015.
FORGET_BIAS = 1.0

# Kernel and bias of a direction.
Weights = tuple[tf.Tensor, tf.Tensor]


def choose_kernel(cell_type: str) -> str:
    """The kernel that a cell type means on this machine.

    Raises:
      ValueError: cuDNN is asked for where there is no GPU.
    """
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if cell_type == "auto":
        return "cudnn_lstm" if has_gpu else "block_lstm"
    if cell_type == "cudnn_lstm" and not has_gpu:
        raise ValueError(
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
) -> tf.Tensor:
    """Both directions of a layer, from states of zeros.

    Args:
      inputs: float32 [T, B, C].
      lengths: int64 [B], each sequence's own steps, at least 1.
      forward: weights of the direction that reads from the first step.
      backward: weights of the one that reads from a sequence's own last step.
      cell_type: one of CELL_TYPES.
      training: whether gradients will be asked for.

    Returns:
      float32 [T, B, 2N], forward outputs first; past a sequence's length it is meaningless.
    """
    kernel = choose_kernel(cell_type)
    if kernel == "cudnn_lstm":
        return _cudnn_lstm(inputs, lengths, forward, backward, training=training)
    recurrence = {"lstm": step_by_step_lstm, "block_lstm": block_lstm}[kernel]

    reverse = _reversal(lengths, num_steps=tf.shape(inputs)[0])
    outputs = recurrence(inputs, *forward), reverse(recurrence(reverse(inputs), *backward))
    return tf.concat(outputs, axis=-1)


def _reversal(lengths: tf.Tensor, *, num_steps: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function that turns round each sequence's own steps; padding stays at the end.

    As `tf.reverse_sequence` does, but by copying whole rows, in half the time; it is its own
    gradient.
    """
    batch = tf.size(lengths, out_type=tf.int64)
    t = tf.range(tf.cast(num_steps, tf.int64))[:, tf.newaxis]  # [T, 1]
    source = tf.where(t < lengths, lengths - 1 - t, t)  # [T, B]
    rows = tf.reshape(source * batch + tf.range(batch), [-1])

    @tf.custom_gradient
    def reverse(x: tf.Tensor):
        flat = tf.reshape(x, [-1, x.shape[-1]])
        return tf.reshape(tf.gather(flat, rows), tf.shape(x)), reverse

    def keep_shape(x: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(reverse(x), x.shape)

    return keep_shape


def step_by_step_lstm(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """One direction as the formulas have it: the reference for the other kernels.

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


# ---- All steps in one operation ----


def block_lstm(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """What `step_by_step_lstm` computes, but for rounding, several times as fast.

    TensorFlow's BlockLSTM computes the outputs. Its own gradient adds up the kernel's gradient
    step by step, which takes most of the time; ours carries only the state's gradient from step
    to step, keeps the gates' gradients, and multiplies them out for all steps at once.
    """
    # Variables must be read outside: custom gradients are of functions of tensors.
    return _block_lstm(inputs, tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias))


@tf.custom_gradient
def _block_lstm(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor):
    num_nodes = bias.shape[0] // 4
    zeros = tf.zeros([tf.shape(inputs)[1], num_nodes])  # [B, N]
    no_peephole = tf.zeros([num_nodes])
    block = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.shape(inputs, out_type=tf.int64)[0],
        x=inputs,
        cs_prev=zeros,
        h_prev=zeros,
        w=kernel,
        wci=no_peephole,
        wcf=no_peephole,
        wco=no_peephole,
        b=bias,
        forget_bias=FORGET_BIAS,
        cell_clip=-1.0,  # none
        use_peephole=False,
    )

    def gradient(hidden_gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return _block_lstm_gradient(inputs, kernel, bias, block, hidden_gradient)

    return block.h, gradient


def _block_lstm_gradient(
    inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, block, hidden_gradient: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gradients by inputs, kernel and bias.

    Args:
      inputs: float32 [T, B, C].
      kernel: float32 [C + N, 4N].
      bias: float32 [4N].
      block: outputs of BlockLSTM, each float32 [T, B, N].
      hidden_gradient: float32 [T, B, N].
    """
    num_steps, channels, num_nodes = tf.shape(inputs)[0], inputs.shape[-1], bias.shape[0] // 4
    input_kernel, hidden_kernel = kernel[:channels], kernel[channels:]
    zeros = tf.zeros([tf.shape(inputs)[1], num_nodes])
    no_inputs = tf.zeros([tf.shape(inputs)[1], 0])
    no_peephole = tf.zeros([num_nodes])

    def previous(states: tf.Tensor) -> tf.Tensor:
        return tf.concat([zeros[tf.newaxis], states[:-1]], axis=0)

    cs_before = previous(block.cs)

    def step(t, cell_gradient, gates_gradient, all_gates_gradients):
        begin = tf.reshape(t, [1])

        def now(values: tf.Tensor) -> tf.Tensor:
            """values[t], [B, N], which shares the memory of values, as a TensorArray would not."""
            return tf.raw_ops.StridedSlice(
                input=values, begin=begin, end=begin + 1, strides=[1], shrink_axis_mask=1
            )

        dh = now(hidden_gradient) + tf.matmul(gates_gradient, hidden_kernel, transpose_b=True)
        cs_prev = now(cs_before)
        # Of a single step, without the products by the kernel. Without peepholes it does not
        # look at the cell (cs), and of the inputs and the kernel only at the shapes.
        cell = tf.raw_ops.LSTMBlockCellGrad(
            x=no_inputs, cs_prev=cs_prev, h_prev=cs_prev, w=hidden_kernel, wci=no_peephole,
            wcf=no_peephole, wco=no_peephole, b=bias, i=now(block.i), cs=cs_prev, f=now(block.f),
            o=now(block.o), ci=now(block.ci), co=now(block.co), cs_grad=cell_gradient, h_grad=dh,
            use_peephole=False,
        )  # fmt: skip
        return t - 1, cell.cs_prev_grad, cell.dicfo, all_gates_gradients.write(t, cell.dicfo)

    *_, all_gates_gradients = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        [
            num_steps - 1,
            zeros,
            tf.tile(zeros, [1, 4]),
            tf.TensorArray(tf.float32, num_steps, element_shape=[None, 4 * num_nodes]),
        ],
        parallel_iterations=2,
    )
    gates_gradient = tf.reshape(all_gates_gradients.stack(), [-1, 4 * num_nodes])  # [T B, 4N]
    seen = tf.reshape(tf.concat([inputs, previous(block.h)], axis=2), [-1, channels + num_nodes])
    return (
        tf.reshape(tf.matmul(gates_gradient, input_kernel, transpose_b=True), tf.shape(inputs)),
        tf.matmul(seen, gates_gradient, transpose_a=True),
        # The sum over all rows, as a product: TensorFlow's sum takes several times as long.
        tf.matmul(tf.ones([1, tf.shape(gates_gradient)[0]]), gates_gradient)[0],
    )


# ---- cuDNN ----


def _cudnn_lstm(
    inputs: tf.Tensor,
    lengths: tf.Tensor,
    forward: Weights,
    backward: Weights,
    *,
    training: bool,
) -> tf.Tensor:
    """Both directions by cuDNN, which takes the lengths: padding reaches neither."""
    num_nodes = forward[1].shape[0] // 4
    state = tf.zeros([2, tf.shape(inputs)[1], num_nodes])  # [directions, B, N]
    return tf.raw_ops.CudnnRNNV3(
        input=inputs,
        input_h=state,
        input_c=state,
        params=pack_cudnn_params(forward, backward),
        sequence_lengths=tf.cast(lengths, tf.int32),
        rnn_mode="lstm",
        direction="bidirectional",
        is_training=training,
        time_major=True,
    ).output


def pack_cudnn_params(forward: Weights, backward: Weights) -> tf.Tensor:
    """cuDNN's parameter buffer of a bidirectional layer, from our variables.

    cuDNN has the gates in the order i, f, c, o; a matrix [N, C] for each gate's inputs and one
    [N, N] for its hidden state; two biases that are added, of which the second stays zero; no
    forget bias of its own. All matrices of both directions come first, then all biases (NVIDIA,
    cuDNN Developer Guide, cudnnGetRNNWeightParams).

    Args:
      forward: kernel float32 [C + N, 4N] and bias float32 [4N].
      backward: the same of the other direction.

    Returns:
      float32 [2 * 4N * (C + N) + 2 * 8N].
    """
    matrices, biases = [], []
    for kernel, bias in (forward, backward):
        num_nodes = bias.shape[0] // 4
        i, c, f, o = tf.split(kernel, 4, axis=1)  # each [C + N, N]
        gates = [i, f, c, o]
        channels = kernel.shape[0] - num_nodes
        matrices += [tf.transpose(gate[:channels]) for gate in gates]
        matrices += [tf.transpose(gate[channels:]) for gate in gates]
        i, c, f, o = tf.split(bias, 4)
        biases += [i, f + FORGET_BIAS, c, o, tf.zeros([4 * num_nodes])]
    return tf.concat([tf.reshape(values, [-1]) for values in (*matrices, *biases)], axis=0)
