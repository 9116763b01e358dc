"""What a folder of checkpoints says of itself, and what it is checked against.

hparams.json   the hyper-parameters
classes.txt    the class list
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import tensorflow as tf

import input_pipeline
import model

# Hyper-parameters whose flag has another name.
FLAG_OF = {"num_classes": "classes", "decay_steps": "steps"}

HPARAMS_FILE = "hparams.json"
CLASSES_FILE = "classes.txt"

# Hyper-parameters that a run may change when it resumes: how the same network is computed.
FREE_HPARAMS = ("cell_type", "mixed_precision")


def prepare(model_dir: str, *, params: model.HParams, classes: Sequence[str]) -> None:
    """Writes what the folder's checkpoints are, or makes sure that it is the same as before.

    Raises:
      ValueError: the folder holds a model with other hyper-parameters or classes.
    """
    tf.io.gfile.makedirs(model_dir)
    hparams_path = os.path.join(model_dir, HPARAMS_FILE)
    classes_path = os.path.join(model_dir, CLASSES_FILE)
    if tf.io.gfile.exists(hparams_path):
        with tf.io.gfile.GFile(hparams_path) as file:
            try:
                before = model.HParams.from_json(file.read())
            except ValueError as error:
                raise ValueError(f"{hparams_path}: {error}") from None
        problem = _hparams_difference(before, params) or _classes_difference(
            input_pipeline.read_classes(classes_path), classes
        )
        if problem:
            raise ValueError(
                f"{model_dir} holds a model {problem}. Give the same to go on with it, or "
                "another --model_dir"
            )
    # The class list first: a folder with hyper-parameters has both.
    input_pipeline.write_classes(classes_path + ".tmp", classes)
    tf.io.gfile.rename(classes_path + ".tmp", classes_path, overwrite=True)
    with tf.io.gfile.GFile(hparams_path + ".tmp", "w") as file:
        file.write(params.to_json())
    tf.io.gfile.rename(hparams_path + ".tmp", hparams_path, overwrite=True)


def _hparams_difference(before: model.HParams, now: model.HParams) -> str | None:
    changed = [
        f"{FLAG_OF.get(name, name)}={flag_value(getattr(before, name))} "
        f"(now {flag_value(getattr(now, name))})"
        for name in dataclasses.asdict(now)
        if name not in FREE_HPARAMS and getattr(before, name) != getattr(now, name)
    ]
    return f"trained with {', '.join(changed)}" if changed else None


def flag_value(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _classes_difference(before: Sequence[str], now: Sequence[str]) -> str | None:
    if list(before) == list(now):
        return None
    missing = [name for name in before if name not in now]
    added = [name for name in now if name not in before]
    changes = [
        f"{text} {', '.join(map(repr, names[:5]))}" + (" …" if len(names) > 5 else "")
        for text, names in (("it also had", missing), ("it did not have", added))
        if names
    ]
    return "for another class list: " + ("; ".join(changes) or "the order differs")


def check_warm_start(path: str, *, params: model.HParams) -> list[str]:
    """Which variables a checkpoint gives this network.

    Returns:
      The names of the network's variables that the checkpoint has in the same shape.
      All of them, but for the last layer's where the classes are others.

    Raises:
      ValueError: there is no checkpoint, or it is of another network.
    """
    checkpoint = tf.train.latest_checkpoint(path) if tf.io.gfile.isdir(path) else path
    try:
        shapes = tf.train.load_checkpoint(checkpoint).get_variable_to_shape_map()
    except (ValueError, tf.errors.OpError):
        raise ValueError(f"--warm_start_from={path}: no checkpoint there") from None
    ours = model.variable_shapes(params)
    differing = {
        name: (shapes.get(name), shape) for name, shape in ours.items() if shapes.get(name) != shape
    }
    for name, (there, here) in differing.items():
        if not name.startswith("dense/") or there is None or there[:-1] != here[:-1]:
            raise ValueError(
                f"--warm_start_from={path}: its {name} has shape {there}, this network's {here}; "
                "--num_layers, --num_nodes, --num_conv, --conv_len and --batch_norm must be "
                "those of the checkpoint"
            )
    return [name for name in ours if name not in differing]
