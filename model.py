"""Hyper-parameters, the network and its `model_fn`.

Shapes, with B batch, T longest ink of the batch, C channels, N nodes, K classes:

    ink                                  [B, T, 3], with positions [B, T, 5]
    convolutions                         [B, T, C]
    bidirectional LSTM layers            [T, B, 2N]
    sum over the true time steps         [B, 2N]
    dense: logits                        [B, K]

Variables have the names and shapes of the tutorial's program, so that its checkpoints load:

    conv1d_{i}/kernel                    [filter length, channels in, channels out]
    conv1d_{i}/bias                      [channels out]
    rnn_classification/cell_{l}/bidirectional_rnn/{fw,bw}/basic_lstm_cell/kernel
                                         [channels in + N, 4N], gates in the order i, c, f, o
    rnn_classification/cell_{l}/bidirectional_rnn/{fw,bw}/basic_lstm_cell/bias
                                         [4N]; 1.0 is added to the forget gate at run time
    dense/kernel, dense/bias             [2N, K], [K]
    batch_normalization{,_1,_2}/...      [channels in], only with `batch_norm`

Padding never matters: rows past a drawing's length are zeroed before every convolution, and
reach neither the backward LSTM nor the sum.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import tensorflow as tf

from common import estimators
from common.errors import UserError
from common.settings import Settings, expect, setting
from network import hardware, lstm, measures, optimiser
from network.batch_guesses import BatchGuesses

# x, y and pen-up.
INK_COLUMNS = 3

# Batch normalisation: the defaults of the layer that the tutorial used.
BATCH_NORM_MOMENTUM = 0.99
BATCH_NORM_EPSILON = 1e-3


@dataclasses.dataclass(frozen=True)
class Network(Settings):
    """What is trained, and what must be known to use it."""

    num_classes: int
    num_layers: int = setting(3, "Bidirectional LSTM layers.", at_least=1)
    num_nodes: int = setting(128, "Nodes of an LSTM layer in each direction.", at_least=1)
    num_conv: tuple[int, ...] = setting((48, 64, 96), "Filters of each convolution.", at_least=1)
    conv_len: tuple[int, ...] = setting((5, 5, 3), "Filter length of each, in points.", at_least=1)
    batch_norm: bool = setting(False, "Batch normalisation before each convolution.")
    positions: bool = setting(
        False,
        "Also give the network the position of each point, besides its offset from the previous "
        "one.",
    )


@dataclasses.dataclass(frozen=True)
class Optimisation(Settings):
    """How the network is optimised and regularised."""

    dropout: float = setting(
        0.3,
        "Dropout rate before each convolution except the first, and between LSTM layers.",
        at_least=0,
        below=1,
    )
    learning_rate: float = setting(
        1e-4, "Learning rate of Adam; with a schedule, its peak.", above=0
    )
    learning_rate_schedule: str = setting(
        "constant",
        "cosine: linear warm-up, then cosine decay to zero at the last of --steps.",
        choices=("constant", "cosine"),
    )
    warmup_steps: int = setting(200, "Warm-up steps of the cosine schedule.", at_least=0)
    decay_steps: int = 0  # of the cosine schedule: the step at which the learning rate is zero
    weight_decay: float = setting(
        0.0,
        "Decoupled weight decay (AdamW): each step shrinks weights by this times the learning "
        "rate.",
        at_least=0,
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing: share of the target probability spread over all classes.",
        at_least=0,
        below=1,
    )
    gradient_clipping_norm: float = setting(
        9.0, "Largest global norm of the gradients; 0 for no clipping.", at_least=0
    )


@dataclasses.dataclass(frozen=True)
class Computation(Settings):
    """How the same network is computed."""

    cell_type: str = setting(
        "auto",
        "How the LSTM is computed; checkpoints are the same. auto: cudnn_lstm on a GPU, else "
        "block_lstm.",
        choices=lstm.CELL_TYPES,
    )
    mixed_precision: bool = setting(
        False,
        "Half-precision products: float16 on a GPU, bfloat16 on a CPU that has AVX512_BF16 or AMX.",
    )


@dataclasses.dataclass(frozen=True)
class Judgement(Settings):
    """How guesses are judged in evaluation."""

    accept_threshold: float = setting(
        0.5, "Probability above which a guess counts as said, in evaluation.", at_least=0, below=1
    )


@dataclasses.dataclass(frozen=True)
class HParams(Judgement, Computation, Optimisation, Network):
    """All that Estimator gives `model_fn`. `HParams(num_classes=42)` is the tutorial's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self.num_classes >= 1, "num_classes", self.num_classes, "at least 1")
        if len(self.num_conv) != len(self.conv_len):
            raise UserError(
                f"num_conv={list(self.num_conv)} names {len(self.num_conv)} convolutions, "
                f"conv_len={list(self.conv_len)} names {len(self.conv_len)}; give one length "
                "for each number of filters"
            )
        if self.learning_rate_schedule == "cosine":
            steps = self.decay_steps
            expect(steps >= 1, "decay_steps", steps, "the number of steps, with cosine")


