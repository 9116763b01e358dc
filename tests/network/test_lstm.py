from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow.rnn import _standardize_cudnn_weights

from network import lstm

tf1 = tf.compat.v1


def random_layer(rng, *, channels=7, num_nodes=4, lengths=(9, 1, 5, 9, 2)):
    """Inputs with rubbish as padding, lengths, and the weights of both directions."""
    inputs = rng.normal(size=(max(lengths), len(lengths), channels)).astype(np.float32)
    weights = [
        (
            rng.normal(size=(channels + num_nodes, 4 * num_nodes), scale=0.5).astype(np.float32),
            rng.normal(size=4 * num_nodes).astype(np.float32),
        )
        for _ in range(2)
    ]
    return inputs, np.array(lengths, np.int64), weights


def outputs_and_gradients(cell_type, inputs, lengths, weights, output_gradient, *, bfloat16=False):
    """Outputs on the sequences' own steps, and gradients by inputs and all weights."""
    with tf.Graph().as_default(), tf1.Session() as session:
        x = tf.constant(inputs)
        (wf, bf), (wb, bb) = [tuple(map(tf.constant, pair)) for pair in weights]
        outputs = lstm.bidirectional_lstm(
            x,
            tf.constant(lengths),
            (wf, bf),
            (wb, bb),
            cell_type=cell_type,
            training=True,
            bfloat16=bfloat16,
        )
        mask = tf.transpose(tf.sequence_mask(lengths, len(inputs), dtype=tf.float32))
        outputs *= mask[:, :, tf.newaxis]
        gradients = tf.gradients(outputs, [x, wf, bf, wb, bb], grad_ys=output_gradient)
        return session.run([outputs, *gradients])


@pytest.mark.parametrize("lengths", [(9, 1, 5, 9, 2), (1,), (1, 1), (30,) * 8])
def test_block_lstm_is_the_step_by_step_reference(lengths):
    rng = np.random.default_rng(0)
    layer = random_layer(rng, lengths=lengths)
    output_gradient = rng.normal(size=(*layer[0].shape[:2], 8)).astype(np.float32)
    expected = outputs_and_gradients("lstm", *layer, output_gradient)
    actual = outputs_and_gradients("block_lstm", *layer, output_gradient)
    np.testing.assert_allclose(actual[0], expected[0], rtol=0, atol=1e-6)
    for value, reference in zip(actual[1:], expected[1:]):
        scale = np.abs(reference).max()
        np.testing.assert_allclose(value, reference, rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("lengths", [(9, 1, 5, 9, 2), (1,), (30,) * 8])
def test_bfloat16_products_cost_their_precision_and_no_more(lengths):
    rng = np.random.default_rng(4)
    layer = random_layer(rng, lengths=lengths)
    output_gradient = rng.normal(size=(*layer[0].shape[:2], 8)).astype(np.float32)
    expected = outputs_and_gradients("lstm", *layer, output_gradient)
    actual = outputs_and_gradients("block_lstm", *layer, output_gradient, bfloat16=True)
    for value, reference in zip(actual, expected):
        assert value.dtype == np.float32
        error = np.linalg.norm(value - reference) / np.linalg.norm(reference)
        assert 2**-13 < error < 2**-6  # a bfloat16 number is within 2**-9 of what it stands for


def test_gradient_of_block_lstm_is_that_of_differences():
    rng = np.random.default_rng(1)
    with tf.Graph().as_default(), tf1.Session():
        x, kernel, bias = (
            tf.constant(rng.normal(size=shape, scale=0.5).astype(np.float32))
            for shape in ((4, 2, 3), (5, 8), (8,))
        )
        outputs = lstm.block_lstm(x, kernel, bias)
        for tensor in (x, kernel, bias):
            error = tf1.test.compute_gradient_error(
                tensor, tensor.shape.as_list(), outputs, [4, 2, 2], delta=1e-2
            )
            assert error < 1e-3


def test_lstm_is_keras_lstm():
    inputs, _, weights = random_layer(np.random.default_rng(2), lengths=(6, 6))
    kernel, bias = weights[0]
    with tf.Graph().as_default(), tf1.Session() as session:
        ours = session.run(lstm.step_by_step_lstm(*map(tf.constant, (inputs, kernel, bias))))
        i, c, f, o = np.split(kernel, 4, axis=1)
        bi, bc, bf, bo = np.split(bias, 4)
        layer = keras.layers.LSTM(4, return_sequences=True)
        keras_outputs = layer(tf.constant(inputs.transpose(1, 0, 2)))  # [B, T, N]
        keras_weights = [
            np.concatenate([i, f, c, o], axis=1)[:7],
            np.concatenate([i, f, c, o], axis=1)[7:],
            np.concatenate([bi, bf + 1, bc, bo]),
        ]
        session.run([v.value.assign(w) for v, w in zip(layer.variables, keras_weights)])
        expected = session.run(keras_outputs).transpose(1, 0, 2)
        np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_cudnn_params_are_what_keras_packs():
    _, _, [(kernel, bias), _] = random_layer(np.random.default_rng(3))
    # In Keras' order of the gates, which is cuDNN's.
    i, c, f, o = np.split(kernel, 4, axis=1)
    matrices = [gate[:7] for gate in (i, f, c, o)] + [gate[7:] for gate in (i, f, c, o)]
    i, c, f, o = np.split(bias, 4)
    biases = [i, f + 1, c, o, *[np.zeros(4, np.float32)] * 4]
    with tf.Graph().as_default(), tf1.Session() as session:
        by_keras = session.run(
            _standardize_cudnn_weights(
                weights=[tf.constant(m) for m in matrices],
                biases=[tf.constant(b) for b in biases],
                shape=tf.constant([-1]),
                transpose_weights=True,
            )
        )
        ours = session.run(lstm.pack_cudnn_params(kernel, bias))
    np.testing.assert_array_equal(ours, by_keras)


def cudnn_in_numpy(inputs: np.ndarray, params: np.ndarray, num_nodes: int) -> np.ndarray:
    """What cuDNN computes of its buffer, as NVIDIA documents its layout and formulas."""
    channels = inputs.shape[2]
    cuts = np.cumsum([4 * num_nodes * channels, 4 * num_nodes * num_nodes, 4 * num_nodes])
    w, r, bw, br = np.split(params, cuts)
    w = w.reshape(4, num_nodes, channels)  # gates i, f, c, o
    r = r.reshape(4, num_nodes, num_nodes)
    bw, br = bw.reshape(4, num_nodes), br.reshape(4, num_nodes)
    hidden = cell = np.zeros((inputs.shape[1], num_nodes))
    outputs = []
    for x in inputs:
        i, f, c, o = (x @ w[g].T + hidden @ r[g].T + bw[g] + br[g] for g in range(4))
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(c)
        hidden = o * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs, np.float32)


