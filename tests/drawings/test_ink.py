import json

import hypothesis
import numpy as np
import pytest
from helpers import STROKES, random_strokes

from drawings import ink


def reference_ink(strokes) -> np.ndarray:
    """The definition, one point after the other."""
    points = []
    for stroke in strokes:
        xs, ys = stroke[0], stroke[1]
        for i in range(len(xs)):
            points.append([np.float32(xs[i]), np.float32(ys[i]), np.float32(i == len(xs) - 1)])
    for axis in (0, 1):
        low = min(point[axis] for point in points)
        extent = max(point[axis] for point in points) - low
        for point in points:
            point[axis] = (point[axis] - low) / (extent if extent else np.float32(1))
    rows = [[b[0] - a[0], b[1] - a[1], b[2]] for a, b in zip(points, points[1:])]
    return np.array(rows, np.float32).reshape(-1, 3)


def test_worked_example():
    strokes = [[[10, 10, 14], [20, 28, 28]], [[18], [28]]]
    np.testing.assert_array_equal(
        ink.strokes_to_ink(strokes), np.float32([[0, 1, 0], [0.5, 0, 1], [0.5, 0, 1]])
    )


def test_ink_is_the_definition_to_the_last_bit():
    rng = np.random.default_rng(0)
    for _ in range(100):
        strokes = random_strokes(rng)
        np.testing.assert_array_equal(ink.strokes_to_ink(strokes), reference_ink(strokes))


def test_an_axis_without_extent_is_only_shifted():
    np.testing.assert_array_equal(
        ink.strokes_to_ink([[[7, 7, 7], [1, 2, 5]]]), np.float32([[0, 0.25, 0], [0, 0.75, 1]])
    )
    np.testing.assert_array_equal(ink.strokes_to_ink([[[7, 7], [3, 3]]]), [[0, 0, 1]])


def test_raw_strokes_times_are_ignored():
    raw = [[[0.5, 1.5, 3.5], [0.0, 1.0, 2.0], [0, 17, 33]]]
    np.testing.assert_array_equal(ink.strokes_to_ink(raw), reference_ink(raw))


@hypothesis.given(STROKES)
@hypothesis.settings(max_examples=200, deadline=None)
def test_ink_gives_back_the_normalised_strokes(strokes):
    hypothesis.assume(sum(len(stroke[0]) for stroke in strokes) > 1)
    points = np.concatenate([np.float64(stroke).T for stroke in strokes])
    extent = np.ptp(points, axis=0)
    hypothesis.assume(all(e == 0 or e > 1e-2 for e in extent))
    unit = (points - points.min(axis=0)) / np.where(extent, extent, 1)
    lengths = [len(stroke[0]) for stroke in strokes]
    if lengths[0] == 1:  # the format does not keep the end of a first stroke of one point
        lengths = [1 + lengths[1], *lengths[2:]]

    decoded = ink.ink_to_strokes(ink.strokes_to_ink(strokes))

    assert [len(stroke) for stroke in decoded] == lengths
    np.testing.assert_allclose(np.concatenate(decoded), unit, atol=1e-4)


def test_ink_to_strokes_refuses_what_is_no_ink():
    with pytest.raises(ValueError, match=r"\[rows, 3\]"):
        ink.ink_to_strokes(np.zeros((4, 2)))


def test_simplify_worked_example():
    # A square of 510 units with a bulge of 3 (1.5 after scaling: left out) and one of 6 (3: kept).
    square = [[[100, 355, 610, 604, 610, 100, 100], [50, 53, 50, 305, 560, 560, 50]]]
    assert ink.simplify(square) == [[[0, 255, 252, 255, 0, 0], [0, 0, 128, 255, 255, 0]]]


def test_simplify_keeps_a_dot_as_two_points_and_scales_it_with_the_rest():
    assert ink.simplify([[[0, 51], [0, 0]], [[25.5, 25.5], [10.2, 10.2]]]) == [
        [[0, 255], [0, 0]],
        [[128, 128], [51, 51]],
    ]


def load_ndjson(path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_simplify_reproduces_the_published_drawings(quickdraw_data):
    same = total = 0
    for path in sorted((quickdraw_data / "quickdraw/raw").glob("*.ndjson")):
        raw = {d["key_id"]: d["drawing"] for d in load_ndjson(path)}
        for drawing in load_ndjson(quickdraw_data / "quickdraw/simplified" / path.name):
            if drawing["key_id"] in raw:
                same += ink.simplify(raw[drawing["key_id"]]) == drawing["drawing"]
                total += 1
    assert (same, total) == (2759, 2760)
