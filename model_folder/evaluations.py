"""The evaluations of a run, as its folder records them.

evaluations.ndjson            the metrics of each evaluation, a line each
evaluations-evaluator.ndjson  those that the evaluator of a cluster made
evaluating                    the step whose evaluation has begun; none, once it is recorded
best/                         copies of checkpoints, see best.py

Each file has one writer. Chief and evaluator of a cluster may record at the same time.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common import files
from common.errors import UserError
from network import measures

EVALUATIONS_FILE = "evaluations.ndjson"
EVALUATOR_FILE = "evaluations-evaluator.ndjson"
BEST_FOLDER = "best"
BEGUN_FILE = "evaluating"

Evaluation = dict[str, Any]


def read_evaluations(model_dir: str) -> list[Evaluation]:
    """Reads the metrics of all evaluations, each step's last ones, in the order of the steps.

    Raises:
      UserError: a file of them is damaged.
    """
    return merge(read_files(model_dir))


def read_files(model_dir: str) -> dict[str, list[Evaluation]]:
    """Reads the evaluations of each file by its name.

    Raises:
      UserError: a file is damaged.
    """
    return {
        name: _read_file(os.path.join(model_dir, name))
        for name in (EVALUATOR_FILE, EVALUATIONS_FILE)
    }


def merge(by_file: Mapping[str, Sequence[Evaluation]]) -> list[Evaluation]:
    """Returns the evaluations of all files, each step's last ones, in the order of the steps."""
    by_step = {one["global_step"]: one for name in by_file for one in by_file[name]}
    return [evaluation for _, evaluation in sorted(by_step.items())]


def _read_file(path: str) -> list[Evaluation]:
    if not files.exists(path):
        return []
    lines = files.read_bytes(path).splitlines()
    read = []
    for number, line in enumerate(lines, start=1):
        try:
            evaluation = json.loads(line)
            for name in ("global_step", "accuracy", "loss"):
                if not isinstance(evaluation[name], (int, float)):
                    raise TypeError
        except (ValueError, TypeError, LookupError):
            raise UserError(
                f"{path}, line {number}: not an evaluation; delete the line, or the file to "
                "forget all evaluations"
            ) from None
        read.append(evaluation)
    return read


def quality(evaluation: Mapping[str, Any]) -> tuple[float, float, int]:
    """Rates an evaluation; the better of two has the larger value: more accurate, or as accurate
    with less loss, or as good and earlier. What is not a number is worse than all."""
    accuracy, loss = evaluation["accuracy"], evaluation["loss"]
    if not (math.isfinite(accuracy) and math.isfinite(loss)):
        accuracy, loss = -math.inf, math.inf
    return accuracy, -loss, -evaluation["global_step"]


def name_data(paths: Sequence[str]) -> str:
    """Names what an evaluation is made on: the same for the same files, wherever they lie.

    Args:
      paths: TFRecord files; they are told apart by their names and sizes.
    """
    sizes = sorted((os.path.basename(path), files.size(path)) for path in paths)
    digest = hashlib.sha256(json.dumps(sizes).encode()).hexdigest()
    return f"{len(paths)} files, {sum(size for _, size in sizes)} bytes, {digest[:12]}"


def comparable(recorded: Sequence[Evaluation]) -> list[Evaluation]:
    """Returns those that were made on the same data as the last: 75% of one set are not better than
    47% of another. Evaluations of earlier versions do not say on which."""
    return [one for one in recorded if one.get("data") == recorded[-1].get("data")]


def begin_evaluation(model_dir: str, step: int) -> None:
    """Takes note of an evaluation, so that a run that ends before it is recorded leaves a trace."""
    files.write_whole(os.path.join(model_dir, BEGUN_FILE), f"{step}\n")


def write_file(path: str, lines: Iterable[Evaluation]) -> None:
    """Writes a file of evaluations, a line each."""
    files.write_whole(path, "".join(json.dumps(line) + "\n" for line in lines))


def cut_off_evaluation(model_dir: str) -> int | None:
    """Returns the step whose evaluation was begun and never recorded; None if there is none."""
    path = os.path.join(model_dir, BEGUN_FILE)
    if not files.exists(path):
        return None
    text = files.read_bytes(path).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None


def end_evaluation(model_dir: str, step: int) -> None:
    """Takes note that the evaluation of that step is recorded."""
    if cut_off_evaluation(model_dir) == step:
        files.remove(os.path.join(model_dir, BEGUN_FILE))


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
    recorded = evaluation.get("temperature")
    if not (isinstance(recorded, float) and 0 < recorded < math.inf):
        return 1.0, "no evaluation has found it"
    if "drawings" in evaluation:
        why = measures.why_uncalibrated(
            drawings=evaluation["drawings"], accuracy=evaluation["accuracy"]
        )
        if why:
            return 1.0, why
    return recorded, None