@pytest.fixture
def cudnn(monkeypatch):
    """Has NumPy in the place of cuDNN; gives the arguments of the calls."""
    calls = []

    class Result(NamedTuple):
        output: tf.Tensor

    def operation(**arguments):
        calls.append(arguments)
        inputs, state = arguments["input"], arguments["input_h"]
        num_nodes = state.shape[-1]
        output = tf.numpy_function(
            lambda x, params: cudnn_in_numpy(x, params, num_nodes),
            [inputs, arguments["params"]],
            tf.float32,
        )
        return Result(tf.ensure_shape(output, [*inputs.shape[:2], num_nodes]))

    monkeypatch.setattr(tf.raw_ops, "CudnnRNN", operation)
    return calls


def layer_outputs(cell_type, inputs, lengths, weights):
    with tf.Graph().as_default(), tf1.Session() as session:
        outputs = lstm.bidirectional_lstm(
            tf.constant(inputs),
            tf.constant(lengths),
            *[tuple(map(tf.constant, pair)) for pair in weights],
            cell_type=cell_type,
            training=False,
        )
        return session.run(outputs)


def test_cudnn_computes_what_the_reference_does(cudnn):
    inputs, lengths, weights = random_layer(np.random.default_rng(4))
    actual = layer_outputs("cudnn_lstm", inputs, lengths, weights)
    expected = layer_outputs("lstm", inputs, lengths, weights)
    for b, length in enumerate(lengths):
        np.testing.assert_allclose(actual[:length, b], expected[:length, b], atol=1e-6)
    assert [call["direction"] for call in cudnn] == ["unidirectional"] * 2
    assert not any("sequence_lengths" in call for call in cudnn)


def test_what_cudnn_computes_does_not_depend_on_padding(cudnn):
    inputs, lengths, weights = random_layer(np.random.default_rng(5))
    longer = np.concatenate([inputs, np.full((6, *inputs.shape[1:]), 9, np.float32)])
    for b, length in enumerate(lengths):
        longer[length:, b] *= -2
    short = layer_outputs("cudnn_lstm", inputs, lengths, weights)
    long = layer_outputs("cudnn_lstm", longer, lengths, weights)
    for b, length in enumerate(lengths):
        np.testing.assert_array_equal(long[:length, b], short[:length, b])


def test_cudnn_operation_takes_the_layers_shapes():
    inputs, _, [(kernel, bias), _] = random_layer(np.random.default_rng(5))
    with tf.Graph().as_default() as graph:
        outputs = lstm.cudnn_lstm(tf.constant(inputs), kernel, bias, training=True)
        assert outputs.shape.as_list() == [9, 5, 4]
        (operation,) = (op for op in graph.get_operations() if op.type == "CudnnRNN")
        assert tf.gradients(outputs, [operation.inputs[3]]) != [None]


def test_lengths_are_rounded_up_to_few():
    lengths = np.arange(1, 1025)
    with tf.Graph().as_default(), tf1.Session() as session:
        rounded = session.run(tf.map_fn(lstm.round_up_length, tf.constant(lengths, tf.int32)))
    below_128 = sorted(set(rounded[:128]))
    assert below_128 == [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128]
    assert sorted(set(rounded[128:256])) == [160, 192, 224, 256]
    assert (rounded >= lengths).all() and (rounded[64:] < lengths[64:] * 1.25).all()


def test_cudnn_without_a_gpu_names_the_alternative(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert lstm.resolve_cell_type("auto") == "block_lstm"
    with pytest.raises(ValueError, match="needs a GPU, and TensorFlow sees none.*block_lstm"):
        lstm.resolve_cell_type("cudnn_lstm")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert lstm.resolve_cell_type("auto") == "cudnn_lstm"
    assert lstm.resolve_cell_type("lstm") == "lstm"
