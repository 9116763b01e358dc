import dataclasses
import functools
import re

import numpy as np
import pytest
import tensorflow as tf

import model
from common import estimators
from drawings import ink
from network import hardware, optimiser

tf1 = tf.compat.v1
PREDICT, EVAL, TRAIN = (
    estimators.ModeKeys.PREDICT,
    estimators.ModeKeys.EVAL,
    estimators.ModeKeys.TRAIN,
)

# As the default network in everything but size, and without chance.
TINY = model.HParams(
    num_classes=3, num_layers=2, num_nodes=4, num_conv=(5, 6), conv_len=(3, 2), dropout=0.0
)


def ragged_features(rng: np.random.Generator, lengths) -> dict[str, np.ndarray]:
    """A batch of random ink with rubbish where the padding is."""
    return {
        "ink": rng.normal(size=(len(lengths), max(lengths), 3)).astype(np.float32),
        "lengths": np.array(lengths, np.int64),
    }


def randomise_variables(session: tf1.Session, seed: int = 0) -> None:
    """The same values for the same names and shapes, biases and statistics included."""
    rng = np.random.default_rng(seed)
    for variable in sorted(tf1.global_variables(), key=lambda v: v.op.name):
        if variable.dtype.base_dtype == tf.float32:
            value = rng.normal(size=variable.shape.as_list(), scale=0.3)
            variable.load(np.abs(value) if "variance" in variable.op.name else value, session)


def predict(features, params=TINY, *, variables=None) -> np.ndarray:
    """Logits with random variables."""
    with tf.Graph().as_default(), tf1.Session() as session:
        constants = {key: tf.constant(value) for key, value in features.items()}
        spec = model.model_fn(constants, None, PREDICT, params)
        session.run(tf1.global_variables_initializer())
        randomise_variables(session)
        if variables is not None:
            names = [v.op.name for v in tf1.global_variables()]
            variables.update(zip(names, session.run(tf1.global_variables())))
        return session.run(spec.predictions["logits"])


def loss_and_gradients(features, labels, params) -> tuple[float, dict[str, np.ndarray]]:
    with tf.Graph().as_default(), tf1.Session() as session:
        constants = {key: tf.constant(value) for key, value in features.items()}
        spec = model.model_fn(constants, tf.constant(labels), EVAL, params)
        loss = tf.reduce_mean(spec.loss)
        gradients = tf.gradients(loss, tf1.trainable_variables())
        session.run(tf1.global_variables_initializer())
        randomise_variables(session)
        names = [v.op.name for v in tf1.trainable_variables()]
        value, gradients = session.run([loss, gradients])
        return value, dict(zip(names, gradients))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def numpy_lstm(inputs, kernel, bias):
    """[T, C] -> [T, N], gates in the order i, c, f, o."""
    num_nodes = len(bias) // 4
    cell = hidden = np.zeros(num_nodes)
    outputs = []
    for x in inputs:
        i, g, f, o = np.split(np.concatenate([x, hidden]) @ kernel + bias, 4)
        cell = sigmoid(f + 1) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs)


def numpy_logits(ink, variables, params) -> np.ndarray:
    """The whole network for one drawing without padding, float64 [T, 3] -> [K]."""
    x = ink.astype(np.float64)
    if params.positions:
        points = np.concatenate([np.zeros((1, 2)), x[:, :2].cumsum(axis=0)])
        x = np.concatenate([x, (points - points.min(axis=0))[1:] - 0.5], axis=1)
    for i in range(len(params.num_conv)):
        if params.batch_norm:
            scope = f"batch_normalization_{i}" if i else "batch_normalization"
            mean, variance, gamma, beta = (
                variables[f"{scope}/{name}"]
                for name in ("moving_mean", "moving_variance", "gamma", "beta")
            )
            x = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        kernel, bias = variables[f"conv1d_{i}/kernel"], variables[f"conv1d_{i}/bias"]
        length = len(kernel)
        before = (length - 1) // 2
        padded = np.pad(x, [(before, length - 1 - before), (0, 0)])
        x = np.array(
            [np.einsum("kc,kcf->f", padded[t : t + length], kernel) + bias for t in range(len(x))]
        )
    for layer in range(params.num_layers):
        scope = f"rnn_classification/cell_{layer}/bidirectional_rnn"
        directions = []
        for direction, step in (("fw", 1), ("bw", -1)):
            cell = f"{scope}/{direction}/basic_lstm_cell"
            weights = variables[f"{cell}/kernel"], variables[f"{cell}/bias"]
            directions.append(numpy_lstm(x[::step], *weights)[::step])
        x = np.concatenate(directions, axis=1)
    return x.sum(axis=0) @ variables["dense/kernel"] + variables["dense/bias"]


