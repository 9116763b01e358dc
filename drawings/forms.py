"""Says what form JSON has that is not what was asked for."""

from __future__ import annotations

import json

import orjson

# Letters and names that a description shows of a text or an object.
_SHOWN_LETTERS = 24
_SHOWN_NAMES = 4

# What is asked for.
EXPECTED = 'expected {"drawing": [[xs, ys], …]} a line, see docs/reference.md'


def explain(line: bytes, reason: str) -> str:
    """Says more of a line of ndjson that was refused: the form of what it holds."""
    try:
        document = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return f"{reason} (it begins {_shorten(line.decode(errors='replace').strip())})"
    if isinstance(document, dict) and "drawing" in document:
        return f"{reason} (the drawing is {describe(document['drawing'])})"
    return f"{reason} (it is {describe(document)})"


def describe(value: object, *, many: bool = False) -> str:
    """Says what form a JSON value has: `a list of objects with 'x', 'y'`.

    Args:
      value: of a list the first item stands for all.
      many: whether it is one of several.
    """
    if isinstance(value, list):
        items = f" of {describe(value[0], many=True)}" if value else " of nothing"
        return ("lists" if many else "a list") + items
    if isinstance(value, dict):
        names = [_shorten(name) for name in [*value][:_SHOWN_NAMES]]
        names += ["…"] * (len(value) > _SHOWN_NAMES)
        return ("objects" if many else "an object") + " with " + (", ".join(names) or "nothing")
    if isinstance(value, str):
        return f"{'texts' if many else 'a text'} such as {_shorten(value)}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return "numbers" if many else "a number"


def _shorten(text: str) -> str:
    """Quotes a text, or its beginning."""
    return repr(text[:_SHOWN_LETTERS] + ("…" if len(text) > _SHOWN_LETTERS else ""))
