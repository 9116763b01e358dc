"""The first weights of a run, taken from another one's checkpoint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

import model
from common import estimators, files
from common.errors import UserError
from model_folder import best, checkpoints, description, models
from records import class_list
from training import last_layer

# The last layer, whose columns belong to classes.
LAST_LAYER = ("dense/kernel", "dense/bias")


class Source(NamedTuple):
    checkpoint: str
    classes: list[str] | None  # where a class list lies with it


def find_source(path: str) -> Source:
    """Finds the checkpoint that a path means, and its class list.

    Args:
      path: a checkpoint, a folder of checkpoints, or an export's.

    Raises:
      UserError: there is none, or there are several and nothing says which.
    """
    flag = f"--warm_start_from={path}"
    path = files.model_folder(path)
    files.check_no_pattern(path, flag="--warm_start_from")
    checkpoint = checkpoints.name_of(path)
    folder = os.path.dirname(path)
    if files.is_folder(path):
        folder = path
        exported = models.export_checkpoint(path)
        if exported:
            folder = models.export_assets(exported)
        checkpoint = exported or checkpoints.latest(path) or best.best_checkpoint(path) or ""
        if not checkpoint:  # nothing says which is the last
            indices = [name for name in files.list_folder(path) if name.endswith(".index")]
            candidates = [os.path.join(path, name[: -len(".index")]) for name in indices]
            candidates = list(checkpoints.by_step(path).values())[-1:] or candidates
            if len(candidates) != 1:
                reason = (
                    "several checkpoints there; name one" if candidates else "no checkpoint there"
                )
                raise UserError(f"{flag}: {reason}")
            (checkpoint,) = candidates
    if not files.exists(f"{checkpoint}.index"):
        raise UserError(f"{flag}: no checkpoint there")
    for beside in (
        folder,
        os.path.dirname(folder),
        os.path.join(folder, models.EXPORT_ASSETS),
    ):
        classes = os.path.join(beside, description.CLASSES_FILE)
        if files.exists(classes):
            return Source(checkpoint, class_list.read_classes(classes))
    return Source(checkpoint, None)


def settings(
    path: str,
    *,
    params: model.HParams,
    classes: Sequence[str],
    training_files: Sequence[str],
    scratch: str,
) -> estimators.WarmStartSettings:
    """Returns what Estimator is to start a network from.

    All variables, except the last layer's columns of classes that the source does not know: they
    are fitted to the training drawings, see last_layer.py. A source without a class list is taken
    to have this one, if it has as many classes.

    Args:
      path: as `find_source` takes it.
      params: of the new network.
      classes: K class names, its class list.
      training_files: its TFRecord files.
      scratch: folder for a checkpoint that lasts until training has begun.

    Raises:
      UserError: there is no checkpoint, or it is of another network.
    """
    source = find_source(path)
    names = check_shapes(source.checkpoint, params=params, flag=f"--warm_start_from={path}")
    checkpoint = checkpoints.in_float32(source.checkpoint, scratch)
    known = source.classes or (list(classes) if LAST_LAYER[0] in names else [])
    print(f"Starting from {source.checkpoint}", flush=True)
    if known != list(classes):
        checkpoint = _write_remapped(
            checkpoint,
            known,
            params=params,
            classes=classes,
            training_files=training_files,
            scratch=scratch,
        )
    return estimators.WarmStartSettings(
        checkpoint, vars_to_warm_start=[f"^{name}:0$" for name in model.variable_shapes(params)]
    )


def check_shapes(checkpoint: str, *, params: model.HParams, flag: str) -> list[str]:
    """Finds which variables a checkpoint gives a network.

    Returns:
      The names of the network's variables that the checkpoint has in the same shape: all of
      them, except the last layer's where it has another number of classes.

    Raises:
      UserError: the checkpoint cannot be read, or is of another network; `flag` named it.
    """
    try:
        shapes = tf.train.load_checkpoint(checkpoint).get_variable_to_shape_map()
    except (ValueError, tf.errors.OpError):
        raise UserError(f"{flag}: the checkpoint cannot be read") from None
    expected = model.variable_shapes(params)
    differing = {
        name: (shapes.get(name), shape)
        for name, shape in expected.items()
        if shapes.get(name) != shape
    }
    for name, (actual, shape) in differing.items():
        if name not in LAST_LAYER or actual is None or actual[:-1] != shape[:-1]:
            raise UserError(
                f"{flag}: its {name} has shape {actual}, this network's {shape}; "
                "--num_layers, --num_nodes, --num_conv, --conv_len, --positions and --batch_norm "
                "must be those of the checkpoint"
            )
    return [name for name in expected if name not in differing]


def _write_remapped(
    checkpoint: str,
    known: Sequence[str],
    *,
    params: model.HParams,
    classes: Sequence[str],
    training_files: Sequence[str],
    scratch: str,
) -> str:
    """Writes a checkpoint whose last layer has a column for each class, and returns it.

    Columns of known classes are theirs; those of the others are fitted to the training drawings.
    """
    reader = tf.train.load_checkpoint(checkpoint)
    shapes = model.variable_shapes(params)
    values = {name: reader.get_tensor(name) for name in shapes if name not in LAST_LAYER}
    kernel, bias = (np.zeros(shapes[name], np.float32) for name in LAST_LAYER)
    is_new = np.array([name not in known for name in classes])
    if not is_new.all():
        columns = [known.index(name) for name in classes if name in known]
        kernel[:, ~is_new], bias[~is_new] = (
            reader.get_tensor(name)[..., columns] for name in LAST_LAYER
        )
    if is_new.any():
        print(
            f"{is_new.sum():,} of {len(classes):,} classes are new to it: their weights in the "
            "last layer are fitted to the training drawings",
            flush=True,
        )
        embeddings, labels = last_layer.embed_records(training_files, checkpoint, params=params)
        kernel, bias = last_layer.fit_new_columns(
            embeddings, labels, kernel=kernel, bias=bias, is_new=is_new
        )
    values.update(zip(LAST_LAYER, (kernel, bias)))
    return checkpoints.write(values, os.path.join(scratch, "warm_start.ckpt"))