CHANGES = [
    {},
    {"cell_type": "lstm"},
    {"batch_norm": True},
    {"batch_norm": True, "cell_type": "lstm"},
    {"positions": True},
    {"positions": True, "batch_norm": True},
]


@pytest.mark.parametrize("changes", CHANGES)
def test_network_is_what_numpy_computes_for_each_drawing(changes):
    params = dataclasses.replace(TINY, conv_len=(5, 2), **changes)
    features = ragged_features(np.random.default_rng(0), [7, 1, 12, 3])
    variables = {}
    logits = predict(features, params, variables=variables)
    for drawing, length, result in zip(features["ink"], features["lengths"], logits):
        np.testing.assert_allclose(
            result, numpy_logits(drawing[:length], variables, params), rtol=1e-4, atol=1e-5
        )


def test_positions_are_those_of_the_points_in_the_unit_square():
    # A house, drawn from its lower left corner; y grows downwards.
    strokes = [[[50, 50, 150, 150], [200, 80, 80, 200]], [[50, 100, 150], [80, 0, 80]]]
    rows = ink.strokes_to_ink(strokes)
    with tf.Graph().as_default(), tf1.Session() as session:
        padded = np.concatenate([rows, np.full((2, 3), 9, np.float32)])[np.newaxis]
        mask = model.length_mask(tf.constant([len(rows)]), tf.constant(len(rows) + 2))
        positions = session.run(model.add_positions(tf.constant(padded), mask))[0, : len(rows)]
    np.testing.assert_array_equal(positions[:, :3], rows)
    x = [0, 1, 1, 0, 0.5, 1]  # of the second point to the last
    y = [0.4, 0.4, 1, 0.4, 0, 0.4]
    np.testing.assert_allclose(positions[:, 3:] + 0.5, np.transpose([x, y]), atol=1e-6)


def test_variables_have_the_tutorials_names_and_shapes():
    shapes = model.variable_shapes(model.HParams(num_classes=42))
    expected = {
        "conv1d_0/kernel": [5, 3, 48],
        "conv1d_0/bias": [48],
        "conv1d_1/kernel": [5, 48, 64],
        "conv1d_1/bias": [64],
        "conv1d_2/kernel": [3, 64, 96],
        "conv1d_2/bias": [96],
        "dense/kernel": [256, 42],
        "dense/bias": [42],
    }
    for layer, inputs in enumerate([96, 256, 256]):
        for direction in ("fw", "bw"):
            name = f"rnn_classification/cell_{layer}/bidirectional_rnn/{direction}/basic_lstm_cell"
            expected[f"{name}/kernel"] = [inputs + 128, 512]
            expected[f"{name}/bias"] = [512]
    assert shapes == expected


@pytest.mark.parametrize("changes", CHANGES)
def test_padding_does_not_change_logits(changes):
    params = dataclasses.replace(TINY, **changes)
    features = ragged_features(np.random.default_rng(1), [4, 9, 1, 20, 20])
    together = predict(features, params)
    for i, length in enumerate(features["lengths"]):
        alone = {"ink": features["ink"][i : i + 1, :length], "lengths": np.array([length])}
        np.testing.assert_allclose(predict(alone, params)[0], together[i], rtol=1e-5, atol=1e-6)


def test_padding_does_not_change_gradients():
    rng = np.random.default_rng(2)
    features = ragged_features(rng, [4, 9])
    _, gradients = loss_and_gradients(features, [0, 2], TINY)
    features["ink"] = np.pad(features["ink"], [(0, 0), (0, 7), (0, 0)], constant_values=5.0)
    _, padded = loss_and_gradients(features, [0, 2], TINY)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(padded[name], gradient, rtol=1e-5, atol=1e-6, err_msg=name)


