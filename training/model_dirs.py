"""What a folder of checkpoints says of itself, and what it is checked against.

hparams.json   the hyper-parameters
classes.txt    the class list

See training/best.py for the evaluations and the best checkpoint, which lie there too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence

from common import files

import tensorflow as tf

import model
from dataset import class_list
from training import best, checkpoints

# Hyper-parameters whose flag has another name.
FLAG_OF = {"num_classes": "classes", "decay_steps": "steps"}

HPARAMS_FILE = "hparams.json"
CLASSES_FILE = "classes.txt"

# In an export: the files that describe the model, and its checkpoint.
EXPORT_ASSETS = "assets.extra"
EXPORT_CHECKPOINT = os.path.join("variables", "variables")

# Hyper-parameters that a run may change when it resumes: how the same network is computed and
# judged.
FREE_HPARAMS = ("cell_type", "mixed_precision", "accept_threshold")

# How often a checkpoint is looked for again that vanishes while it is copied.
COPY_ATTEMPTS = 20


@dataclasses.dataclass(frozen=True)
class Model:
    """A trained network.

    Attributes:
      params: its hyper-parameters, with the temperature that its evaluation found.
      classes: its class list.
      checkpoint: its weights.
    """

    params: model.HParams
    classes: list[str]
    checkpoint: str


def prepare(model_dir: str, *, params: model.HParams, classes: Sequence[str]) -> None:
    """Writes what the folder's checkpoints are, or makes sure that it is the same as before.

    Raises:
      ValueError: the folder holds a model with other hyper-parameters or classes.
    """
    tf.io.gfile.makedirs(model_dir)
    hparams_path = os.path.join(model_dir, HPARAMS_FILE)
    classes_path = os.path.join(model_dir, CLASSES_FILE)
    checkpoint = tf.train.latest_checkpoint(model_dir)
    problem = None
    if tf.io.gfile.exists(hparams_path):
        problem = _hparams_difference(read_hparams(model_dir), params)
    elif checkpoint:  # what is written now must be true of it
        problem = _shapes_difference(checkpoint, params)
    if not problem and tf.io.gfile.exists(classes_path):
        problem = class_list.difference(class_list.read_classes(classes_path), classes)
    if problem:
        raise ValueError(
            f"{model_dir} holds a model {problem}. Give the same to continue it, or "
            "another --model_dir; --warm_start_from takes weights along to that one"
        )
    write_description(model_dir, params=params, classes=classes)


def write_description(folder: str, *, params: model.HParams, classes: Sequence[str]) -> None:
    """Writes what the network in that folder is."""
    # The class list first: a folder with hyper-parameters has both.
    classes_path = os.path.join(folder, CLASSES_FILE)
    temporary = files.temporary_name(classes_path)
    class_list.write_classes(temporary, classes)
    tf.io.gfile.rename(temporary, classes_path, overwrite=True)
    files.write_whole(os.path.join(folder, HPARAMS_FILE), params.to_json())


def read_hparams(folder: str) -> model.HParams:
    """Reads the hyper-parameters of a folder of checkpoints.

    Raises:
      ValueError: they are not there, or not this program's.
    """
    path = os.path.join(folder, HPARAMS_FILE)
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return model.HParams.from_json(file.read().decode())
    except tf.errors.NotFoundError:
        raise ValueError(
            f"{folder}: no {HPARAMS_FILE} there; a folder that train_model.py wrote has one"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def find_model(path: str, *, checkpoint: str = "") -> Model:
    """Finds what a trained model is, and its checkpoint.

    Args:
      path: folder of checkpoints, or an export's.
      checkpoint: of the folder, or "" for the best in evaluations, or else the last.

    Raises:
      ValueError: there is no model, or not that checkpoint.
    """
    path = files.model_folder(path)
    files.check_no_pattern(path, flag="--model_dir")
    checkpoint = checkpoints.name_of(checkpoint)
    found = export_checkpoint(path)
    folder = export_assets(found) if found else path
    found = found or best.best_checkpoint(path) or tf.train.latest_checkpoint(path)
    params = read_hparams(folder)
    classes = class_list.read_classes(os.path.join(folder, CLASSES_FILE))
    if checkpoint and not tf.io.gfile.exists(f"{checkpoint}.index"):
        raise ValueError(
            f"--checkpoint={checkpoint}: there is no {checkpoint}.index; expected a checkpoint's "
            f"name without its ending, such as {path}/model.ckpt-2000"
        )
    if not (checkpoint or found):
        raise ValueError(f"{path}: no checkpoint there yet")
    if checkpoint:
        _check_classes_beside(checkpoint, classes)
    if checkpoint or folder == path:  # an export's hyper-parameters have that of its own
        temperature, _ = best.temperature(checkpoint or found)
        params = dataclasses.replace(params, temperature=temperature)
    return Model(params, classes, checkpoint or found)


def _check_classes_beside(checkpoint: str, classes: Sequence[str]) -> None:
    """Raises ValueError if the folder that a checkpoint lies in has another class list."""
    path = os.path.join(best.folder_of(checkpoint), CLASSES_FILE)
    difference = tf.io.gfile.exists(path) and class_list.difference(
        class_list.read_classes(path), classes
    )
    if difference:
        raise ValueError(
            f"--checkpoint={checkpoint} is {difference}; give the --model_dir of its training"
        )


@contextlib.contextmanager
def copied_model(path: str, *, checkpoint: str = "") -> Iterator[tuple[Model, str]]:
    """What `find_model` finds, and a copy of the checkpoint for as long as the context lasts.

    A run that goes on meanwhile may delete the checkpoint itself, when it finds a better one.

    Raises:
      ValueError: there is no model, or its checkpoint is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="drawings-") as folder:
        for _ in range(COPY_ATTEMPTS):
            found = find_model(path, checkpoint=checkpoint)
            try:
                copy = checkpoints.copy(found.checkpoint, folder)
            except tf.errors.NotFoundError:
                continue
            problem = checkpoints.problem(copy)
            if not problem or tf.io.gfile.exists(f"{found.checkpoint}.index"):
                break
        else:
            raise ValueError(f"{found.checkpoint}: this checkpoint comes and goes; try again")
        if problem:
            raise ValueError(f"{found.checkpoint}: this checkpoint {problem}")
        yield found, checkpoints.in_float32(copy, folder)


