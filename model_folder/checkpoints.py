"""Checkpoints as files: which there are, which can be read, copies of them.

TensorFlow names a checkpoint by the common beginning of its files, `model.ckpt-200` for example;
the number is the global step. The file `checkpoint` beside them says which is the last.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from common import files, terminal
from common.errors import UserError

STATE_FILE = "checkpoint"

_NAME = re.compile(r"model\.ckpt-(\d+)")
_INDEX = re.compile(r"(model\.ckpt-(\d+))\.index")

# The parts of a checkpoint: TensorFlow names them by its name and this.
_PART = r"\.(index|meta|data-\d+-of-\d+)"

# The files of a model's folder that common/files.py writes.
WHOLE_FILES = (
    STATE_FILE,
    "classes.txt",
    "draw.html",
    "evaluating",
    "evaluations.ndjson",
    "evaluations-evaluator.ndjson",
    "hparams.json",
)

# What a save leaves that a kill interrupted: a checkpoint of TensorFlow, or one of those files. No
# other name: the folder may hold what is its user's.
_LEFT_OVER = re.compile(
    rf"model\.ckpt-\d+(_temp(_[0-9a-f]+)?|{_PART}\.(tmp[0-9a-f]*|tempstate\d+))"
    rf"|({'|'.join(map(re.escape, WHOLE_FILES))})\.tmp[0-9a-f]*"
)

# Where TensorFlow has each worker of a cluster save what nobody reads.
_OF_WORKER = re.compile(r"tmp_worker_\d+")


def by_step(folder: str) -> dict[int, str]:
    """Returns the checkpoints whose files lie in a folder, in the order of their steps."""
    paths = {}
    for name in files.list_folder(folder):
        if match := _INDEX.fullmatch(name):
            paths[int(match[2])] = os.path.join(folder, match[1])
    return dict(sorted(paths.items()))


def path_of(folder: str, step: int) -> str:
    """Returns the path of the checkpoint of a step."""
    return os.path.join(folder, f"model.ckpt-{step}")


def step_in_name(checkpoint: str) -> int:
    """Returns the global step of a checkpoint, read off its name."""
    match = _NAME.fullmatch(os.path.basename(checkpoint))
    assert match, f"{checkpoint} is not a checkpoint of train_model.py"
    return int(match[1])


def name_of(path: str) -> str:
    """Returns the checkpoint that a path means: one of its files, or itself."""
    return re.sub(rf"{_PART}$", "", path)


def global_step(checkpoint: str) -> int:
    return int(tf.train.load_variable(checkpoint, "global_step"))


def damage(checkpoint: str) -> str | None:
    """Says why a checkpoint is of no use; None if it is. Reads all of it, comparing checksums."""
    try:
        reader = tf.train.load_checkpoint(checkpoint)
        for name in reader.get_variable_to_shape_map():
            values = reader.get_tensor(name)
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                return "holds weights that are not numbers"
    except (ValueError, IndexError, RuntimeError, tf.errors.OpError):
        return "cannot be read"
    return None


def repair(model_dir: str) -> str | None:
    """Makes the last good checkpoint the one that training continues from.

    TensorFlow names a checkpoint as the last one when it is written; a machine that fails may
    lose its end all the same, or the file that names it.

    Returns:
      That checkpoint; None where there is none at all.

    Raises:
      UserError: there are checkpoints, and none of them is good.
    """
    listed = _listed(model_dir)
    # Those that the state file does not name come before, so that it decides where it can.
    present = [path for path in by_step(model_dir).values() if path not in listed] + listed
    good = list(present)
    while good and (why := damage(good[-1])):
        terminal.warn(f"{good.pop()}: this checkpoint {why}; going on from the one before")
    if present and not good:
        raise UserError(
            f"{model_dir}: none of its checkpoints can be used; bring back a copy of one, "
            "or give another --model_dir"
        )
    if good and good[-1:] != listed[-1:]:
        if not listed:
            terminal.warn(
                f"{os.path.join(model_dir, STATE_FILE)} is missing or damaged; going on from "
                f"{good[-1]}"
            )
        write_state(model_dir, good)
    return good[-1] if good else None


def _listed(folder: str) -> list[str]:
    """Reads what the state file lists, the last one last; nothing where it is damaged."""
    try:
        state = tf.train.get_checkpoint_state(folder)
    except ValueError:  # bytes that are no text are one too
        return []
    if not state or not state.model_checkpoint_path:
        return []
    last = state.model_checkpoint_path
    return [path for path in state.all_model_checkpoint_paths if path != last] + [last]


def latest(folder: str) -> str | None:
    """Returns the last checkpoint that the state file lists; None where it is not there."""
    listed = _listed(folder)
    return listed[-1] if listed and files.exists(f"{listed[-1]}.index") else None


def write_state(folder: str, checkpoints: Sequence[str]) -> None:
    """Writes which checkpoints a folder has, the last one last, as `tf.train` reads it.

    Without the folder's own name, so that it can be moved.
    """
    names = [json.dumps(os.path.basename(path)) for path in checkpoints]
    lines = [f"model_checkpoint_path: {names[-1]}"]
    lines += [f"all_model_checkpoint_paths: {name}" for name in names]
    files.write_whole(os.path.join(folder, STATE_FILE), "\n".join(lines) + "\n")


def copy(checkpoint: str, folder: str) -> str:
    """Copies a checkpoint into a folder, each file appearing when it is whole.

    Returns:
      The copy.

    Raises:
      FileNotFoundError: it is not there, or is just being deleted.
    """
    files.make_folder(folder)
    target = os.path.join(folder, os.path.basename(checkpoint))
    # The graph (.meta) is left out: checkpoints are read into one built anew.
    parts = [path for path in _parts(checkpoint) if not path.endswith(".meta")]
    for path in sorted(parts):  # the data, then the index, which makes it a checkpoint
        name = target + path[len(checkpoint) :]
        temporary = files.temporary_name(name)
        files.copy(path, temporary)
        files.rename(temporary, name)
    if not files.exists(f"{target}.index"):
        raise FileNotFoundError(f"{checkpoint}: no such checkpoint")
    return target


def write(values: Mapping[str, np.ndarray], path: str) -> str:
    """Writes variables of these names and values as a checkpoint, and returns it."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [
            tf.compat.v1.get_variable(name, initializer=value) for name, value in values.items()
        ]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables)
        return saver.save(session, path, write_meta_graph=False, write_state=False)