def train_step(features, labels, params) -> tuple[dict, dict, dict]:
    """Variables before and after a step, by name, and the scalar summaries, by tag."""
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.set_random_seed(0)
        constants = {key: tf.constant(value) for key, value in features.items()}
        spec = model.model_fn(constants, tf.constant(labels), TRAIN, params)
        session.run([tf1.global_variables_initializer(), tf1.local_variables_initializer()])
        names = [v.op.name for v in tf1.global_variables()]
        before = session.run(tf1.global_variables())
        merged = tf1.summary.merge_all()
        _, summary = session.run([spec.train_op, merged])
        after = session.run(tf1.global_variables())
        summary = tf1.Summary.FromString(summary)
        values = {v.tag: v.simple_value for v in summary.value if v.HasField("simple_value")}
        return dict(zip(names, before)), dict(zip(names, after)), values


def test_a_step_is_adams():
    features = ragged_features(np.random.default_rng(4), [5, 8])
    params = dataclasses.replace(TINY, learning_rate=0.01)
    before, after, _ = train_step(features, [0, 2], params)
    assert after["global_step"] == 1
    # Adam's first step: each value moves by the learning rate against its gradient's sign.
    moved = before["dense/bias"] - after["dense/bias"]
    np.testing.assert_allclose(np.abs(moved), 0.01, rtol=1e-3)
    assert moved[1] > 0  # no drawing is of class 1: its bias falls


def test_weights_decay_by_a_share_of_themselves():
    features = ragged_features(np.random.default_rng(4), [5, 8])
    params = dataclasses.replace(TINY, learning_rate=0.01, dropout=0.0)
    before, plain, _ = train_step(features, [0, 2], params)
    _, decayed, _ = train_step(features, [0, 2], dataclasses.replace(params, weight_decay=0.2))
    assert before["dense/kernel"].std() > 0.1
    for name in model.variable_shapes(params):
        share = 0.01 * 0.2 if name.endswith("kernel") else 0
        expected = plain[name] - share * before[name]
        np.testing.assert_allclose(decayed[name], expected, atol=1e-6, err_msg=name)


def test_smoothed_labels_leave_some_truth_to_all_classes():
    logits, labels = np.random.default_rng(0).normal(size=(5, 4)), np.array([0, 3, 2, 1, 0])
    truth = 0.9 * np.eye(4)[labels] + 0.1 / 4
    expected = -(truth * np.log(softmax(logits))).sum(axis=1)
    with tf1.Session() as session:
        losses = model.cross_entropy(
            tf.constant(logits, tf.float32), tf.constant(labels, tf.int64), label_smoothing=0.1
        )
        np.testing.assert_allclose(session.run(losses), expected, rtol=1e-5)


def training_loss(features, labels, params, variables) -> float:
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.train.create_global_step()
        constants = {name: tf.constant(value) for name, value in features.items()}
        spec = model.model_fn(constants, tf.constant(labels), TRAIN, params)
        session.run(tf1.global_variables_initializer())
        for variable in tf1.trainable_variables():
            variable.load(variables[variable.op.name], session)
        return session.run(spec.loss)


def test_labels_are_smoothed_in_training_alone():
    features, labels = ragged_features(np.random.default_rng(4), [5, 8]), np.array([0, 2])
    params = dataclasses.replace(TINY, label_smoothing=0.5)
    variables: dict = {}
    powers = np.exp(predict(features, params, variables=variables))
    logarithms = np.log(powers / powers.sum(axis=1, keepdims=True))
    exact = -logarithms[np.arange(2), labels]
    smoothed = 0.5 * exact - 0.5 * logarithms.mean(axis=1)
    loss = training_loss(features, labels, params, variables)
    assert loss == pytest.approx(smoothed.mean(), rel=1e-5) != pytest.approx(exact.mean(), rel=1e-2)
    assert loss_and_gradients(features, labels, params)[0] == pytest.approx(exact.mean(), rel=1e-5)