def export_checkpoint(path: str) -> str | None:
    """Returns the checkpoint in an export, or in the newest of a folder of exports; None if the
    path is neither."""
    versions = sorted(int(name) for name in files.list_folder(path) if name.isdigit())[::-1]
    for folder in (path, *(os.path.join(path, str(version)) for version in versions)):
        checkpoint = os.path.join(folder, EXPORT_CHECKPOINT)
        if tf.io.gfile.exists(f"{checkpoint}.index"):
            return checkpoint
    return None


def export_assets(checkpoint: str) -> str:
    """Returns the folder that describes the model of an export's checkpoint."""
    return os.path.join(checkpoint[: -len(EXPORT_CHECKPOINT)], EXPORT_ASSETS)


def _hparams_difference(before: model.HParams, now: model.HParams) -> str | None:
    changed = [
        f"{FLAG_OF.get(name, name)}={flag_value(getattr(before, name))} "
        f"(now {flag_value(getattr(now, name))})"
        for name in dataclasses.asdict(now)
        if name not in FREE_HPARAMS and getattr(before, name) != getattr(now, name)
    ]
    return f"trained with {', '.join(changed)}" if changed else None


def _shapes_difference(checkpoint: str, params: model.HParams) -> str | None:
    """Says how a checkpoint's variables differ from a network's; None if they do not."""
    shapes = tf.train.load_checkpoint(checkpoint).get_variable_to_shape_map()
    for name, shape in model.variable_shapes(params).items():
        if shapes.get(name) != shape:
            there = f"{name} of shape {shapes[name]}" if name in shapes else f"no {name}"
            return f"of another network: it has {there}, this one has shape {shape}"
    return None


def flag_value(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
