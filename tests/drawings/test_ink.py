import json

import hypothesis
import numpy as np
import pytest
from helpers import STROKES, ndjson_line, random_strokes, resampled

from drawings import ink, ndjson


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


# A house of eight lines and a roof, 200 units wide.
HOUSE = [
    [[0, 0, 200, 200, 0], [100, 250, 250, 100, 100]],
    [[0, 100, 200], [100, 0, 100]],
    [[80, 80, 130, 130], [250, 160, 160, 250]],
]


@pytest.mark.parametrize("spacing", [1, 4, 9])
def test_dense_drawings_are_simplified_whatever_their_numbers_are(spacing):
    dense = [np.rint(stroke).astype(int).tolist() for stroke in resampled(HOUSE, spacing)]
    expected = ink.strokes_to_ink(ink.simplify(dense))
    assert len(expected) < sum(len(xs) for xs, _ in dense) / 2
    with_times = [[xs, ys, list(range(len(xs)))] for xs, ys in dense]
    moved = [[[x + 0.5 for x in xs], [y - 300 for y in ys]] for xs, ys in dense]
    larger = [[[4 * x for x in xs], [4 * y for y in ys]] for xs, ys in dense]
    for strokes in (dense, with_times, moved, larger):
        assert ink.prepare(strokes)[1]
        np.testing.assert_array_equal(ink.drawing_to_ink(strokes), expected)
        parsed = ndjson.parse_lines(ndjson_line("house", strokes))
        np.testing.assert_array_equal(parsed.ink, expected)
        assert parsed.simplified.tolist() == [True]
        np.testing.assert_array_equal(
            ink.drawing_to_points(strokes), ink.strokes_to_points(ink.simplify(dense))
        )


def test_drawings_with_few_superfluous_points_keep_all():
    bend = [[[0, 100, 255], [0, 1, 0]]]  # simplifying would leave its middle out
    small_house = [[[x / 3 for x in xs], [y / 3 for y in ys]] for xs, ys in HOUSE]
    for strokes in (bend, HOUSE, small_house, [[[0, 0], [0, 0]]], [[[7], [3]], [[8], [4]]]):
        points, simplified = ink.prepare(strokes)
        assert not simplified
        assert points.xs.tolist() == [x for xs, _ in strokes for x in xs]


def test_dense_is_a_share_of_the_inner_points_near_the_line_through_their_neighbours():
    # Of a line of points the ends have one neighbour; a corner lies far from the line.
    def line(num_superfluous, num_corners):
        ys = [0] * (num_superfluous + 2) + [(200, 0)[i % 2] for i in range(num_corners)]
        return [[[5 * i for i in range(len(ys))], ys]]

    for superfluous, corners in ((4, 1), (6, 3), (40, 54)):
        # The last point of the straight part is a corner too, unless it is the end.
        inner = superfluous + corners
        expected = superfluous >= 0.4 * (inner + 6)
        assert ink.prepare(line(superfluous, corners))[1] == expected, (superfluous, corners)


def test_how_many_points_simplifying_works_on_is_bounded(monkeypatch):
    monkeypatch.setattr(ink, "MAX_RESAMPLED_LENGTH", 300.0)
    zigzag = [[list(range(4000)), [0, 4000] * 2000]]  # a million units long
    ((xs, _),) = ink.simplify(zigzag)
    assert len(xs) <= 302 and (xs[0], xs[-1]) == (0, 255)
    assert len(ink.simplify([zigzag[0], zigzag[0]])[1][0]) <= 152  # of all strokes together
    corner = [[[0, 0, 40], [255, 0, 0]]]  # shorter than that: a point a unit finds the corner
    assert ink.simplify(corner) == corner


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


def test_no_published_drawing_is_simplified_again(quickdraw_data):
    total = simplified = 0
    for kind in ("simplified", "balanced"):
        for path in sorted((quickdraw_data / "quickdraw" / kind).glob("*.ndjson")):
            parsed = ndjson.parse_lines(path.read_bytes())
            total += len(parsed.words)
            simplified += int(parsed.simplified.sum())
    assert (simplified, total) == (0, 233_743)
