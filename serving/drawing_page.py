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
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np

import model
from common import files
from model_folder import models
from serving import page_examples
from serving import weights as network_weights
from serving.weights import Weights

# In the model's folder.
FILE = "draw.html"

SOURCES = pathlib.Path(__file__).parent / "page"

# What the page guesses by, without its elements. Each module comes after those that it imports.
GUESSING_MODULES = (
    "points",
    "network",
    "matrices",
    "learn",
    "vocabulary",
    "study",
    "scribble",
    "guesser",
)
MODULES = (
    *GUESSING_MODULES,
    "namer",
    "sentences",
    "game",
    "zip",
    "ndjson",
    "collection",
    "examples",
    "history",
    "session",
    "elements",
    "sketch",
    "pen",
    "keyboard_pen",
    "board",
    "keys",
    "tabs",
    "voice",
    "talk",
    "confetti",
    "saving",
    "save_page",
    "own_words",
    "modes",
    "replay",
    "picture",
    "clock",
    "fair_words",
    "play_views",
    "ending",
    "play",
    "draw",
    "words",
    "chart",
    "see",
    "teach",
    "page",
    "main",
)

STYLES = ("base", "layout", "game", "panels")

MAX_INT16 = 32767

_IMPORT = re.compile(r"^import (\{[^}]*\}) from \"\./(\w+)\.js\";$", re.M)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.M)


def write(
    path: str,
    network: models.Model,
    *,
    weights: Weights | None = None,
    examples: page_examples.Examples | None = None,
    evaluation: Mapping[str, float] | None = None,
) -> None:
    """Writes the page of a trained network.

    Args:
      path: of the file.
      network: of which the page is made.
      weights: those of its checkpoint where they have been read already.
      examples: some drawings of each class, to show how others drew it.
      evaluation: the checkpoint's metrics, for the page to say how often it is right.
    """
    text = page(
        weights or network_weights.read(network.checkpoint, params=network.params),
        params=network.params,
        temperature=network.temperature,
        classes=network.classes,
        examples=examples,
        evaluation=evaluation,
    )
    files.write_whole(path, text)


def page(
    weights: Weights,
    *,
    params: model.HParams,
    temperature: float,
    classes: Sequence[str],
    examples: page_examples.Examples | None = None,
    evaluation: Mapping[str, float] | None = None,
) -> str:
    """Returns the page's text, of a network's weights and what `models.Model` says; see `write`."""
    variables = network_weights.calibrated(weights, temperature=temperature)
    description = {
        "params": dataclasses.asdict(params),
        "words": list(classes),
        "threshold": params.accept_threshold,
        "variables": [{"name": n, "shape": list(v.shape)} for n, v in variables.items()],
    }
    # As JSON in a script element must be: nothing in it can end the element.
    model_text = json.dumps(description).replace("<", "\\u003c")
    weights_text = base64.b64encode(pack_weights(list(variables.values()))).decode()
    program = join_modules()
    style = "\n".join((SOURCES / f"{name}.css").read_text() for name in STYLES)
    version = hashlib.sha256("".join([model_text, weights_text, program, style]).encode())
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string((SOURCES / "page.html").read_text()).render(
        num_words=len(classes),
        facts=_facts(params, variables, evaluation, version.hexdigest()[:8]),
        style=style,
        style_hash=_hash(style),
        program=program,
        program_hash=_hash(program),
        model=model_text,
        weights=weights_text,
        examples=page_examples.pack(examples or {}, classes),
    )


def _facts(
    params: model.HParams,
    weights: Weights,
    evaluation: Mapping[str, float] | None,
    version: str,
) -> dict[str, Any]:
    """What the page says of its network: in a line, and as rows of a term and what it is."""
    num_words = f"{params.num_classes:,} word{'' if params.num_classes == 1 else 's'}"
    num_weights = sum(values.size for values in weights.values())
    network = (
        f"{len(params.num_conv)} convolutions and {params.num_layers} bidirectional LSTM layers of "
        f"{params.num_nodes} nodes; {num_weights:,} weights"
    )
    line = [num_words]
    rows = [("Words", num_words), ("Network", network)]
    if evaluation:
        right = f"{evaluation['accuracy']:.0%}"
        line.append(f"right {right} of the time")
        within = evaluation.get("top_5_accuracy")
        more = f"; {within:.0%} within five guesses" if within else ""
        number = evaluation.get("drawings")
        of = f" of {number:,.0f} drawings that it had not seen" if number else ""
        rows.append(("How good", f"It is right about {right}{of}{more}."))
    line += [
        "drawings: Quick, Draw! by Google, CC BY 4.0",
        "code: Apache 2.0",
        f"version {version}",
    ]
    return {"line": " · ".join(line), "rows": [*rows, ("Version", version)]}


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
