import numpy as np
import pytest
from helpers import TINY, run_dataset, train

import input_pipeline
import model
from common import estimators
from model_folder import checkpoints
from training import last_layer


def clusters(num_classes, drawings, *, seed=0):
    """Embeddings [M, 8] around a random centre for each class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(num_classes), drawings)
    centres = rng.normal(size=(num_classes, 8))
    return centres[labels] + 0.1 * rng.normal(size=(len(labels), 8)), labels


def test_all_new_columns_solve_ridge_regression():
    embeddings, labels = clusters(4, 5)
    kernel, bias = last_layer.fit_new_columns(
        embeddings,
        labels,
        kernel=np.zeros((8, 4)),
        bias=np.zeros(4),
        is_new=np.ones(4, bool),
    )
    # The same as ordinary least squares with rows added that draw the weights towards zero.
    centred = embeddings - embeddings.mean(axis=0)
    targets = last_layer.MARGIN * (2.0 * np.eye(4)[labels] - 1)
    penalty = np.sqrt(last_layer.RIDGE * (centred**2).sum()) * np.eye(8)
    expected, *_ = np.linalg.lstsq(
        np.concatenate([centred, penalty]),
        np.concatenate([targets - targets.mean(axis=0), np.zeros((8, 4))]),
    )
    np.testing.assert_allclose(kernel, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        (embeddings @ kernel + bias).mean(axis=0), targets.mean(axis=0), atol=1e-4
    )


def test_known_columns_stay_and_compete_with_new_ones():
    embeddings, labels = clusters(5, 20)
    is_new = np.array([False, True, False, False, True])
    own = {"is_new": np.ones(5, bool), "kernel": np.zeros((8, 5)), "bias": np.zeros(5)}
    trained_kernel, trained_bias = last_layer.fit_new_columns(embeddings, labels, **own)
    # What the known classes do is on another scale, and shifted, as a trained network's is.
    before = 3 * trained_kernel * ~is_new, (3 * trained_bias + 40) * ~is_new
    kernel, bias = last_layer.fit_new_columns(
        embeddings, labels, kernel=before[0], bias=before[1], is_new=is_new
    )
    np.testing.assert_array_equal(kernel[:, ~is_new], before[0][:, ~is_new])
    np.testing.assert_array_equal(bias[~is_new], before[1][~is_new])
    np.testing.assert_array_equal((embeddings @ kernel + bias).argmax(axis=1), labels)


def test_as_many_drawings_go_to_new_classes_as_belong_to_them():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, 600)
    embeddings = rng.normal(size=(6, 8))[labels] + rng.normal(size=(600, 8))  # hard to tell apart
    kernel, bias = last_layer.fit_new_columns(
        embeddings,
        labels,
        kernel=rng.normal(size=(8, 6)),
        bias=rng.normal(size=6) + 20,
        is_new=np.arange(6) < 2,
    )
    guesses = (embeddings @ kernel + bias).argmax(axis=1)
    assert (guesses < 2).sum() == pytest.approx((labels < 2).sum(), abs=1)


@pytest.mark.parametrize("count", [1, 3])
def test_drawings_that_are_all_alike_give_finite_columns(count):
    kernel, bias = last_layer.fit_new_columns(
        np.ones((count, 8)),
        np.zeros(count, int),
        kernel=np.zeros((8, 2)),
        bias=np.zeros(2),
        is_new=np.ones(2, bool),
    )
    np.testing.assert_array_equal(kernel, 0)
    np.testing.assert_allclose(bias, [last_layer.MARGIN, -last_layer.MARGIN])


def test_embeddings_are_those_that_the_network_predicts(data, tmp_path):
    train(data, tmp_path / "a", steps=2)
    files = sorted(map(str, data.glob("training.tfrecord-?????-of-?????")))
    embeddings, labels = last_layer.embed_records(
        files, checkpoints.latest(str(tmp_path / "a")), params=TINY
    )
    assert len(labels) == 80
    input_fn = input_pipeline.eval_input_fn(files, batch_size=1, num_classes=3)
    estimator = estimators.Estimator(model.model_fn, model_dir=str(tmp_path / "a"), params=TINY)
    predicted = [one["embedding"] for one in estimator.predict(input_fn)]
    expected = np.concatenate([label for _, label in run_dataset(input_fn)])

    def in_order(vectors, classes):
        rows = np.column_stack([classes, vectors])
        return rows[np.lexsort(np.round(rows, 3).T)]

    np.testing.assert_allclose(
        in_order(embeddings, labels), in_order(predicted, expected), atol=1e-5
    )


def test_no_more_drawings_are_embedded_than_needed(data, tmp_path, monkeypatch):
    train(data, tmp_path / "a", steps=2)
    monkeypatch.setattr(last_layer, "MAX_DRAWINGS", 32)
    monkeypatch.setattr(last_layer, "BATCH_SIZE", 16)
    files = sorted(map(str, data.glob("training.tfrecord-?????-of-?????")))
    _, labels = last_layer.embed_records(
        files, checkpoints.latest(str(tmp_path / "a")), params=TINY
    )
    assert len(labels) == 32