def length_mask(lengths: tf.Tensor, max_length: tf.Tensor) -> tf.Tensor:
    """float32 [B, T, 1]: 1 on a drawing's own time steps, 0 past them."""
    return tf.sequence_mask(lengths, max_length, dtype=tf.float32)[:, :, tf.newaxis]


def pad_to_few_lengths(ink: tf.Tensor) -> tf.Tensor:
    """Pads ink, float32 [B, T, 3], to one of the few lengths that cuDNN is prepared for."""
    num_steps = tf.shape(ink)[1]
    return tf.pad(ink, [[0, 0], [0, lstm.round_up_length(num_steps) - num_steps], [0, 0]])


def add_positions(ink: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Adds to each row of ink where it leads: a point of the unit square that the drawing fills.

    What the deltas say as well, but only to who adds them all up. Liu and others, "An intriguing
    failing of convolutional neural networks and the CoordConv solution", 2018, of pictures.

    Args:
      ink: float32 [B, T, 3].
      mask: float32 [B, T, 1].

    Returns:
      float32 [B, T, 5]: x, y and pen-up of the ink, then the point's x and y from the square's
      middle, -0.5 to 0.5.
    """
    at = tf.cumsum(ink[:, :, :2] * mask, axis=1)
    # The first row leads from the origin, which is the first point, to the second.
    lower = tf.minimum(tf.reduce_min(at, axis=1, keepdims=True), 0.0)  # [B, 1, 2]
    return tf.concat([ink, at - lower - 0.5], axis=2)


def conv_layers(ink: tf.Tensor, mask: tf.Tensor, *, params: HParams, training: bool) -> tf.Tensor:
    """Convolutions over time, without activation.

    Args:
      ink: float32 [B, T, 3], or [B, T, 5] with positions.
      mask: float32 [B, T, 1].
      params: hyper-parameters.
      training: whether to drop out and to take the batch's statistics.

    Returns:
      float32 [B, T, C], zero past a drawing's length.
    """
    channels = ink * mask
    for i, (filters, length) in enumerate(zip(params.num_conv, params.conv_len)):
        if params.batch_norm:
            name = f"batch_normalization_{i}" if i else "batch_normalization"
            channels = batch_norm(channels, mask, name=name, training=training) * mask
        if i > 0:
            channels = dropout(channels, params.dropout, training=training)
        with tf.compat.v1.variable_scope(f"conv1d_{i}"):
            kernel = _kernel([length, channels.shape[-1], filters])
            channels = tf.nn.conv1d(channels, kernel, stride=1, padding="SAME")
            channels = tf.nn.bias_add(channels, _bias([filters])) * mask  # [B, T, filters]
    return channels


def batch_norm(channels: tf.Tensor, mask: tf.Tensor, *, name: str, training: bool) -> tf.Tensor:
    """Batch normalisation over the drawings' own time steps: padding is not counted.

    Ioffe and Szegedy, "Batch Normalization", 2015. In training the moving averages are
    updated by the operations in `tf.compat.v1.GraphKeys.UPDATE_OPS`.
    """
    shape = [channels.shape[-1]]
    ones = tf.compat.v1.ones_initializer()
    with tf.compat.v1.variable_scope(name):
        gamma = tf.compat.v1.get_variable("gamma", shape, initializer=ones)
        beta = _bias(shape, name="beta")
        moving_mean, moving_variance = (
            tf.compat.v1.get_variable(
                name,
                shape,
                initializer=initializer,
                trainable=False,
                # Several replicas each see a batch of their own: their mean is kept.
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.MEAN,
            )
            for name, initializer in (
                ("moving_mean", tf.compat.v1.zeros_initializer()),
                ("moving_variance", ones),
            )
        )
    mean, variance = moving_mean, moving_variance
    if training:
        mean, variance = tf.nn.weighted_moments(channels, axes=[0, 1], frequency_weights=mask)
        for moving, value in ((moving_mean, mean), (moving_variance, variance)):
            update = moving.assign_sub((moving - value) * (1 - BATCH_NORM_MOMENTUM))
            tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.UPDATE_OPS, update)
    return tf.nn.batch_normalization(
        channels, mean, variance, offset=beta, scale=gamma, variance_epsilon=BATCH_NORM_EPSILON
    )


def lstm_layers(
    inputs: tf.Tensor, lengths: tf.Tensor, *, params: HParams, training: bool
) -> tf.Tensor:
    """Bidirectional LSTM layers, both directions' outputs concatenated.

    Args:
      inputs: float32 [T, B, C].
      lengths: int64 [B], the drawings' own time steps.
      params: hyper-parameters.
      training: whether to drop out between layers.

    Returns:
      float32 [T, B, 2N]; what stands past a drawing's length is meaningless.
    """
    cell_type = lstm.resolve_cell_type(params.cell_type)
    # float16 is the optimiser's to arrange.
    bfloat16 = training and half_precision(params) == tf.bfloat16
    for layer in range(params.num_layers):
        if layer > 0:
            inputs = dropout(inputs, params.dropout, training=training)
        with tf.compat.v1.variable_scope(f"rnn_classification/cell_{layer}/bidirectional_rnn"):
            inputs = lstm.bidirectional_lstm(
                inputs,
                lengths,
                _lstm_weights("fw", inputs.shape[-1], params.num_nodes),
                _lstm_weights("bw", inputs.shape[-1], params.num_nodes),
                cell_type=cell_type,
                training=training,
                bfloat16=bfloat16,
            )
    return inputs


def half_precision(params: HParams) -> tf.DType | None:
    """Returns what a training step on this machine multiplies in; None for float32."""
    return hardware.half_precision() if params.mixed_precision else None


def _lstm_weights(direction: str, channels: int, num_nodes: int) -> lstm.Weights:
    with tf.compat.v1.variable_scope(f"{direction}/basic_lstm_cell"):
        return _kernel([channels + num_nodes, 4 * num_nodes]), _bias([4 * num_nodes])


def dropout(x: tf.Tensor, rate: float, *, training: bool) -> tf.Tensor:
    return tf.nn.dropout(x, rate=rate) if training and rate > 0 else x


def _kernel(shape: list[int]) -> tf.Variable:
    """Initialised uniformly as in Glorot and Bengio, "Understanding the difficulty of training
    deep feedforward neural networks", 2010: the tutorial's way for every kernel."""
    return tf.compat.v1.get_variable(
        "kernel", shape, initializer=tf.compat.v1.glorot_uniform_initializer()
    )


def _bias(shape: list[int], *, name: str = "bias") -> tf.Variable:
    return tf.compat.v1.get_variable(name, shape, initializer=tf.compat.v1.zeros_initializer())


def embed(ink: tf.Tensor, lengths: tf.Tensor, *, params: HParams, training: bool) -> tf.Tensor:
    """Turns each drawing into one vector: the summed outputs of the last LSTM layer.

    Args:
      ink: float32 [B, T, 3].
      lengths: int64 [B].
      params: hyper-parameters.
      training: whether to drop out and to take the batch's statistics.

    Returns:
      float32 [B, 2N].
    """
    # The scopes are what TensorBoard's graph folds into boxes.
    with tf.name_scope("convolutions"):
        if lstm.resolve_cell_type(params.cell_type) == "cudnn_lstm":
            ink = pad_to_few_lengths(ink)
        mask = length_mask(lengths, tf.shape(ink)[1])  # [B, T, 1]
        if params.positions:
            ink = add_positions(ink, mask)
        channels = conv_layers(ink, mask, params=params, training=training)  # [B, T, C]
        time_major = tf.transpose(channels, [1, 0, 2])  # [T, B, C]
    with tf.name_scope("lstm_layers"):
        hidden = lstm_layers(time_major, lengths, params=params, training=training)  # [T, B, 2N]
    with tf.name_scope("sum_over_time"):
        return tf.reduce_sum(hidden * tf.transpose(mask, [1, 0, 2]), axis=0)  # [B, 2N]


def classify(embedding: tf.Tensor, *, num_classes: int) -> tf.Tensor:
    """Returns logits, float32 [B, K], of embeddings, float32 [B, 2N]."""
    with tf.compat.v1.variable_scope("dense"):
        kernel = _kernel([embedding.shape[-1], num_classes])
        return tf.nn.bias_add(tf.matmul(embedding, kernel), _bias([num_classes]))


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor, *, label_smoothing: float) -> tf.Tensor:
    """Returns each drawing's cross entropy, float32 [B].

    Args:
      logits: float32 [B, K].
      labels: int64 [B].
      label_smoothing: share of the target probability spread over all classes: Szegedy and
        others, "Rethinking the Inception Architecture for Computer Vision", 2016.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    if not label_smoothing:
        return losses
    of_all = tf.reduce_logsumexp(logits, axis=1) - tf.reduce_mean(logits, axis=1)
    return (1 - label_smoothing) * losses + label_smoothing * of_all


def model_fn(
    features: dict[str, tf.Tensor],
    labels: tf.Tensor | None,
    mode: str,
    params: HParams,
    *,
    temperature: float = 1.0,
) -> estimators.EstimatorSpec:
    """Builds the network in one of Estimator's three modes.

    Args:
      features: `ink` float32 [B, T, 3] and `lengths` int64 [B], see input_pipeline.py. In TRAIN
        there may be a `logit_adjustment`, float32 [K], which the loss sees added to the logits:
        Menon and others, "Long-tail learning via logit adjustment", 2021.
      labels: class indices, int64 or int32 [B]; None in PREDICT.
      mode: one of `estimators.ModeKeys`.
      params: hyper-parameters.
      temperature: divides the logits for the probabilities; see `measures.best_temperature`.
        Estimator gives none.

    Returns:
      PREDICT: `logits` and `probabilities` float32 [B, K], `predictions` int64 [B] and
        `embedding` float32 [B, 2N].
      EVAL: over all drawings the mean cross entropy of the probabilities, as `loss`, and
        `measures.eval_metrics`.
      TRAIN: the loss, and the operation that does a step of Adam.
    """
    training = mode == estimators.ModeKeys.TRAIN
    optimiser.float32_sessions()  # unless a step in float16 is made below
    ink = tf.ensure_shape(features["ink"], [None, None, INK_COLUMNS])
    lengths = features["lengths"]
    embedding = embed(ink, lengths, params=params, training=training)
    logits = classify(embedding, num_classes=params.num_classes)
    predictions = {
        "logits": logits,
        "probabilities": tf.nn.softmax(logits / temperature),
        "predictions": tf.argmax(logits, axis=1),
        "embedding": embedding,
    }
    if mode == estimators.ModeKeys.PREDICT:
        return estimators.EstimatorSpec(mode, predictions=predictions)

    labels = tf.cast(labels, tf.int64)
    probability = tf.reduce_max(predictions["probabilities"], axis=1)
    BatchGuesses(ink, lengths, labels, predictions["predictions"], probability, embedding).publish()
    with tf.name_scope("measures"):
        measured = measures.drawing_measures(
            logits, predictions["probabilities"], labels, accept_threshold=params.accept_threshold
        )
    if mode == estimators.ModeKeys.EVAL:
        with tf.name_scope("cross_entropy"):
            losses = cross_entropy(logits / temperature, labels, label_smoothing=0.0)
        # Estimator averages this over the batches. Given every drawing's loss, rather than a
        # batch's mean, it averages over the drawings; it takes them where no shape is known.
        loss = tf.compat.v1.placeholder_with_default(losses, shape=None)
        metrics = measures.eval_metrics(measured, logits, labels)
        return estimators.EstimatorSpec(mode, loss=loss, eval_metric_ops=metrics)

    with tf.name_scope("cross_entropy"):
        if "logit_adjustment" in features:
            # What a class gains by being frequent: so the logits themselves need not learn it.
            logits += features["logit_adjustment"]
        losses = cross_entropy(logits, labels, label_smoothing=params.label_smoothing)
    with tf.name_scope("padding"):
        measured["padding_share"] = 1 - tf.reduce_mean(length_mask(lengths, tf.shape(ink)[1]))
    for name, values in measured.items():
        tf.compat.v1.summary.scalar(name, tf.reduce_mean(values))
    return training_spec(tf.reduce_mean(losses), params)


def training_spec(loss: tf.Tensor, params: HParams) -> estimators.EstimatorSpec:
    """Returns how Estimator trains: a step of Adam on the loss, float32 []."""
    train_op = optimiser.train_op(
        loss,
        learning_rate=scheduled_learning_rate(params),
        weight_decay=params.weight_decay,
        gradient_clipping_norm=params.gradient_clipping_norm,
        half_precision=half_precision(params),
    )
    return estimators.EstimatorSpec(estimators.ModeKeys.TRAIN, loss=loss, train_op=train_op)


def scheduled_learning_rate(params: HParams) -> tf.Tensor:
    """Returns the learning rate of the current step, float32 []."""
    if params.learning_rate_schedule == "constant":
        return tf.constant(params.learning_rate)
    with tf.name_scope("learning_rate_schedule"):
        return optimiser.cosine_learning_rate(
            tf.compat.v1.train.get_or_create_global_step(),
            highest=params.learning_rate,
            warmup_steps=params.warmup_steps,
            decay_steps=params.decay_steps,
        )


@functools.lru_cache  # builds a graph, and the end of a run asks several times
def variable_shapes(params: HParams) -> Mapping[str, Sequence[int]]:
    """Name and shape of each of the network's variables, in the order of their making."""
    with tf.Graph().as_default():
        features = {"ink": tf.zeros([1, 1, 3]), "lengths": tf.ones([1], tf.int64)}
        model_fn(features, None, estimators.ModeKeys.PREDICT, params)
        return {v.op.name: v.shape.as_list() for v in tf.compat.v1.global_variables()}