def test_the_loss_alone_sees_adjusted_logits():
    features, labels = ragged_features(np.random.default_rng(0), [4, 6, 3]), np.array([0, 2, 1])
    adjustment = np.array([0.5, -2.0, 1.0], np.float32)
    variables: dict = {}
    logits = predict(features, variables=variables)
    expected = []
    for added in (0.0, adjustment):
        expected.append(-np.log(softmax(logits + added)[np.arange(3), labels]).mean())
    adjusted = {**features, "logit_adjustment": adjustment}
    losses = [training_loss(each, labels, TINY, variables) for each in (features, adjusted)]
    assert losses == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(predict(adjusted, variables=variables), logits)


def test_adam_follows_the_schedule():
    features = ragged_features(np.random.default_rng(4), [5, 8])
    schedule = {"learning_rate_schedule": "cosine", "warmup_steps": 4, "decay_steps": 12}
    params = dataclasses.replace(TINY, learning_rate=0.01, **schedule)
    before, after, values = train_step(features, [0, 2], params)
    moved = np.abs(before["dense/bias"] - after["dense/bias"])
    np.testing.assert_allclose(moved, 0.01 / 4, rtol=1e-3)  # the first of four steps up
    assert values["learning_rate"] == pytest.approx(0.01 / 4)


def test_cosine_schedule_rises_and_falls_to_zero():
    params = model.HParams(
        num_classes=3,
        learning_rate=0.5,
        learning_rate_schedule="cosine",
        warmup_steps=4,
        decay_steps=12,
    )
    with tf.Graph().as_default(), tf1.Session() as session:
        step = tf1.train.create_global_step()
        rate = model.scheduled_learning_rate(params)
        rates = []
        for done in (0, 1, 3, 4, 6, 8, 10, 12, 99):
            step.load(done, session)
            rates.append(session.run(rate))
    half = np.cos(np.pi / 4) / 2
    expected = [1 / 4, 2 / 4, 1, 1, 0.5 + half, 0.5, 0.5 - half, 0, 0]
    np.testing.assert_allclose(rates, 0.5 * np.array(expected), atol=1e-6)


@pytest.mark.parametrize("has_gpu", [False, True])
def test_mixed_precision_trains_the_same_variables(has_gpu, monkeypatch):
    monkeypatch.setattr(hardware, "has_gpu", lambda: has_gpu)
    features = ragged_features(np.random.default_rng(4), [5, 8])
    params = dataclasses.replace(
        TINY, cell_type="block_lstm", mixed_precision=True, learning_rate=0.01
    )
    before, after, _ = train_step(features, [0, 2], params)
    optimiser.float32_sessions()
    assert all(value.dtype in (np.float32, np.int64) for value in after.values())
    # No more than in single precision: so either way goes on from the other's checkpoints.
    single = dataclasses.replace(params, mixed_precision=False)
    assert after.keys() == train_step(features, [0, 2], single)[1].keys()
    np.testing.assert_allclose(np.abs(before["dense/bias"] - after["dense/bias"]), 0.01, rtol=1e-3)


def test_a_step_whose_gradients_leave_float16_is_skipped_and_its_summaries_are_written():
    with tf.Graph().as_default(), tf1.Session() as session:
        weights = tf1.get_variable("weights", initializer=[1.0, 2.0])
        step = optimiser.train_op(
            tf.reduce_sum(weights * tf.constant([np.inf, 1.0])),
            learning_rate=tf.constant(0.1),
            weight_decay=0.0,
            gradient_clipping_norm=9.0,
            half_precision=tf.float16,
        )
        optimiser.float32_sessions()
        session.run([tf1.global_variables_initializer(), tf1.local_variables_initializer()])
        _, summary = session.run([step, tf1.summary.merge_all()])
        np.testing.assert_array_equal(session.run(weights), [1, 2])
        assert session.run(tf1.train.get_global_step()) == 0
    values = {value.tag: value for value in tf1.Summary.FromString(summary).value}
    assert values["gradients/weights"].histo.sum == 1  # of the one that is finite
    assert values["gradient_norm/weights"].simple_value == np.inf


def test_sessions_of_an_evaluation_are_in_float32_beside_one_that_trains_in_float16(monkeypatch):
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    features = ragged_features(np.random.default_rng(4), [5, 8])
    params = dataclasses.replace(TINY, cell_type="block_lstm", mixed_precision=True)
    rewrites = {}
    for mode in (TRAIN, EVAL, TRAIN, PREDICT):
        with tf.Graph().as_default():
            constants = {key: tf.constant(value) for key, value in features.items()}
            model.model_fn(constants, tf.constant([0, 2]), mode, params)
            options = tf.config.optimizer.get_experimental_options()
            rewrites.setdefault(mode, []).append(options["auto_mixed_precision"])
    assert rewrites == {TRAIN: [True, True], EVAL: [False], PREDICT: [False]}


