import json

import hypothesis
import numpy as np
import pytest
from helpers import STROKES, ndjson_line, random_strokes
from hypothesis import strategies as st

from drawings import ink, ndjson


def test_parse_line_takes_extra_fields_byte_order_mark_crlf_and_any_script():
    strokes = [[[0, 10], [0, 20]]]
    plain = ndjson_line("кот", strokes, key_id="5", recognized=False)
    for line in (plain, b"\xef\xbb\xbf" + plain, plain.rstrip() + b"\r\n", plain.decode()):
        word, drawing = ndjson.parse_line(line)
        assert word == "кот"
        np.testing.assert_array_equal(drawing, [[1, 1, 1]])


def test_raw_drawings_are_simplified_on_the_way():
    raw = [[[100, 355, 610, 610], [50, 53, 50, 560], [0, 20, 40, 60]], [[200], [300], [99]]]
    _, drawing = ndjson.parse_line(ndjson_line("cat", raw))
    simplified = ink.simplify(raw)
    assert [len(xs) for xs, _ in simplified] == [3, 2]
    np.testing.assert_array_equal(drawing, ink.strokes_to_ink(simplified))


def test_recognized_only_refuses_what_the_game_did_not_recognise():
    strokes = [[[0, 10], [0, 20]]]
    for fields in ({}, {"recognized": True}, {"recognized": None}):
        assert ndjson.parse_line(ndjson_line("cat", strokes, **fields), recognized_only=True)
    line = ndjson_line("cat", strokes, recognized=False)
    assert ndjson.parse_line(line)
    with pytest.raises(ValueError, match="^not recognised by the game$"):
        ndjson.parse_line(line, recognized_only=True)


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
    b'{"word": 5, "drawing": [[[1, 2], [3, 4]]]}': "the word is not a text",
    b'{"word": null, "drawing": [[[1, 2], [3, 4]]]}': "the word is not a text",
    b'{"word": "a\\nb", "drawing": [[[1, 2], [3, 4]]]}': "a line break in the word",
    b'{"word": "cat"}': "no drawing",
    line_with("[]"): "the drawing has no strokes",
    line_with("{}"): "the drawing is not a list of strokes",
    line_with("null"): "the drawing is not a list of strokes",
    line_with('"[[1, 2]]"'): ink.NOT_A_STROKE,
    line_with('"dots"'): "the drawing is not a list of strokes",
    line_with("[[[1, 2], [3, 4]], []]"): "a stroke is not [xs, ys] or [xs, ys, times]",
    line_with("[[[1, 2]]]"): ink.ARE_POINTS,
    line_with("[[[1, 2], [3, 4], [5, 6], [7, 8]], [[1, 2], [3, 4]]]"): ink.ARE_POINTS,
    line_with("[[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10]]]"): ink.ARE_POINTS,
    line_with("[[[1, 2], [3, 4], [6, 5]]]"): ink.ARE_POINTS,
    line_with("[[[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [4, 9]]]"): ink.ARE_POINTS,
    line_with("[[[1, 2, 0], [3, 4, 16]], [[5, 6, 40], [7, 8, 48], [9, 9, 0]]]"): ink.ARE_POINTS,
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


@pytest.mark.parametrize(
    "drawing",
    [
        "[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]",  # may be either: taken as documented
        "[[[1, 2], [3, 4], [0, 16]], [[5, 6], [7, 8], [16, 30]]]",  # times go on
        "[[[1, 2], [3, 4], [0, 16]], [[5, 6], [7, 8], [0, 12]]]",  # or start anew
        "[[[1, 2], [3, 4], [9, 3]], [[5, 6, 7], [7, 8, 8], [4, 2, 1]]]",  # nobody looks at them
        "[[[1, 2], [3, 4], null]]",
    ],
)
def test_strokes_of_two_or_three_points_are_taken_where_they_can_be_such(drawing):
    _, parsed = ndjson.parse_line(line_with(drawing))
    strokes = [stroke[:2] for stroke in json.loads(drawing)]
    first = np.float64(strokes[0])[:, :2]
    extent = np.ptp(np.concatenate(strokes, axis=1), axis=1)
    np.testing.assert_allclose(parsed[0, :2], np.diff(first)[:, 0] / extent, atol=0.003)


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: repr(line[:60]))
def test_bad_line_is_refused_with_its_reason(line):
    with pytest.raises(ValueError) as refusal:
        ndjson.parse_line(line)
    assert str(refusal.value) == BAD_LINES[line]


def test_numbers_no_float_can_hold_are_refused():
    for number in ("1e400", "1" + "0" * 400):
        with pytest.raises(ValueError, match="beyond float32|malformed JSON"):
            ndjson.parse_line(line_with(f"[[[1, {number}], [3, 4]]]"))


