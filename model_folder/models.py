"""A trained model: found by the path of its folder, or of an export."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence

import model
from common import files
from common.errors import UserError
from model_folder import best, checkpoints, evaluations
from model_folder.description import CLASSES_FILE, read_hparams, read_temperature
from records import class_list

# In an export: the files that describe the model, and its checkpoint.
EXPORT_ASSETS = "assets.extra"
EXPORT_CHECKPOINT = os.path.join("variables", "variables")

# How often a checkpoint is looked for again that vanishes while it is copied.
COPY_ATTEMPTS = 20


@dataclasses.dataclass(frozen=True)
class Model:
    """A trained network.

    Attributes:
      params: its hyper-parameters.
      classes: its class list.
      checkpoint: its weights.
      temperature: what its evaluation found best to divide the logits by, for probabilities.
    """

    params: model.HParams
    classes: list[str]
    checkpoint: str
    temperature: float


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
    exported = export_checkpoint(path)
    folder = export_assets(exported) if exported else path
    params = read_hparams(folder)
    classes = class_list.read_classes(os.path.join(folder, CLASSES_FILE))
    if checkpoint and not files.exists(f"{checkpoint}.index"):
        raise UserError(
            f"--checkpoint={checkpoint}: there is no {checkpoint}.index; expected a checkpoint's "
            f"name without its ending, such as {path}/model.ckpt-2000"
        )
    chosen = checkpoint or exported or best.best_checkpoint(path) or checkpoints.latest(path)
    if not chosen:
        raise UserError(f"{path}: no checkpoint there yet")
    if checkpoint:
        _check_classes_beside(checkpoint, classes)
    if checkpoint or folder == path:
        temperature, _ = evaluations.temperature(chosen)
    else:
        temperature = read_temperature(folder)
    return Model(params, classes, chosen, temperature)


def _check_classes_beside(checkpoint: str, classes: Sequence[str]) -> None:
    """Raises ValueError if the folder that a checkpoint lies in has another class list."""
    path = os.path.join(evaluations.folder_of(checkpoint), CLASSES_FILE)
    difference = files.exists(path) and class_list.difference(
        class_list.read_classes(path), classes
    )
    if difference:
        raise UserError(
            f"--checkpoint={checkpoint} is {difference}; give the --model_dir of its training"
        )


@contextlib.contextmanager
def copied_model(path: str, *, checkpoint: str = "") -> Iterator[tuple[Model, Model]]:
    """What `find_model` finds, and the same with a copy of the checkpoint, in float32, which lasts
    as long as the context.

    A run that goes on meanwhile may delete the checkpoint itself, when it finds a better one.

    Raises:
      ValueError: there is no model, or its checkpoint is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="drawings-") as folder:
        for _ in range(COPY_ATTEMPTS):
            original = find_model(path, checkpoint=checkpoint)
            try:
                copy = checkpoints.copy(original.checkpoint, folder)
            except FileNotFoundError:
                continue
            damage = checkpoints.damage(copy)
            if not damage or files.exists(f"{original.checkpoint}.index"):
                break
        else:
            raise UserError(f"{original.checkpoint}: this checkpoint comes and goes; try again")
        if damage:
            raise UserError(f"{original.checkpoint}: this checkpoint {damage}")
        yield (
            original,
            dataclasses.replace(original, checkpoint=checkpoints.in_float32(copy, folder)),
        )


def export_checkpoint(path: str) -> str | None:
    """Returns the checkpoint in an export, or in the newest of a folder of exports; None if the
    path is neither."""
    versions = sorted(int(name) for name in files.list_folder(path) if name.isdigit())[::-1]
    for folder in (path, *(os.path.join(path, str(version)) for version in versions)):
        checkpoint = os.path.join(folder, EXPORT_CHECKPOINT)
        if files.exists(f"{checkpoint}.index"):
            return checkpoint
    return None


def export_assets(checkpoint: str) -> str:
    """Returns the folder that describes the model of an export's checkpoint."""
    return os.path.join(checkpoint[: -len(EXPORT_CHECKPOINT)], EXPORT_ASSETS)
