"""How good guesses are: of each drawing, and over a whole evaluation.

Shapes: B batch, K classes.
"""

from __future__ import annotations

import tensorflow as tf

# What logits are divided by to find the best temperature, 1/2 to 8; each is that many times the
# one before.
TEMPERATURE_RATIO = 2**0.25
TEMPERATURES = tuple(TEMPERATURE_RATIO**power for power in range(-4, 13))

# The fewest drawings that a temperature is taken from. Fitting one number to n drawings costs the
# loss of others 1 / 2n on average, 0.017 here; to six it may be at either end of the range.
CALIBRATION_DRAWINGS = 30


def true_rank(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns how many classes stand before the true one among the guesses, int64 [B]; 0 is right.

    Of equally likely classes the first of the class list stands first, as with `tf.argmax` and
    `tf.math.top_k`. Where a logit is not a number, nothing is right: all classes stand before it.

    Args:
      logits: float32 [B, K].
      labels: int64 [B].
    """
    true = tf.gather(logits, labels, batch_dims=1)[:, tf.newaxis]  # [B, 1]
    index = tf.range(tf.shape(logits, tf.int64)[1])[tf.newaxis]  # [1, K]
    label = labels[:, tf.newaxis]  # [B, 1]
    ahead = ((index < label) & (logits >= true)) | ((index > label) & (logits > true))  # [B, K]
    rank = tf.reduce_sum(tf.cast(ahead, tf.int64), axis=1)
    # Comparisons with NaN are false, so it has to be asked for.
    unknown = tf.reduce_any(tf.math.is_nan(logits), axis=1)
    return tf.where(unknown, tf.shape(logits, tf.int64)[1], rank)


def drawing_measures(
    logits: tf.Tensor, probabilities: tf.Tensor, labels: tf.Tensor, *, accept_threshold: float
) -> dict[str, tf.Tensor]:
    """Measures of each drawing's guesses, float32 [B], whose means are the metrics.

    Args:
      logits: float32 [B, K].
      probabilities: float32 [B, K].
      labels: int64 [B].
      accept_threshold: the game says a class aloud when its probability is above that.

    Returns:
      `accuracy`, `top_3_accuracy`, `top_5_accuracy`: 1 where the true class is among the first
        1, 3, 5 guesses.
      `map_3`: 1, 1/2, 1/3 where it is the first, second, third: the measure of the Kaggle
        competition "Quick, Draw! Doodle Recognition Challenge".
      `accepted`: 1 where the true class is said aloud, and
      `falsely_accepted`: where another one is.
    """
    rank = true_rank(logits, labels)
    said = probabilities > accept_threshold  # [B, K]
    is_true = tf.one_hot(labels, tf.shape(logits)[1], on_value=True, off_value=False)  # [B, K]
    measures = {
        "accuracy": rank < 1,
        "top_3_accuracy": rank < 3,
        "top_5_accuracy": rank < 5,
        "map_3": tf.cast(rank < 3, tf.float32) / tf.cast(rank + 1, tf.float32),
        "accepted": tf.reduce_any(said & is_true, axis=1),
        "falsely_accepted": tf.reduce_any(said & ~is_true, axis=1),
    }
    return {name: tf.cast(values, tf.float32) for name, values in measures.items()}


def eval_metrics(
    measures: dict[str, tf.Tensor], logits: tf.Tensor, labels: tf.Tensor
) -> dict[str, tuple[tf.Tensor, tf.Operation]]:
    """Returns metrics over a whole evaluation, for Estimator: each with its update operation.

    Args:
      measures: of `drawing_measures`.
      logits: float32 [B, K].
      labels: int64 [B].

    Returns:
      The measures' means; `mean_class_accuracy`, the mean of the accuracies of the classes that
      occur; `temperature`, see `best_temperature`; and `drawings`, how many were evaluated.
    """
    mean = tf.compat.v1.metrics.mean
    metrics = {name: mean(values) for name, values in measures.items()}
    num_classes = logits.shape[1]
    # In float64: the least of a flat curve depends on its last digits.
    losses, add_losses = _total(
        losses_by_temperature(logits, labels), name="losses", dtype=tf.float64
    )
    metrics["drawings"] = _total(tf.size(labels), name="drawings")
    metrics["temperature"] = best_temperature(losses), add_losses
    correct = tf.cast(measures["accuracy"], tf.int64)
    right, add_right = _total(tf.math.unsorted_segment_sum(correct, labels, num_classes), "right")
    seen, add_seen = _total(
        tf.math.unsorted_segment_sum(tf.ones_like(correct), labels, num_classes), "seen"
    )  # [K]
    occurring = tf.math.count_nonzero(seen, dtype=tf.float64)
    accuracy = tf.reduce_sum(
        tf.math.divide_no_nan(tf.cast(right, tf.float64), tf.cast(seen, tf.float64))
    )
    metrics["mean_class_accuracy"] = (
        tf.cast(tf.math.divide_no_nan(accuracy, occurring), tf.float32),
        tf.group(add_right, add_seen),
    )
    return metrics


def why_uncalibrated(*, drawings: int, accuracy: float) -> str | None:
    """Says why the temperature that an evaluation found is of no use; None if it is.

    Where all guesses are right, or all are wrong, the loss is least at an end of any range.
    """
    if drawings < CALIBRATION_DRAWINGS:
        return f"{drawings:,} drawings are fewer than {CALIBRATION_DRAWINGS}"
    if accuracy in (0, 1):
        return f"all {drawings:,} guesses are {'right' if accuracy else 'wrong'}"
    return None


def losses_by_temperature(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns the summed cross entropy of logits divided by each of TEMPERATURES, float64 [S].

    Args:
      logits: float32 [B, K].
      labels: int64 [B].
    """
    scaled = logits / tf.constant(TEMPERATURES, tf.float32)[:, tf.newaxis, tf.newaxis]  # [S, B, K]
    labels = tf.tile(labels[tf.newaxis], [len(TEMPERATURES), 1])  # [S, B]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=scaled)
    return tf.reduce_sum(tf.cast(losses, tf.float64), axis=1)


def best_temperature(losses: tf.Tensor) -> tf.Tensor:
    """Returns the temperature at which the loss is least, float32 [].

    Dividing logits by it leaves the guesses as they are, and makes probabilities what they should
    be: how often a guess is right. Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Args:
      losses: at TEMPERATURES, float32 or float64 [S], to any scale. The result is where a
        parabola through the least and its two neighbours has its bottom, by the temperatures'
        logarithms; an end, where that is the least.
    """
    least = tf.argmin(losses)
    inner = tf.clip_by_value(least, 1, len(TEMPERATURES) - 2)
    before, middle, after = losses[inner - 1], losses[inner], losses[inner + 1]
    # In units of the temperatures' distance; of an inner one it is at most half a unit.
    offset = tf.math.divide_no_nan(before - after, 2 * (before + after - 2 * middle))
    offset = tf.cast(offset, tf.float32)
    offset = tf.where(tf.equal(least, inner), offset, tf.cast(least - inner, tf.float32))
    return tf.gather(tf.constant(TEMPERATURES, tf.float32), inner) * TEMPERATURE_RATIO**offset


def _total(
    value: tf.Tensor, name: str, *, dtype: tf.DType = tf.int64
) -> tuple[tf.Tensor, tf.Operation]:
    """Sums numbers over an evaluation, of the value's shape, as a metric."""
    total = tf.compat.v1.get_variable(
        name,
        value.shape,
        dtype,
        initializer=tf.compat.v1.zeros_initializer(),
        trainable=False,
        collections=[
            tf.compat.v1.GraphKeys.LOCAL_VARIABLES,
            tf.compat.v1.GraphKeys.METRIC_VARIABLES,
        ],
    )
    return total.read_value(), total.assign_add(tf.cast(value, dtype))
