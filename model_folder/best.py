"""The checkpoint that did best in the evaluations of a run.

best/  a copy of the best checkpoint, for each data that was evaluated on

A copy is removed only when a better one is recorded: chief and evaluator of a cluster may decide at
the same time, and readers of `best/` look at the records.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from common import terminal
from common.errors import UserError
from model_folder import checkpoints, evaluations
from model_folder.evaluations import BEST_FOLDER, Evaluation, comparable, quality


def pin(checkpoint: str) -> None:
    """Copies a checkpoint to where the best one is kept, before it is known to be the best.

    Raises:
      FileNotFoundError: it is not there, or is just being deleted.
    """
    folder = os.path.join(os.path.dirname(checkpoint), BEST_FOLDER)
    if checkpoints.step_in_name(checkpoint) not in checkpoints.by_step(folder):
        checkpoints.copy(checkpoint, folder)


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
      UserError: a file of evaluations is damaged.
    """
    evaluation = {name: value.item() for name, value in result.items()}
    step = evaluation["global_step"]
    if data:
        evaluation["data"] = data
    name = evaluations.EVALUATOR_FILE if by_evaluator else evaluations.EVALUATIONS_FILE
    by_file = evaluations.read_files(model_dir)
    if all(
        quality(evaluation) > quality(other)
        for other in evaluations.merge(by_file)
        if other["global_step"] != step and other.get("data") == evaluation.get("data")
    ):
        pin(checkpoint)
    by_file[name] = [one for one in by_file[name] if one["global_step"] != step] + [evaluation]
    evaluations.write_file(os.path.join(model_dir, name), by_file[name])
    evaluations.end_evaluation(model_dir, step)
    recorded = evaluations.merge(by_file)
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


def best_checkpoint(model_dir: str) -> str | None:
    """Finds the copy of the checkpoint that did best in the evaluations on the data of the last
    one; None before the first."""
    copies = checkpoints.by_step(os.path.join(model_dir, BEST_FOLDER))
    recorded = evaluations.read_evaluations(model_dir)
    if not any(evaluation["global_step"] in copies for evaluation in recorded):
        return next(iter(copies.values()), None)
    kept = [one for one in comparable(recorded) if one["global_step"] in copies]
    return copies[max(kept, key=quality)["global_step"]] if kept else None


def bring_back(model_dir: str) -> None:
    """Where all checkpoints are gone but the best, makes that the one that training continues from.

    Raises:
      UserError: it is damaged.
    """
    copy = best_checkpoint(model_dir)
    if checkpoints.by_step(model_dir) or copy is None:
        return
    if why := checkpoints.damage(copy):
        raise UserError(
            f"{model_dir}: its checkpoints are gone, and {copy} {why}; give another --model_dir"
        )
    terminal.warn(f"{model_dir}: all checkpoints are gone but {copy}; going on from that")
    checkpoints.write_state(model_dir, [checkpoints.copy(copy, model_dir)])