def check_against_parse_line(text: bytes, *, recognized_only: bool = False) -> ndjson.ParsedLines:
    """Every line gives what it gives alone, by way of the JSON library."""
    parsed = ndjson.parse_lines(text, recognized_only=recognized_only)
    drawings = dict(zip(parsed.line_numbers.tolist(), parsed))
    num_strokes = dict(zip(parsed.line_numbers.tolist(), parsed.num_strokes))
    simplified = dict(zip(parsed.line_numbers.tolist(), parsed.simplified))
    errors = dict(parsed.errors)
    lines = text.removesuffix(b"\n").split(b"\n")
    assert parsed.num_lines == len(lines)
    assert sorted([*drawings, *errors]) == list(range(len(lines)))
    for number, line in enumerate(lines):
        try:
            word, drawing = ndjson.parse_line(line, recognized_only=recognized_only)
        except ValueError as error:
            assert errors[number] == str(error)
        else:
            assert drawings[number][0] == word
            np.testing.assert_array_equal(drawings[number][1], drawing)
            strokes = json.loads(line.decode("utf-8-sig"))["drawing"]
            assert num_strokes[number] == len(strokes)
            assert simplified[number] == ink.prepare(strokes)[1]
    return parsed


def test_parse_lines_gives_what_parse_line_gives():
    rng = np.random.default_rng(1)
    good = [ndjson_line("cat", random_strokes(rng)) for _ in range(50)]
    mixed = [line + b"\n" for pair in zip(good, list(BAD_LINES) * 2) for line in pair]
    assert not check_against_parse_line(b"".join(good)).errors
    assert len(check_against_parse_line(b"".join(mixed)).words) == 50


PLAIN = (
    b'{"word":"cat","countrycode":"VE","timestamp":"2017-03-02 23:25:10.07453 UTC",'
    b'"recognized":true,"key_id":"520","x":-1,"drawing":[[[130,113,99],[72,0,255]],[[5],[7]]]}'
)


@pytest.mark.parametrize(
    "line",
    [
        PLAIN,
        PLAIN.replace(b",", b" ,\t").replace(b":", b" : ").replace(b"[", b"[ ") + b" \r",
        b'{"drawing":[[[0,999999],[7,7]]],"word":" cat "}',
        b'{"recognized":false,"word":"a","drawing":[[[1,2],[3,4]]],"n":null,"t":true,"f":false}',
        b'{"recognized":"no","word":"a","drawing":[[[1,2],[3,4]]]}',
    ],
)
def test_plain_lines_are_read_by_compiled_code(line, monkeypatch):
    expected_word, expected_ink = ndjson.parse_line(line)
    monkeypatch.setattr(ndjson.orjson, "loads", None)  # would raise
    parsed = ndjson.parse_lines(line + b"\n" + line)
    assert parsed.words == [expected_word] * 2
    for _, drawing in parsed:
        np.testing.assert_array_equal(drawing, expected_ink)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4)
    | st.dictionaries(st.sampled_from(["word", "drawing", "x"]), children, max_size=3),
    max_leaves=20,
)
LINES = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps({"word": "cat", "drawing": value}).encode()),
    STROKES.map(lambda strokes: ndjson_line("cat", strokes)),
    STROKES.map(lambda strokes: ndjson_line("cat", strokes, recognized=False)),
    st.sampled_from(sorted(BAD_LINES)),
)


@hypothesis.given(st.lists(LINES, min_size=1, max_size=8), st.booleans())
@hypothesis.settings(max_examples=300, deadline=None)
def test_no_line_crashes_the_parser_or_changes_another(lines, recognized_only):
    check_against_parse_line(b"\n".join(lines) + b"\n", recognized_only=recognized_only)


# What would turn a plain line into another or into none.
PIECES = st.sampled_from(
    [bytes([byte]) for byte in b'{}[],:"\\ \r\n\t-+.eE0159aw\x00\x1f\x7f\x80\xff']
    + [b"", b"00", b"1e2", b"-0", b"1234567", b"[[1],[2]]", b",[3]", b'"drawing":[],']
    + [b'"word":"dog",', b"true", b"false", b"null", b'"recognized":false,', "é".encode()]
    + [b"9" * 19, b"9" * 400]
)
EDITS = st.lists(st.tuples(st.integers(0, len(PLAIN)), st.integers(0, 3), PIECES), max_size=3)


def test_a_number_beyond_all_makes_a_line_malformed_wherever_it_stands():
    for digits in (18, 19, 400):
        check_against_parse_line(PLAIN.replace(b"-1", b"-" + b"9" * digits))


@hypothesis.given(st.lists(EDITS, min_size=1, max_size=3), st.booleans())
@hypothesis.settings(max_examples=1000, deadline=None)
def test_almost_plain_lines_are_what_the_json_library_says(edits_of_lines, recognized_only):
    lines = []
    for edits in edits_of_lines:
        line = PLAIN
        for start, length, piece in edits:
            line = line[:start] + piece + line[start + length :]
        lines.append(line)
    check_against_parse_line(b"\n".join(lines), recognized_only=recognized_only)
