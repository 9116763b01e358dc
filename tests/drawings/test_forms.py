import json

import pytest

from drawings import forms


@pytest.mark.parametrize(
    "value, description",
    [
        ([{"x": 1, "y": 2}, {"x": 3}], "a list of objects with 'x', 'y'"),
        ([[{"x": 1, "y": 2}]], "a list of lists of objects with 'x', 'y'"),
        ({"paths": [], "a": 1, "b": 2, "c": 3, "d": 4}, "an object with 'paths', 'a', 'b', 'c', …"),
        ("M0 0 L0 100 L100 100 L100 0 Z", "a text such as 'M0 0 L0 100 L100 100 L10…'"),
        (["M0 0\n"], "a list of texts such as 'M0 0\\n'"),
        ([[0, 0, 1], [2, 3, 1]], "a list of lists of numbers"),
        ([], "a list of nothing"),
        ([None], "a list of null"),
        (7, "a number"),
        ({}, "an object with nothing"),
    ],
)
def test_a_form_is_said_by_its_first_item(value, description):
    assert forms.describe(value) == description
    line = json.dumps({"drawing": value}).encode()
    assert forms.explain(line, "no") == f"no (the drawing is {description})"
    assert forms.explain(json.dumps(value).encode(), "no") == f"no (it is {description})"


def test_what_is_no_json_is_quoted():
    assert forms.explain(b"<!DOCTYPE html>\n", "no") == "no (it begins '<!DOCTYPE html>')"
    assert forms.explain(b"\xff\xfe" * 40, "no") == f"no (it begins '{24 * chr(0xFFFD)}…')"