def test_mixed_precision_is_for_training_alone():
    features = ragged_features(np.random.default_rng(6), [5, 8])
    mixed = dataclasses.replace(TINY, cell_type="block_lstm", mixed_precision=True)
    np.testing.assert_array_equal(predict(features, mixed), predict(features, TINY))
    assert (
        loss_and_gradients(features, [0, 2], mixed)[0]
        == (loss_and_gradients(features, [0, 2], TINY)[0])
    )


def test_steps_in_mixed_precision_are_nearly_those_in_single(monkeypatch):
    monkeypatch.setattr(hardware, "cpu_has_bfloat16", lambda: True)
    features = ragged_features(np.random.default_rng(7), [5, 8, 3])
    params = dataclasses.replace(TINY, cell_type="block_lstm")
    _, _, single = train_step(features, [0, 2, 1], params)
    _, _, mixed = train_step(features, [0, 2, 1], dataclasses.replace(params, mixed_precision=True))
    for name, value in single.items():
        if "norm" in name:
            assert mixed[name] == pytest.approx(value, rel=0.02)
    assert mixed["global_norm/gradient_norm"] != single["global_norm/gradient_norm"]


def test_gradients_are_clipped_by_their_global_norm():
    features = ragged_features(np.random.default_rng(5), [5, 8])
    for bound in (1e-3, 1e3, 0.0):
        params = dataclasses.replace(TINY, gradient_clipping_norm=bound)
        _, after, values = train_step(features, [0, 2], params)
        norm = values["global_norm/gradient_norm"]
        of_variables = [v for tag, v in values.items() if tag.startswith("gradient_norm/")]
        assert norm == pytest.approx(np.sqrt(np.square(of_variables).sum()), rel=1e-5)
        clipped = min(norm, bound) if bound else norm
        assert values["global_norm/clipped_gradient_norm"] == pytest.approx(clipped, rel=1e-4)
        # Adam's first moment after a step is a tenth of the gradient that it was given.
        moments = [value for name, value in after.items() if name.endswith("/Adam")]
        applied = 10 * np.sqrt(sum(np.square(moment).sum() for moment in moments))
        assert len(moments) == len(of_variables)
        assert applied == pytest.approx(clipped, rel=1e-3)


def test_gradients_that_are_not_finite_change_nothing():
    features = ragged_features(np.random.default_rng(6), [5, 8])
    features["ink"][0, 0] = np.nan
    with tf.Graph().as_default(), tf1.Session() as session:
        constants = {key: tf.constant(value) for key, value in features.items()}
        spec = model.model_fn(constants, tf.constant([0, 1]), TRAIN, TINY)
        session.run(tf1.global_variables_initializer())
        before = session.run(tf1.trainable_variables())
        with pytest.raises(tf.errors.InvalidArgumentError, match=optimiser.NOT_FINITE):
            session.run(spec.train_op)
        for old, new in zip(before, session.run(tf1.trainable_variables())):
            np.testing.assert_array_equal(old, new)


def test_dropout_only_in_training():
    features = ragged_features(np.random.default_rng(7), [20, 20])
    params = dataclasses.replace(TINY, dropout=0.5)
    assert (predict(features, params) == predict(features, TINY)).all()
    with tf.Graph().as_default(), tf1.Session() as session:
        constants = {key: tf.constant(value) for key, value in features.items()}
        spec = model.model_fn(constants, tf.constant([0, 1]), TRAIN, params)
        session.run(tf1.global_variables_initializer())
        assert session.run(spec.loss) != session.run(spec.loss)