def in_float32(checkpoint: str, folder: str) -> str:
    """Returns a checkpoint whose variables can be restored into a network.

    That is the checkpoint itself or, where its weights are float16, a copy in float32, which is
    written into the folder.
    """
    reader = tf.train.load_checkpoint(checkpoint)
    types = reader.get_variable_to_dtype_map()
    if tf.float16 not in types.values():
        return checkpoint
    values = {name: reader.get_tensor(name) for name in types}
    widened = {
        name: value.astype(np.float32) if value.dtype == np.float16 else value
        for name, value in values.items()
    }
    return write(widened, os.path.join(folder, "float32.ckpt"))


def _parts(checkpoint: str) -> list[str]:
    """Returns the files of a checkpoint."""
    folder, name = os.path.split(checkpoint)
    return _matching(folder, re.compile(re.escape(name) + _PART))


def remove(checkpoint: str) -> None:
    """Removes a checkpoint's files, first the one that makes it a checkpoint."""
    for path in sorted(_parts(checkpoint), key=lambda path: not path.endswith(".index")):
        with contextlib.suppress(FileNotFoundError):  # another process was first
            files.remove(path)


def left_overs(folder: str) -> list[str]:
    """Returns what interrupted saves and a cluster's workers have left in a folder, as paths."""
    return _matching(folder, _LEFT_OVER, _OF_WORKER)


def remove_left_overs(folder: str) -> None:
    """Removes what interrupted saves have left in a folder that no other process writes to."""
    _remove(left_overs(folder))


def remove_worker_folders(folder: str) -> None:
    """Removes what a cluster's workers saved beside the checkpoints, once they are done."""
    _remove(_matching(folder, _OF_WORKER))


def _matching(folder: str, *patterns: re.Pattern) -> list[str]:
    names = files.list_folder(folder)
    return [os.path.join(folder, n) for n in names if any(p.fullmatch(n) for p in patterns)]


def _remove(paths: Iterable[str]) -> None:
    for path in paths:
        if files.is_folder(path):
            files.remove_folder(path)
        else:
            files.remove(path)
