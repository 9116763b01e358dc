"""The evaluations of a run, and the checkpoint that did best in them.

evaluations.ndjson            the metrics of each evaluation, a line each
evaluations-evaluator.ndjson  those that the evaluator of a cluster made
best/                         a copy of the best checkpoint, for each data that was evaluated on
evaluating                    the step whose evaluation has begun; none, once it is recorded

Each file has one writer, and a copy is removed only when a better one is recorded: chief and
evaluator of a cluster may decide at the same time, and whoever reads `best/` looks at the records.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from common import console, files

import tensorflow as tf

from model_folder import checkpoints
from network import measures

EVALUATIONS_FILE = "evaluations.ndjson"
EVALUATOR_FILE = "evaluations-evaluator.ndjson"
BEST_FOLDER = "best"
BEGUN_FILE = "evaluating"

Evaluation = dict[str, Any]


def read_evaluations(model_dir: str) -> list[Evaluation]:
    """Reads the metrics of all evaluations, each step's last ones, in the order of the steps.

    Raises:
      ValueError: a file of them is damaged.
    """
    by_step: dict[int, Evaluation] = {}
    for name in (EVALUATOR_FILE, EVALUATIONS_FILE):
        for evaluation in _read(os.path.join(model_dir, name)):
            by_step[evaluation["global_step"]] = evaluation
    return [evaluation for _, evaluation in sorted(by_step.items())]


def _read(path: str) -> list[Evaluation]:
    if not tf.io.gfile.exists(path):
        return []
    with tf.io.gfile.GFile(path, "rb") as file:
        lines = file.read().splitlines()
    evaluations = []
    for number, line in enumerate(lines, start=1):
        try:
            evaluation = json.loads(line)
            for name in ("global_step", "accuracy", "loss"):
                if not isinstance(evaluation[name], (int, float)):
                    raise TypeError
        except (ValueError, TypeError, LookupError):
            raise ValueError(
                f"{path}, line {number}: not an evaluation; delete the line, or the file to "
                "forget all evaluations"
            ) from None
        evaluations.append(evaluation)
    return evaluations


def quality(evaluation: Mapping[str, Any]) -> tuple[float, float, int]:
    """Rates an evaluation; the better of two has the larger value: more accurate, or as accurate
    with less loss, or as good and earlier. What is not a number is worse than all."""
    accuracy, loss = evaluation["accuracy"], evaluation["loss"]
    if not (math.isfinite(accuracy) and math.isfinite(loss)):
        accuracy, loss = -math.inf, math.inf
    return accuracy, -loss, -evaluation["global_step"]


def name_data(files: Sequence[str]) -> str:
    """Names what an evaluation is made on: the same for the same files, wherever they lie.

    Args:
      files: TFRecord files; they are told apart by their names and sizes.
    """
    sizes = sorted((os.path.basename(path), tf.io.gfile.stat(path).length) for path in files)
    digest = hashlib.sha256(json.dumps(sizes).encode()).hexdigest()
    return f"{len(files)} files, {sum(size for _, size in sizes)} bytes, {digest[:12]}"


def comparable(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Returns those that were made on the same data as the last: 75% of one set are not better than
    47% of another. Evaluations of earlier versions do not say on which."""
    return [one for one in evaluations if one.get("data") == evaluations[-1].get("data")]


def begin_evaluation(model_dir: str, step: int) -> None:
    """Takes note of an evaluation, so that a run that ends before it is recorded leaves a trace."""
    files.write_whole(os.path.join(model_dir, BEGUN_FILE), f"{step}\n")


def pin(checkpoint: str) -> None:
    """Copies a checkpoint to where the best one is kept, before it is known to be the best.

    Raises:
      tf.errors.NotFoundError: it is not there, or is just being deleted.
    """
    folder = os.path.join(os.path.dirname(checkpoint), BEST_FOLDER)
    if checkpoints.step_in_name(checkpoint) not in checkpoints.by_step(folder):
        checkpoints.copy(checkpoint, folder)


def cut_off_evaluation(model_dir: str) -> int | None:
    """Returns the step whose evaluation was begun and never recorded; None if there is none."""
    path = os.path.join(model_dir, BEGUN_FILE)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        text = file.read().strip()
    return int(text) if text.isdigit() else None


