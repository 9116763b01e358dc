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
    _, _, weights = random_layer(np.random.default_rng(3))
    matrices, biases = [], []
    for kernel, bias in weights:  # in Keras' order of the gates, which is cuDNN's
        i, c, f, o = np.split(kernel, 4, axis=1)
        matrices += [gate[:7] for gate in (i, f, c, o)] + [gate[7:] for gate in (i, f, c, o)]
        i, c, f, o = np.split(bias, 4)
        biases += [i, f + 1, c, o, *[np.zeros(4, np.float32)] * 4]
    with tf.Graph().as_default(), tf1.Session() as session:
        by_keras = session.run(
            _standardize_cudnn_weights(
                weights=[tf.constant(m) for m in matrices],
                biases=[tf.constant(b) for b in biases],
                shape=tf.constant([-1]),
                transpose_weights=True,
            )
        )
        ours = session.run(lstm.pack_cudnn_params(*weights))
    np.testing.assert_array_equal(ours, by_keras)


def test_cudnn_computes_what_its_buffer_says():
    """The layout as its documentation has it, read back and run forward in NumPy."""
    inputs, lengths, weights = random_layer(np.random.default_rng(4))
    with tf.Graph().as_default(), tf1.Session() as session:
        buffer = session.run(lstm.pack_cudnn_params(*weights))

    def take(*shape):
        nonlocal buffer
        size = int(np.prod(shape))
        values, buffer = buffer[:size].reshape(shape), buffer[size:]
        return values

    matrices = [(take(4, 4, 7), take(4, 4, 4)) for _ in "fb"]  # [gate, N, C], [gate, N, N]
    biases = [(take(4, 4), take(4, 4)) for _ in "fb"]  # [gate, N] twice
    assert not buffer.size

    def run(x, direction):
        (w, r), (bw, br) = matrices[direction], biases[direction]
        hidden = cell = np.zeros(4)
        outputs = []
        for step in x:
            i, f, c, o = (w[g] @ step + r[g] @ hidden + bw[g] + br[g] for g in range(4))
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            cell = f * cell + i * np.tanh(c)
            hidden = o * np.tanh(cell)
            outputs.append(hidden)
        return np.array(outputs)

    gradient = np.zeros((*inputs.shape[:2], 8), np.float32)
    expected = outputs_and_gradients("lstm", inputs, lengths, weights, gradient)[0]
    for b, length in enumerate(lengths):
        x = inputs[:length, b]
        outputs = np.concatenate([run(x, 0), run(x[::-1], 1)[::-1]], axis=1)
        np.testing.assert_allclose(outputs, expected[:length, b], atol=1e-6)


def cudnn_operation(graph: tf.Graph) -> tf.Operation:
    (operation,) = (op for op in graph.get_operations() if op.type == "CudnnRNNV3")
    return operation


def test_cudnn_operation_takes_the_layers_shapes():
    inputs, lengths, weights = random_layer(np.random.default_rng(5))
    with tf.Graph().as_default() as graph:
        outputs = lstm._cudnn_lstm(
            tf.constant(inputs), tf.constant(lengths), *weights, training=True
        )
        assert outputs.shape.as_list() == [9, 5, 8]
        assert tf.gradients(outputs, [cudnn_operation(graph).inputs[3]]) != [None]


@pytest.mark.parametrize("lengths", [(9, 1, 5), (9, 9, 9)])
def test_cudnn_is_given_a_step_that_no_sequence_has(lengths):
    """Else TensorFlow says of (9, 9, 9) that nothing is padded, and later of (9, 1, 5) as well."""
    inputs, lengths, weights = random_layer(np.random.default_rng(6), lengths=lengths)
    # Without this a session looks for a device for all operations of the graph.
    config = tf1.ConfigProto(graph_options=tf1.GraphOptions(place_pruned_graph=True))
    with tf.Graph().as_default() as graph, tf1.Session(config=config) as session:
        lstm._cudnn_lstm(tf.constant(inputs), tf.constant(lengths), *weights, training=True)
        operation = cudnn_operation(graph)
        given, _, _, _, given_lengths = session.run(list(operation.inputs))
    np.testing.assert_array_equal(given[:9], inputs)
    np.testing.assert_array_equal(given[9:], np.zeros((1, 3, 7)))
    np.testing.assert_array_equal(given_lengths, lengths)


def test_cudnn_without_a_gpu_names_the_alternative(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert lstm.resolve_cell_type("auto") == "block_lstm"
    with pytest.raises(ValueError, match="needs a GPU, and TensorFlow sees none.*block_lstm"):
        lstm.resolve_cell_type("cudnn_lstm")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert lstm.resolve_cell_type("auto") == "cudnn_lstm"
    assert lstm.resolve_cell_type("lstm") == "lstm"