def test_dropout_stands_between_layers_and_never_before_the_first(monkeypatch):
    dropped = []
    dropout = tf.nn.dropout

    def record(x, rate):
        dropped.append((x.shape[-1], rate))
        return dropout(x, rate=rate)

    monkeypatch.setattr(tf.nn, "dropout", record)
    params = dataclasses.replace(
        TINY, num_conv=(5, 6, 7), conv_len=(3, 2, 2), num_layers=3, dropout=0.2
    )
    train_step(ragged_features(np.random.default_rng(7), [5, 8]), [0, 1], params)
    # Before the second and the third convolution; between three layers of 2 * 4 nodes.
    assert dropped == [(5, 0.2), (6, 0.2), (8, 0.2), (8, 0.2)]


def test_batch_norm_counts_no_padding():
    features = ragged_features(np.random.default_rng(8), [3, 10, 6])
    params = dataclasses.replace(TINY, batch_norm=True)
    _, after, _ = train_step(features, [0, 1, 2], params)
    rows = np.concatenate([d[:n] for d, n in zip(features["ink"], features["lengths"])])
    np.testing.assert_allclose(
        after["batch_normalization/moving_mean"], 0.01 * rows.mean(axis=0), rtol=1e-4
    )
    np.testing.assert_allclose(
        after["batch_normalization/moving_variance"], 0.99 + 0.01 * rows.var(axis=0), rtol=1e-4
    )


def dataset_fn(features, labels, batch_size):
    return lambda: tf.data.Dataset.from_tensor_slices((features, labels)).batch(batch_size)


def test_evaluation_weighs_every_drawing_alike_at_any_batch_size(tmp_path):
    features = ragged_features(np.random.default_rng(9), [5, 8, 2, 9, 4, 7, 7])
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    # Random weights whose best temperature, 0.74, is not an end of the range.
    config = estimators.RunConfig(model_dir=str(tmp_path), tf_random_seed=1)
    estimator = estimators.Estimator(model.model_fn, params=TINY, config=config)
    estimator.train(dataset_fn(features, labels, 7), steps=1)
    predictions = list(estimator.predict(dataset_fn(features, labels, 3)))
    probabilities = np.array([p["probabilities"] for p in predictions])
    logits = np.array([p["logits"] for p in predictions])
    np.testing.assert_allclose(probabilities, softmax(logits), rtol=1e-5)
    temperatures = np.geomspace(0.5, 8, 2000)
    losses = [-np.log(softmax(logits / t)[np.arange(7), labels]).mean() for t in temperatures]
    for batch_size in (1, 3, 7):
        result = estimator.evaluate(dataset_fn(features, labels, batch_size))
        assert result["temperature"] == pytest.approx(temperatures[np.argmin(losses)], rel=0.01)
        assert result["drawings"] == 7
        assert result["loss"] == pytest.approx(
            -np.log(probabilities[np.arange(7), labels]).mean(), rel=1e-5
        )
        right = logits.argmax(axis=1) == labels
        assert result["accuracy"] == pytest.approx(right.mean())
        order = (-logits).argsort(axis=1)
        assert result["map_3"] == pytest.approx(
            np.mean([1 / (1 + list(o).index(label)) for o, label in zip(order, labels)])
        )
        assert result["top_3_accuracy"] == result["top_5_accuracy"] == 1
        assert result["mean_class_accuracy"] == pytest.approx(
            np.mean([right[labels == k].mean() for k in range(3)])
        )
    divided = functools.partial(model.model_fn, temperature=2.5)
    estimator = estimators.Estimator(divided, params=TINY, config=config)
    again = estimator.evaluate(dataset_fn(features, labels, 3))
    expected = -np.log(softmax(logits / 2.5)[np.arange(7), labels]).mean()
    assert again["loss"] == pytest.approx(expected, rel=1e-5)
    assert again["temperature"] == pytest.approx(result["temperature"], rel=1e-5)


def test_checkpoint_of_one_cell_type_resumes_with_another(tmp_path):
    features = ragged_features(np.random.default_rng(10), [5, 8, 2])
    labels = np.array([0, 1, 2])

    def estimator(cell_type):
        params = dataclasses.replace(TINY, cell_type=cell_type, learning_rate=0.01)
        return estimators.Estimator(model.model_fn, params=params, model_dir=str(tmp_path))

    estimator("lstm").train(dataset_fn(features, labels, 3), steps=1)
    losses = [
        estimator(cell_type).evaluate(dataset_fn(features, labels, 3))["loss"]
        for cell_type in ("auto", "lstm", "block_lstm")
    ]
    assert losses == pytest.approx([losses[0]] * len(losses), rel=1e-6)
    estimator("block_lstm").train(dataset_fn(features, labels, 3), steps=1)
    assert tf.train.load_variable(str(tmp_path), "global_step") == 2


