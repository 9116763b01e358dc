"""What a folder of checkpoints says of itself, and what it is checked against.

hparams.json   the hyper-parameters; in an export also the temperature of its checkpoint
classes.txt    the class list

See model_folder/best.py for the best checkpoint, and models.py for how a model is found by them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

import model
from common import files, settings
from common.errors import UserError
from model_folder import checkpoints
from records import class_list

# Hyper-parameters whose flag has another name.
FLAG_OF = {"num_classes": "classes", "decay_steps": "steps"}

HPARAMS_FILE = "hparams.json"
CLASSES_FILE = "classes.txt"

# Hyper-parameters that a run may change when it resumes.
FREE_HPARAMS = {*settings.rules(model.Computation), *settings.rules(model.Judgement)}

# In an export's HPARAMS_FILE. Earlier versions wrote it, always 1, beside checkpoints too, whose
# temperatures are in the evaluations.
TEMPERATURE = "temperature"


def prepare(model_dir: str, *, params: model.HParams, classes: Sequence[str]) -> None:
    """Writes what the folder's checkpoints are, or makes sure that it is the same as before.

    Raises:
      UserError: the folder holds a model with other hyper-parameters or classes.
    """
    files.make_folder(model_dir)
    hparams_path = os.path.join(model_dir, HPARAMS_FILE)
    classes_path = os.path.join(model_dir, CLASSES_FILE)
    checkpoint = checkpoints.latest(model_dir)
    difference = None
    if files.exists(hparams_path):
        difference = _hparams_difference(read_hparams(model_dir), params)
    elif checkpoint:  # what is written now must be true of it
        difference = _shapes_difference(checkpoint, params)
    if not difference and files.exists(classes_path):
        difference = class_list.difference(class_list.read_classes(classes_path), classes)
    if difference:
        raise UserError(
            f"{model_dir} holds a model {difference}. Give the same to continue it, or "
            "another --model_dir; --warm_start_from takes weights along to that one"
        )
    write_description(model_dir, params=params, classes=classes)


def write_description(
    folder: str,
    *,
    params: model.HParams,
    classes: Sequence[str],
    temperature: float | None = None,
) -> None:
    """Writes what the network in that folder is; an export's has a temperature."""
    described = dataclasses.asdict(params)
    if temperature is not None:
        described[TEMPERATURE] = temperature
    # The class list first: a folder with hyper-parameters has both.
    classes_path = os.path.join(folder, CLASSES_FILE)
    class_list.write_classes(classes_path, classes)
    path = os.path.join(folder, HPARAMS_FILE)
    files.write_whole(path, json.dumps(described, indent=2) + "\n")


def read_hparams(folder: str) -> model.HParams:
    """Reads the hyper-parameters of a folder of checkpoints, or of an export's description.

    Raises:
      UserError: they are not there, or not this program's.
    """
    described = _read(folder)
    described.pop(TEMPERATURE, None)
    try:
        return model.HParams(**described)
    except (ValueError, TypeError) as error:
        path = os.path.join(folder, HPARAMS_FILE)
        raise UserError(f"{path}: not the hyper-parameters of this program: {error}") from None


def read_temperature(folder: str) -> float:
    """Reads the temperature of an export's description; 1 where none was written.

    Raises:
      UserError: the description is not there, or not this program's.
    """
    temperature = _read(folder).get(TEMPERATURE, 1.0)
    if not (isinstance(temperature, (int, float)) and 0 < temperature < math.inf):
        path = os.path.join(folder, HPARAMS_FILE)
        raise UserError(f"{path}: {TEMPERATURE}={temperature}: expected a number above 0")
    return float(temperature)


def _read(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, HPARAMS_FILE)
    try:
        described = json.loads(files.read_bytes(path))
    except FileNotFoundError:
        raise UserError(
            f"{folder}: no {HPARAMS_FILE} there; a folder that train_model.py wrote has one"
        ) from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from None
    if not isinstance(described, dict):
        raise UserError(f"{path}: not the hyper-parameters of this program")
    return described


def _hparams_difference(before: model.HParams, now: model.HParams) -> str | None:
    changed = [
        f"{FLAG_OF.get(name, name)}={settings.flag_value(getattr(before, name))} "
        f"(now {settings.flag_value(getattr(now, name))})"
        for name in dataclasses.asdict(now)
        if name not in FREE_HPARAMS and getattr(before, name) != getattr(now, name)
    ]
    return f"trained with {', '.join(changed)}" if changed else None


def _shapes_difference(checkpoint: str, params: model.HParams) -> str | None:
    """Says how a checkpoint's variables differ from a network's; None if they do not."""
    shapes = tf.train.load_checkpoint(checkpoint).get_variable_to_shape_map()
    for name, shape in model.variable_shapes(params).items():
        if shapes.get(name) != shape:
            recorded = f"{name} of shape {shapes[name]}" if name in shapes else f"no {name}"
            return f"of another network: it has {recorded}, this one has shape {shape}"
    return None
