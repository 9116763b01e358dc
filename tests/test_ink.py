import json

import hypothesis
import numpy as np
import pytest
from conftest import ndjson_line, random_strokes
from hypothesis import strategies as st

import ink


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


def test_parse_line_takes_extra_fields_byte_order_mark_crlf_and_any_script():
    strokes = [[[0, 10], [0, 20]]]
    plain = ndjson_line("кот", strokes, key_id="5", recognized=False)
    for line in (plain, b"\xef\xbb\xbf" + plain, plain.rstrip() + b"\r\n", plain.decode()):
        word, drawing = ink.parse_line(line)
        assert word == "кот"
        np.testing.assert_array_equal(drawing, [[1, 1, 1]])


def test_raw_drawings_are_simplified_on_the_way():
    raw = [[[100, 355, 610, 610], [50, 53, 50, 560], [0, 20, 40, 60]], [[200], [300], [99]]]
    _, drawing = ink.parse_line(ndjson_line("cat", raw))
    simplified = ink.simplify(raw)
    assert [len(xs) for xs, _ in simplified] == [3, 2]
    np.testing.assert_array_equal(drawing, ink.strokes_to_ink(simplified))


def test_recognized_only_refuses_what_the_game_did_not_recognise():
    strokes = [[[0, 10], [0, 20]]]
    for fields in ({}, {"recognized": True}, {"recognized": None}):
        assert ink.parse_line(ndjson_line("cat", strokes, **fields), recognized_only=True)
    line = ndjson_line("cat", strokes, recognized=False)
    assert ink.parse_line(line)
    with pytest.raises(ValueError, match="^not recognised by the game$"):
        ink.parse_line(line, recognized_only=True)


def line_with(drawing_json: str) -> bytes:
    return f'{{"word": "cat", "drawing": {drawing_json}}}'.encode()


BAD_LINES = {
    b"": "blank line",
    b" \r\n": "blank line",
    b"nonsense": "malformed JSON",
    b'{"word": "cat", "drawing": [[[1, 2], [3,': "malformed JSON",
    b'\xff\xfe{"word"': "malformed JSON",
    b"[" * 100_000: "malformed JSON",
    b"[1, 2]": "not a JSON object",
    b"null": "not a JSON object",
    b'{"drawing": [[[1, 2], [3, 4]]]}': "no word",
    b'{"word": "", "drawing": [[[1, 2], [3, 4]]]}': "no word",
    b'{"word": 5, "drawing": [[[1, 2], [3, 4]]]}': "no word",
    b'{"word": "a\\nb", "drawing": [[[1, 2], [3, 4]]]}': "a line break in the word",
    b'{"word": "cat"}': "no drawing",
    line_with("[]"): "the drawing has no strokes",
    line_with("{}"): "the drawing is not a list of strokes",
    line_with("null"): "the drawing is not a list of strokes",
    line_with('"dots"'): "the drawing is not a list of strokes",
    line_with("[[[1, 2], [3, 4]], []]"): "a stroke is not [xs, ys] or [xs, ys, times]",
    line_with("[[[1, 2]]]"): "a stroke is not [xs, ys] or [xs, ys, times]",
    line_with("[[1, 2], [3, 4]]"): "a stroke is not [xs, ys] or [xs, ys, times]",
    line_with('["ab", "cd"]'): "a stroke is not [xs, ys] or [xs, ys, times]",
    line_with('[["ab", "cd"]]'): "a stroke is not [xs, ys] or [xs, ys, times]",
    line_with("[[[], []], [[1, 2], [3, 4]]]"): "a stroke without points",
    line_with("[[[1, 2, 3], [4, 5]]]"): "x and y of different length",
    line_with("[[[1, NaN], [3, 4]]]"): "malformed JSON",
    line_with("[[[1, Infinity], [3, 4]]]"): "malformed JSON",
    line_with('[[[1, "2"], [3, 4]]]'): "a coordinate is not a number",
    line_with("[[[1, true], [3, 4]]]"): "a coordinate is not a number",
    line_with("[[[1, null], [3, 4]]]"): "a coordinate is not a number",
    line_with("[[[1, [2]], [3, 4]]]"): "a coordinate is not a number",
    line_with("[[[1, 1e39], [3, 4]]]"): "a coordinate beyond float32",
    line_with("[[[-3e38, 3e38], [3, 4]]]"): "a coordinate beyond float32",
    line_with("[[[5], [7]]]"): "a single point",
}


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: repr(line[:60]))
def test_bad_line_is_refused_with_its_reason(line):
    with pytest.raises(ValueError) as refusal:
        ink.parse_line(line)
    assert str(refusal.value) == BAD_LINES[line]


def test_numbers_no_float_can_hold_are_refused():
    for number in ("1e400", "1" + "0" * 400):
        with pytest.raises(ValueError, match="beyond float32|malformed JSON"):
            ink.parse_line(line_with(f"[[[1, {number}], [3, 4]]]"))


def test_parse_lines_gives_what_parse_line_gives():
    rng = np.random.default_rng(1)
    good = [ndjson_line("cat", random_strokes(rng)) for _ in range(50)]
    mixed = [line for pair in zip(good, list(BAD_LINES) * 2) for line in pair]
    for lines in (good, mixed, []):
        parsed = ink.parse_lines(lines)
        assert len(parsed.words) + len(parsed.errors) == len(lines)
        for number, (word, drawing) in zip(parsed.line_numbers, parsed):
            expected_word, expected_ink = ink.parse_line(lines[number])
            assert word == expected_word
            np.testing.assert_array_equal(drawing, expected_ink)
        for number, reason in parsed.errors:
            assert BAD_LINES[lines[number]] == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4)
    | st.dictionaries(st.sampled_from(["word", "drawing", "x"]), children, max_size=3),
    max_leaves=20,
)
COORDINATES = st.lists(st.integers(-1000, 1000) | st.floats(-1e6, 1e6), min_size=1, max_size=6)
STROKES = st.lists(
    COORDINATES.flatmap(
        lambda xs: st.tuples(
            st.just(xs), st.lists(st.integers(0, 255), min_size=len(xs), max_size=len(xs))
        ).map(list)
    ),
    min_size=1,
    max_size=4,
)
LINES = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps({"word": "cat", "drawing": value}).encode()),
    STROKES.map(lambda strokes: ndjson_line("cat", strokes)),
    STROKES.map(lambda strokes: ndjson_line("cat", strokes, recognized=False)),
    st.sampled_from(sorted(BAD_LINES)),
)


@hypothesis.given(st.lists(LINES, max_size=8), st.booleans())
@hypothesis.settings(max_examples=300, deadline=None)
def test_no_line_crashes_the_parser_or_changes_another(lines, recognized_only):
    parsed = ink.parse_lines(lines, recognized_only=recognized_only)
    drawings = dict(zip(parsed.line_numbers, parsed))
    errors = dict(parsed.errors)
    for number, line in enumerate(lines):
        try:
            word, drawing = ink.parse_line(line, recognized_only=recognized_only)
        except ValueError as error:
            assert errors[number] == str(error)
        else:
            assert drawings[number][0] == word
            np.testing.assert_array_equal(drawings[number][1], drawing)


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
