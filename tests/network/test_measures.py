import numpy as np
import pytest
import tensorflow as tf

from network import measures

tf1 = tf.compat.v1


def measured(logits, labels, **changes) -> dict[str, np.ndarray]:
    with tf.Graph().as_default(), tf1.Session() as session:
        logits = tf.constant(logits, tf.float32)
        labels = tf.constant(labels, tf.int64)
        values = {
            "rank": measures.true_rank(logits, labels),
            **measures.drawing_measures(
                logits, tf.nn.softmax(logits), labels, **{"accept_threshold": 0.5, **changes}
            ),
        }
        return session.run(values)


def test_measures_of_a_drawing():
    # Of six classes the true one is the likeliest, the third, the fourth, the last.
    rows = [[9, 1, 2, 3, 4, 5], [2, 3, 4, 0, 1, 0], [1, 2, 3, 4, 0, 0], [0, 1, 2, 3, 4, 5]]
    values = measured(rows, [0, 0, 0, 0])
    assert values["rank"].tolist() == [0, 2, 3, 5]
    assert values["accuracy"].tolist() == [1, 0, 0, 0]
    assert values["top_3_accuracy"].tolist() == [1, 1, 0, 0]
    assert values["top_5_accuracy"].tolist() == [1, 1, 1, 0]
    assert values["map_3"].tolist() == pytest.approx([1, 1 / 3, 0, 0])


def test_the_game_says_what_is_above_the_threshold():
    odds = np.log([[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]])
    values = measured(odds, [0, 0, 0])
    assert values["accepted"].tolist() == [1, 0, 0]
    assert values["falsely_accepted"].tolist() == [0, 1, 0]
    values = measured(odds, [0, 0, 0], accept_threshold=0.25)
    assert values["accepted"].tolist() == [1, 0, 1]
    assert values["falsely_accepted"].tolist() == [1, 1, 1]


def test_equal_guesses_stand_in_the_order_of_the_classes():
    rows = [[1, 1, 1], [1, 1, 1], [1, 1, 1]]
    assert measured(rows, [0, 1, 2])["rank"].tolist() == [0, 1, 2]  # as tf.argmax


def test_guesses_that_are_no_numbers_are_wrong():
    assert measured([[np.nan] * 3] * 3, [0, 1, 2])["accuracy"].tolist() == [0, 0, 0]


def temperature(logits, labels) -> float:
    with tf.Graph().as_default(), tf1.Session() as session:
        losses = measures.losses_by_temperature(
            tf.constant(logits, tf.float32), tf.constant(labels, tf.int64)
        )
        return float(session.run(measures.best_temperature(losses)))


@pytest.mark.parametrize("sure", [0.7, 1.0, 1.9, 6.0])
def test_the_temperature_makes_probabilities_what_they_say(sure):
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, size=(20000, 4))
    # Gumbel noise draws the labels by the softmax of these logits; the network is surer than that.
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    assert temperature(sure * logits, labels) == pytest.approx(sure, rel=0.03)


def test_the_temperature_stays_within_its_bounds():
    always_right, always_wrong = [[9.0, 0.0]] * 3, [[0.0, 9.0]] * 3
    assert temperature(always_right, [0, 0, 0]) == pytest.approx(0.5)
    assert temperature(always_wrong, [0, 0, 0]) == pytest.approx(8)
