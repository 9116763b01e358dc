"""What a folder of checkpoints says of itself, and what it is checked against.

hparams.json         the hyper-parameters
classes.txt          the class list
evaluations.ndjson   the metrics of each evaluation while training, a line each
best/                the checkpoint that did best in them
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence

from common import console

import tensorflow as tf

import input_pipeline
import model

# Hyper-parameters whose flag has another name.
FLAG_OF = {"num_classes": "classes", "decay_steps": "steps"}

HPARAMS_FILE = "hparams.json"
CLASSES_FILE = "classes.txt"
EVALUATIONS_FILE = "evaluations.ndjson"
BEST_FOLDER = "best"

# In an export: the files that describe the model, and its checkpoint.
EXPORT_ASSETS = "assets.extra"
EXPORT_CHECKPOINT = os.path.join("variables", "variables")

# Hyper-parameters that a run may change when it resumes: how the same network is computed and
# judged.
FREE_HPARAMS = ("cell_type", "mixed_precision", "accept_threshold")


def prepare(model_dir: str, *, params: model.HParams, classes: Sequence[str]) -> None:
    """Writes what the folder's checkpoints are, or makes sure that it is the same as before.

    Raises:
      ValueError: the folder holds a model with other hyper-parameters or classes.
    """
    tf.io.gfile.makedirs(model_dir)
    hparams_path = os.path.join(model_dir, HPARAMS_FILE)
    classes_path = os.path.join(model_dir, CLASSES_FILE)
    if tf.io.gfile.exists(hparams_path):
        before = read_hparams(model_dir)
        problem = _hparams_difference(before, params) or classes_difference(
            input_pipeline.read_classes(classes_path), classes
        )
        if problem:
            raise ValueError(
                f"{model_dir} holds a model {problem}. Give the same to go on with it, or "
                "another --model_dir"
            )
    describe(model_dir, params=params, classes=classes)


def describe(folder: str, *, params: model.HParams, classes: Sequence[str]) -> None:
    """Writes what the network in that folder is."""
    # The class list first: a folder with hyper-parameters has both.
    classes_path = os.path.join(folder, CLASSES_FILE)
    input_pipeline.write_classes(classes_path + ".tmp", classes)
    tf.io.gfile.rename(classes_path + ".tmp", classes_path, overwrite=True)
    write_whole(os.path.join(folder, HPARAMS_FILE), params.to_json())


def drop_broken_checkpoints(model_dir: str) -> None:
    """Makes the last checkpoint that can be read the one that is gone on with.

    TensorFlow names a checkpoint as the last one when it is written; a machine that fails may
    lose its end all the same.
    """
    state = tf.train.get_checkpoint_state(model_dir)
    paths = list(state.all_model_checkpoint_paths) if state else []
    good = list(paths)
    while good and not _is_whole(good[-1]):
        console.warn(f"{good.pop()}: this checkpoint cannot be read; going on from the one before")
    if paths and not good:
        tf.io.gfile.remove(os.path.join(model_dir, "checkpoint"))
    elif len(good) < len(paths):
        _write_checkpoint_state(model_dir, good)


def _write_checkpoint_state(folder: str, checkpoints: Sequence[str]) -> None:
    """Writes which checkpoints a folder has, the last one last, as `tf.train` reads it.

    Without the folder's own name, so that it can be moved.
    """
    names = [json.dumps(os.path.basename(path)) for path in checkpoints]
    lines = [f"model_checkpoint_path: {names[-1]}"]
    lines += [f"all_model_checkpoint_paths: {name}" for name in names]
    write_whole(os.path.join(folder, "checkpoint"), "\n".join(lines) + "\n")


def _is_whole(checkpoint: str) -> bool:
    """Whether all variables can be read; TensorFlow compares their checksums."""
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
        return True
    except (ValueError, IndexError, RuntimeError, tf.errors.OpError):
        return False


def read_hparams(folder: str) -> model.HParams:
    """The hyper-parameters of a folder of checkpoints.

    Raises:
      ValueError: they are not there, or not this program's.
    """
    path = os.path.join(folder, HPARAMS_FILE)
    try:
        with tf.io.gfile.GFile(path) as file:
            return model.HParams.from_json(file.read())
    except tf.errors.NotFoundError:
        raise ValueError(
            f"{folder}: no {HPARAMS_FILE} there; a folder that train_model.py wrote has one"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_evaluations(model_dir: str) -> list[dict[str, float]]:
    """The metrics of all evaluations, in the order in which they were made."""
    path = os.path.join(model_dir, EVALUATIONS_FILE)
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path) as file:
        return [json.loads(line) for line in file.read().splitlines()]


def add_evaluation(model_dir: str, result: dict[str, float], *, checkpoint: str) -> int:
    """Records an evaluation, and keeps its checkpoint if none was better: more accurate, or as
    accurate with less loss.

    Returns:
      How many evaluations have been made since the best one.
    """

    def quality(evaluation: dict[str, float]) -> tuple[float, float]:
        return evaluation["accuracy"], -evaluation["loss"]

    evaluations = read_evaluations(model_dir)
    evaluations.append({name: value.item() for name, value in result.items()})
    last = len(evaluations) - 1
    best = max(range(len(evaluations)), key=lambda i: (*quality(evaluations[i]), -i))
    if best == last:
        _keep_best(model_dir, checkpoint)
    path = os.path.join(model_dir, EVALUATIONS_FILE)
    write_whole(path, "".join(json.dumps(line) + "\n" for line in evaluations))
    return last - best


def best_checkpoint(model_dir: str) -> str | None:
    """The checkpoint that did best in the evaluations; None before the first."""
    return tf.train.latest_checkpoint(os.path.join(model_dir, BEST_FOLDER))


def find_model(path: str, *, checkpoint: str = "") -> tuple[model.HParams, list[str], str]:
    """What a trained model is, and its checkpoint.

    Args:
      path: folder of checkpoints, or an export's.
      checkpoint: of the folder, or "" for the best in evaluations, or else the last.

    Returns:
      The hyper-parameters, the class list and the checkpoint.

    Raises:
      ValueError: there is no model, or not that checkpoint.
    """
    if tf.io.gfile.exists(os.path.join(path, f"{EXPORT_CHECKPOINT}.index")):
        folder, found = os.path.join(path, EXPORT_ASSETS), os.path.join(path, EXPORT_CHECKPOINT)
    else:
        folder, found = path, best_checkpoint(path) or tf.train.latest_checkpoint(path)
    params = read_hparams(folder)
    classes = input_pipeline.read_classes(os.path.join(folder, CLASSES_FILE))
    if checkpoint and not tf.io.gfile.exists(f"{checkpoint}.index"):
        raise ValueError(
            f"--checkpoint={checkpoint}: there is no {checkpoint}.index; expected a checkpoint's "
            f"name without its ending, such as {path}/model.ckpt-2000"
        )
    if not (checkpoint or found):
        raise ValueError(f"{path}: no checkpoint there yet")
    return params, classes, checkpoint or found


def _keep_best(model_dir: str, checkpoint: str) -> None:
    """Copies a checkpoint; the one before stays until the copy is whole."""
    folder = os.path.join(model_dir, BEST_FOLDER)
    tf.io.gfile.makedirs(folder)
    kept = os.path.join(folder, os.path.basename(checkpoint))
    for path in tf.io.gfile.glob(f"{checkpoint}.*"):
        if not path.endswith(".meta"):  # the graph: checkpoints are read into one built anew
            tf.io.gfile.copy(path, kept + path[len(checkpoint) :], overwrite=True)
    _write_checkpoint_state(folder, [kept])
    for path in tf.io.gfile.glob(os.path.join(folder, "model.ckpt-*")):
        if not path.startswith(kept + "."):
            tf.io.gfile.remove(path)


def write_whole(path: str, text: str) -> None:
    """Writes a file that is there whole or not at all."""
    with tf.io.gfile.GFile(path + ".tmp", "w") as file:
        file.write(text)
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


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


def classes_difference(before: Sequence[str], now: Sequence[str]) -> str | None:
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
