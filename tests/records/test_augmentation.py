"""The variety that training adds to drawings: what changes, how far, and what must not."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import random_strokes

from drawings import ink
from records import augmentation


def batch_of(drawings) -> dict[str, np.ndarray]:
    lengths = np.array([len(drawing) for drawing in drawings])
    rows = np.zeros((len(drawings), lengths.max(), 3), np.float32)
    for i, drawing in enumerate(drawings):
        rows[i, : len(drawing)] = drawing
    return {"ink": rows, "lengths": lengths}


def vary(
    drawings, *, distortion=0.0, stroke_variation=0.0, beginnings=0.0, seed=(0, 0)
) -> list[np.ndarray]:
    """The inks of the changed drawings, without padding, which must be zero."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        features = {name: tf.constant(value) for name, value in batch_of(drawings).items()}
        changed = session.run(
            augmentation.vary(
                features,
                distortion=distortion,
                stroke_variation=stroke_variation,
                beginnings=beginnings,
                seed=tf.constant(seed, tf.int64),
            )
        )
    inks = []
    for rows, length in zip(changed["ink"], changed["lengths"]):
        assert not rows[length:].any()
        inks.append(rows[:length])
    return inks


@pytest.fixture(scope="module")
def drawings():
    rng = np.random.default_rng(0)
    return [ink.strokes_to_ink(random_strokes(rng, max_strokes=8)) for _ in range(300)]


def box(drawing) -> np.ndarray:
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(drawing[:, :2], axis=0)])
    return np.ptp(points, axis=0)


def test_nothing_asked_nothing_changed(drawings):
    for before, after in zip(drawings, vary(drawings)):
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_beginnings_are_the_ink_of_the_first_strokes(drawings):
    changed = vary(drawings, beginnings=1.0)
    shares = []
    for before, after in zip(drawings, changed):
        ends = np.flatnonzero(before[:, 2]) + 1
        assert len(after) in ends
        strokes = [stroke.T.tolist() for stroke in ink.ink_to_strokes(before)]
        count = int(np.flatnonzero(ends == len(after))[0]) + 1
        shares.append(count / len(ends))
        expected = ink.strokes_to_ink(strokes[:count])
        np.testing.assert_allclose(after, expected, atol=1e-4)
    # Rounded up from 0.15 to 1, evenly.
    assert min(shares) < 0.3 and 0.5 < np.mean(shares) < 0.8 and max(shares) == 1
    some = vary(drawings, beginnings=0.3)
    whole = sum(len(after) == len(before) for before, after in zip(drawings, some))
    assert 0.7 * 300 <= whole < 300


def test_distorted_drawings_are_like_others_of_the_same_hand(drawings):
    changed = vary(drawings, distortion=1.0)
    assert np.mean([len(a) < len(b) for a, b in zip(changed, drawings)]) > 0.1  # fewer strokes
    distances = []
    for before, after in zip(drawings, changed):
        assert len(after) >= 1 and np.isfinite(after).all()
        np.testing.assert_allclose(box(after)[box(after) > 0], 1, atol=1e-4)
        assert set(np.unique(after[:, 2])) <= {0, 1} and after[-1, 2] == 1
        if len(after) == len(before):
            np.testing.assert_array_equal(after[:, 2], before[:, 2])
            difference = np.cumsum(after[:, :2] - before[:, :2], axis=0)
            distances.append(np.abs(difference - difference.mean(axis=0)).mean())
    unchanged = np.mean(np.array(distances) < 1e-5)
    assert 0.1 < unchanged < 0.4  # a quarter of the drawings
    assert 0.005 < np.mean(distances) < 0.06 and max(distances) < 0.2
    assert all(np.isfinite(drawing).all() for drawing in vary(drawings[:50], distortion=4.0))


def test_a_bend_moves_the_middle_and_not_the_corners():
    square = np.array([[0, 0], [1, 0], [1, 1], [0.5, 0.5], [0, 1]], np.float32)[np.newaxis]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        random = [0.5, -1.0, 0.25, 2.0, 0.0, 0.0]  # bends; neither turn nor shear
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                tf.random,
                "stateless_truncated_normal",
                lambda shape, seed: tf.zeros(shape) + ([random] if shape[-1] == 6 else 0.0),
            )
            distorted = augmentation._distort(tf.constant(square), tf.ones([1, 1, 1]), (None, None))
        moved = session.run(distorted)[0] - (square[0] - 0.5)
    np.testing.assert_allclose(moved[[0, 1, 2, 4]], 0, atol=1e-6)
    np.testing.assert_allclose(moved[3], [0.05 * (0.5 - 0.5), 0.05 * (0.25 + 1.0)], atol=1e-6)


# The strokes of four drawings, as points; two of the strokes are dots.
STROKES = [
    [[(0.0, 0.0), (1.0, 0.0), (1.0, 0.5)], [(0.25, 1.0), (0.5, 0.25)], [(0.75, 0.75)]],
    [[(0.0, 0.25), (0.5, 0.0), (1.0, 1.0), (0.0, 1.0), (0.5, 0.5)]],
    [[(0.0, 1.0), (0.5, 0.5)], [(1.0, 0.0), (0.25, 0.75), (0.5, 0.25), (0.75, 1.0)]],
    [[(0.0, 0.0)]],
]