@pytest.mark.parametrize("cell_type", ["lstm", "block_lstm"])
@pytest.mark.parametrize("batch_size", [1, 50, 313])
def test_the_tutorials_checkpoint_gives_its_logits(quickdraw_data, tmp_path, cell_type, batch_size):
    golden = np.load(quickdraw_data / "golden/logits.npz")
    count = 40 if batch_size == 1 else len(golden["ink"])
    lengths = golden["lengths"][:count].astype(np.int64)
    features = {
        "ink": golden["ink"][:count],
        "lengths": lengths,
    }
    estimator = estimators.Estimator(
        model.model_fn,
        params=model.HParams(num_classes=42, cell_type=cell_type),
        model_dir=str(tmp_path),
    )
    predictions = estimator.predict(
        lambda: tf.data.Dataset.from_tensor_slices(features).batch(batch_size),
        checkpoint_path=str(quickdraw_data / "golden/checkpoint/model.ckpt"),
    )
    logits = np.array([p["logits"] for p in predictions])
    np.testing.assert_allclose(logits, golden["logits"][:count], atol=1e-4)


def test_hparams_are_the_tutorials_by_default():
    params = model.HParams(num_classes=345)
    assert (params.num_layers, params.num_nodes) == (3, 128)
    assert (params.num_conv, params.conv_len) == ((48, 64, 96), (5, 5, 3))
    assert (params.learning_rate, params.gradient_clipping_norm) == (0.0001, 9.0)
    assert (params.dropout, params.batch_norm) == (0.3, False)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"num_conv": (48, 64)}, "give one length for each"),
        ({"conv_len": (5, 0, 3)}, "conv_len=(5, 0, 3): expected numbers of at least 1"),
        ({"cell_type": "gru"}, "cell_type=gru: expected one of auto, lstm, block_lstm"),
        ({"learning_rate_schedule": "cosine"}, "decay_steps=0"),
        ({"learning_rate_schedule": "linear"}, "learning_rate_schedule=linear"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"num_nodes": -1}, "num_nodes=-1"),
        ({"num_classes": 0}, "num_classes=0"),
        ({"dropout": 1.0}, "dropout=1.0: expected at least 0 and below 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: expected above 0"),
        ({"gradient_clipping_norm": -1.0}, "gradient_clipping_norm=-1.0"),
        ({"gradient_clipping_norm": float("inf")}, "gradient_clipping_norm=inf: expected a number"),
        ({"gradient_clipping_norm": 1e39}, "gradient_clipping_norm=1e+39"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"accept_threshold": float("nan")}, "accept_threshold=nan"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1: expected at least 0"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0: expected at least 0 and below 1"),
    ],
)
def test_wrong_hparams_are_refused(wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        dataclasses.replace(model.HParams(num_classes=3), **wrong)


def test_cudnn_sees_few_lengths(monkeypatch):
    seen = []

    def layer(inputs, lengths, forward, backward, *, cell_type, **options):
        seen.append((cell_type, inputs))
        return tf.concat([inputs, inputs], axis=2)[:, :, : 2 * TINY.num_nodes]

    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    monkeypatch.setattr(model.lstm, "bidirectional_lstm", layer)
    ink = np.random.default_rng(0).normal(size=(2, 67, 3)).astype(np.float32)
    lengths = np.array([67, 9], np.int64)
    for cell_type in ("cudnn_lstm", "block_lstm"):
        params = dataclasses.replace(TINY, cell_type=cell_type, num_layers=1)
        with tf.Graph().as_default(), tf1.Session() as session:
            model.embed(tf.constant(ink), tf.constant(lengths), params=params, training=False)
            session.run(tf1.global_variables_initializer())
            ((kind, inputs),) = seen
            given = session.run(inputs)  # [T, B, C]
        seen.clear()
        assert (kind, len(given)) == (cell_type, 80 if cell_type == "cudnn_lstm" else 67)
        assert not given[67:].any() and not given[9:, 1].any()
