"""The trained network as one HTML file, to draw on and watch it guess.

The file needs nothing else: the program, joined from the modules in `page/`, and the weights are
inside it. A Content-Security-Policy lets it run its own program, by its hash, and load nothing.

Weights are stored as base64 of little-endian numbers: first float32 values of every variable, then
int16 ones. A vector is its float32 values. Of every other variable the float32 values are a scale
for each column (last axis) and the int16 ones whole numbers to multiply by it: with as many bytes
as float16 has, this errs less, since the weights of a column are of about one size.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Sequence

from common import files

import jinja2
import numpy as np

import model
from serving import weights as network_weights
from serving.weights import Weights

# In the model's folder.
FILE = "draw.html"

SOURCES = pathlib.Path(__file__).parent / "page"

# Each module comes after those that it imports.
MODULES = (
    "points",
    "network",
    "guesser",
    "game",
    "zip",
    "ndjson",
    "collection",
    "elements",
    "board",
    "play",
    "see",
    "teach",
    "page",
    "main",
)

MAX_INT16 = 32767

_IMPORT = re.compile(r"^import (\{[^}]*\}) from \"\./(\w+)\.js\";$", re.M)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.M)


def write(path: str, *, checkpoint: str, params: model.HParams, classes: Sequence[str]) -> None:
    """Writes the page of a trained network.

    Args:
      path: of the file.
      checkpoint: of the network.
      params: the network's hyper-parameters.
      classes: K class names.
    """
    weights = network_weights.read(checkpoint, params=params)
    files.write_whole(path, page(weights, params=params, classes=classes))


def page(weights: Weights, *, params: model.HParams, classes: Sequence[str]) -> str:
    """Returns the page's text."""
    variables = network_weights.calibrated(weights, params=params)
    description = {
        "params": dataclasses.asdict(params),
        "words": list(classes),
        "threshold": params.accept_threshold,
        "variables": [{"name": n, "shape": list(v.shape)} for n, v in variables.items()],
    }
    program, style = join_modules(), (SOURCES / "page.css").read_text()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string((SOURCES / "page.html").read_text()).render(
        num_words=len(classes),
        style=style,
        style_hash=_hash(style),
        program=program,
        program_hash=_hash(program),
        # As JSON in a script element must be: nothing in it can end the element.
        model=json.dumps(description).replace("<", "\\u003c"),
        weights=base64.b64encode(pack_weights(list(variables.values()))).decode(),
    )


def join_modules(names: Sequence[str] = MODULES) -> str:
    """Returns the page's program: each module as a function that returns what it exports."""
    program = '"use strict";\n'
    for name in names:
        text = (SOURCES / f"{name}.js").read_text()
        exported = ", ".join(match[2] for match in _EXPORT.finditer(text))
        text = _EXPORT.sub(r"\1", _IMPORT.sub(r"const \1 = \2Module;", text))
        program += f"const {name}Module = (() => {{\n{text}return {{ {exported} }};\n}})();\n"
    return program


def pack_weights(variables: Sequence[np.ndarray]) -> bytes:
    """Returns the variables' values as the page unpacks them, see the module's docstring."""
    floats, integers = [], []
    for values in variables:
        if values.ndim == 1:
            floats.append(values)
            continue
        columns = values.reshape(-1, values.shape[-1])
        scales = np.maximum(np.abs(columns).max(axis=0), np.finfo(np.float32).tiny) / MAX_INT16
        floats.append(scales)
        integers.append(np.rint(columns / scales))
    parts = [np.asarray(v, "<f4").tobytes() for v in floats]
    return b"".join(parts + [np.asarray(v, "<i2").tobytes() for v in integers])


def _hash(text: str) -> str:
    """As a Content-Security-Policy names an element's text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