def vary_strokes(monkeypatch, strokes=STROKES, seed=0, **constants) -> list[list[np.ndarray]]:
    """The strokes of the changed drawings, where only these constants are not 0."""
    for name in ("REVERSED", "REORDERED", "MOVED", "RESIZED"):
        monkeypatch.setattr(augmentation, name, constants.get(name, 0.0))
    lengths = [sum(map(len, drawing)) for drawing in strokes]
    points = np.zeros((len(strokes), max(lengths), 3), np.float32)
    for row, drawing in zip(points, strokes):
        row[: sum(map(len, drawing)), :2] = np.concatenate(drawing)
        row[np.cumsum([len(stroke) for stroke in drawing]) - 1, 2] = 1
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        varied = session.run(
            augmentation._vary_strokes(
                tf.constant(points[:, :, :2]),
                tf.constant(points[:, :, 2:]),
                tf.constant(lengths, tf.int64),
                tf.ones([len(strokes), 1, 1]),
                tuple(tf.constant([seed, n], tf.int64) for n in range(2)),
            )
        )
    changed = []
    for row, length in zip(varied, lengths):
        ends = np.flatnonzero(row[:length, 2]) + 1
        assert ends[-1] == length
        changed.append(np.split(row[:length, :2], ends[:-1]))
    return changed


def test_reversed_strokes_run_from_end_to_start(monkeypatch):
    unchanged = vary_strokes(monkeypatch)
    everything = vary_strokes(monkeypatch, REVERSED=1.0)
    for drawing, before, after in zip(STROKES, unchanged, everything):
        assert len(drawing) == len(before) == len(after)
        for stroke, same, turned in zip(drawing, before, after):
            np.testing.assert_allclose(same, stroke, atol=1e-6)
            np.testing.assert_allclose(turned, stroke[::-1], atol=1e-6)
    line = [[(0.0, 0.0), (1.0, 1.0)]] * 20
    drawn = vary_strokes(monkeypatch, [line] * 100, REVERSED=0.2)
    share = np.mean([stroke[0, 0] == 1 for drawing in drawn for stroke in drawing])
    assert share == pytest.approx(0.2, abs=0.03)  # 2,000 strokes: a standard deviation of 0.009


def test_reordered_strokes_are_the_same_strokes(monkeypatch):
    lines = [[(0.1 * i, 0.0), (0.1 * i, 1.0), (0.1 * i, 0.5)] for i in range(8)]
    drawn = vary_strokes(monkeypatch, [lines] * 200, REORDERED=0.5)
    orders = np.array([[round(10 * stroke[0, 0]) for stroke in drawing] for drawing in drawn])
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(8), (200, 1)))
    for drawing, order in zip(drawn, orders):
        np.testing.assert_allclose(drawing, np.array(lines)[order], atol=1e-6)
    # Two neighbours change places if the difference of two such normal variables is above 1:
    # P(|z| > 1 / (0.5 sqrt(2))) / 2 = 7.9%, a little less with cut-off tails. No stroke passes
    # another that is more than 2 away.
    swapped = np.argsort(orders)[:, 1:] < np.argsort(orders)[:, :-1]
    assert 0.04 < swapped.mean() < 0.1
    assert np.abs(orders - np.arange(8)).max() <= 2


def test_moved_and_resized_strokes_keep_their_shape(monkeypatch):
    moved = vary_strokes(monkeypatch, STROKES * 100, MOVED=0.03)
    resized = vary_strokes(monkeypatch, STROKES * 100, RESIZED=0.1)
    moves, sizes = [], []
    for drawing, elsewhere, larger in zip(STROKES * 100, moved, resized):
        for stroke, after_move, after_resize in zip(map(np.array, drawing), elsewhere, larger):
            move = after_move - stroke
            np.testing.assert_allclose(move, np.tile(move[0], (len(move), 1)), atol=1e-6)
            moves.append(move[0])
            middle = stroke.mean(axis=0)
            np.testing.assert_allclose(after_resize.mean(axis=0), middle, atol=1e-6)
            if len(stroke) > 1:
                size = np.linalg.norm(after_resize - middle) / np.linalg.norm(stroke - middle)
                np.testing.assert_allclose(
                    after_resize - middle, size * (stroke - middle), atol=1e-6
                )
                sizes.append(size)
    # Cutting off a normal distribution at two standard deviations leaves 0.88 of one.
    np.testing.assert_allclose(np.std(moves, axis=0), 0.88 * 0.03, rtol=0.1)
    assert np.std(sizes) == pytest.approx(0.88 * 0.1, rel=0.12) and abs(np.mean(sizes) - 1) < 0.01


def test_a_quarter_of_the_drawings_keeps_its_strokes(drawings):
    several = [drawing for drawing in drawings if drawing[:, 2].sum() > 1]
    changed = vary(several, stroke_variation=1.0)
    for before, after in zip(several, changed):
        assert len(after) == len(before) and after[-1, 2] == 1
        assert after[:, 2].sum() == before[:, 2].sum()
        np.testing.assert_allclose(box(after)[box(after) > 0], 1, atol=1e-4)
    same = [np.allclose(a, b, atol=1e-5) for a, b in zip(changed, several)]
    assert np.mean(same) == pytest.approx(0.25, abs=0.08) and len(same) > 200


def test_the_seed_decides(drawings):
    options = {"distortion": 1, "stroke_variation": 1, "beginnings": 0.5}
    one, two = (vary(drawings[:20], **options, seed=(3, n)) for n in (4, 4))
    other = vary(drawings[:20], **options, seed=(3, 5))
    for a, b in zip(one, two):
        np.testing.assert_array_equal(a, b)
    assert any(a.shape != b.shape or not np.allclose(a, b) for a, b in zip(one, other))


def test_a_line_and_a_dot_stay_what_they_are():
    line = np.array([[0, 1, 0], [0, -1, 1]], np.float32)  # up and down, without width
    dot = np.array([[0, 0, 1]], np.float32)
    for drawing in vary([line, dot], distortion=1, stroke_variation=4, beginnings=1):
        assert np.isfinite(drawing).all() and len(drawing)