def add_evaluation(
    model_dir: str,
    result: Mapping[str, Any],
    *,
    checkpoint: str,
    data: str = "",
    by_evaluator: bool = False,
) -> int:
    """Records an evaluation, and keeps its checkpoint if no other was better.

    Args:
      model_dir: the run's folder.
      result: the metrics, NumPy scalars, `global_step` among them.
      checkpoint: what was evaluated.
      data: what it was evaluated on, as `name_data` says; others are not compared with it.
      by_evaluator: whether this process is a cluster's evaluator.

    Returns:
      How many evaluations of later steps than the best one's there are.

    Raises:
      ValueError: a file of evaluations is damaged.
    """
    evaluation = {name: value.item() for name, value in result.items()}
    step = evaluation["global_step"]
    if data:
        evaluation["data"] = data
    path = os.path.join(model_dir, EVALUATOR_FILE if by_evaluator else EVALUATIONS_FILE)
    ours = [earlier for earlier in _read(path) if earlier["global_step"] != step] + [evaluation]
    others = [other for other in read_evaluations(model_dir) if other["global_step"] != step]
    if all(
        quality(evaluation) > quality(other)
        for other in others
        if other.get("data") == evaluation.get("data")
    ):
        pin(checkpoint)
    files.write_whole(path, "".join(json.dumps(line) + "\n" for line in ours))
    if cut_off_evaluation(model_dir) == step:
        tf.io.gfile.remove(os.path.join(model_dir, BEGUN_FILE))
    recorded = read_evaluations(model_dir)
    _remove_worse(os.path.join(model_dir, BEST_FOLDER), recorded)
    recorded = comparable(recorded)
    best = max(recorded, key=quality)
    return sum(other["global_step"] > best["global_step"] for other in recorded)


def _remove_worse(folder: str, recorded: list[Evaluation]) -> None:
    """Leaves the copy of the best evaluation on each data, and those that are not recorded yet."""
    copies = checkpoints.by_step(folder)
    known = [evaluation for evaluation in recorded if evaluation["global_step"] in copies]
    if not known:
        return
    best = {one.get("data"): one for one in sorted(known, key=quality)}
    checkpoints.write_state(folder, [copies[best[known[-1].get("data")]["global_step"]]])
    for evaluation in known:
        if evaluation not in best.values():
            checkpoints.remove(copies[evaluation["global_step"]])


def evaluation_of(checkpoint: str) -> Evaluation | None:
    """Returns the last evaluation of a checkpoint, as its own folder records it; None if it was not
    evaluated there."""
    for evaluation in read_evaluations(folder_of(checkpoint)):
        if os.path.basename(checkpoint) == f"model.ckpt-{evaluation['global_step']}":
            return evaluation
    return None


def folder_of(checkpoint: str) -> str:
    """Returns the model's folder that a checkpoint, or a copy in its `best/`, lies in."""
    folder = os.path.dirname(checkpoint)
    is_copy = os.path.basename(folder) == BEST_FOLDER and not read_evaluations(folder)
    return os.path.dirname(folder) if is_copy else folder


def temperature(checkpoint: str) -> tuple[float, str | None]:
    """Returns what to divide a checkpoint's logits by, and where that is 1 for want of a better
    number, why: it was not evaluated, or `measures.why_uncalibrated`."""
    evaluation = evaluation_of(checkpoint) or {}
    found = evaluation.get("temperature")
    if not (isinstance(found, float) and 0 < found < math.inf):
        return 1.0, "no evaluation has found it"
    if "drawings" in evaluation:
        why = measures.why_uncalibrated(
            drawings=evaluation["drawings"], accuracy=evaluation["accuracy"]
        )
        if why:
            return 1.0, why
    return found, None


def best_checkpoint(model_dir: str) -> str | None:
    """Finds the copy of the checkpoint that did best in the evaluations on the data of the last
    one; None before the first."""
    copies = checkpoints.by_step(os.path.join(model_dir, BEST_FOLDER))
    recorded = read_evaluations(model_dir)
    if not any(evaluation["global_step"] in copies for evaluation in recorded):
        return next(iter(copies.values()), None)
    there = [one for one in comparable(recorded) if one["global_step"] in copies]
    return copies[max(there, key=quality)["global_step"]] if there else None


def bring_back(model_dir: str) -> None:
    """Where all checkpoints are gone but the best, makes that the one that training continues from.

    Raises:
      ValueError: it is damaged.
    """
    copy = best_checkpoint(model_dir)
    if checkpoints.by_step(model_dir) or copy is None:
        return
    if why := checkpoints.problem(copy):
        raise ValueError(
            f"{model_dir}: its checkpoints are gone, and {copy} {why}; give another --model_dir"
        )
    console.warn(f"{model_dir}: all checkpoints are gone but {copy}; going on from that")
    checkpoints.write_state(model_dir, [checkpoints.copy(copy, model_dir)])
