r"""Evaluates a trained model on a whole set of records and writes a report.

    python evaluate_model.py --model_dir=runs/2026-11-22-174400 \
        --eval_data=rnn_tutorial_data/eval.tfrecord-?????-of-?????

Open report.html in the folder that it names; report.json and classes.csv hold the numbers.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Sequence

from common import console

import tensorflow as tf
from absl import flags

import input_pipeline
import model
from evaluation import outcomes, report
from training import hooks, model_dirs

_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of train_model.py, or an exported model's.",
    required=True, allow_override=True,
)  # fmt: skip
_EVAL_DATA = flags.DEFINE_string(
    "eval_data", None, "Pattern of the TFRecord files to evaluate on.",
    required=True, allow_override=True,
)  # fmt: skip
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "", "Checkpoint to evaluate; by default the best, or else the last."
)
_OUTPUT_PATH = flags.DEFINE_string(
    "output_path", "", "Folder for the report; by default `evaluation` in the model's.",
    allow_override=True,
)  # fmt: skip
_ACCEPT_THRESHOLD = flags.DEFINE_float(
    "accept_threshold", model.HParams.accept_threshold,
    "The probability above which a guess counts as said.", allow_override=True,
)  # fmt: skip
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 64, "Drawings at once; no number depends on it.",
    lower_bound=1, allow_override=True,
)  # fmt: skip

# Shares of the strokes of a drawing that are evaluated as if it ended there.
STROKE_SHARES = (0.25, 0.5, 0.75)


def check_classes(model_dir: str, classes: Sequence[str], files: Sequence[str]) -> None:
    """Compares the model's class list with those beside the records, where there are any.

    Raises:
      ValueError: they differ.
    """
    paths = {f"{path.split('.tfrecord-')[0]}.tfrecord.classes" for path in files}
    for path in sorted(filter(tf.io.gfile.exists, paths)):
        problem = model_dirs.classes_difference(classes, input_pipeline.read_classes(path))
        if problem:
            raise ValueError(f"{model_dir} holds a model {problem}, by {path}")


def evaluate(
    files: Sequence[str],
    *,
    params: model.HParams,
    checkpoint: str,
    batch_size: int,
) -> tuple[dict[str, float], outcomes.Outcomes, list[dict[str, float]]]:
    """Evaluates all drawings, then the beginnings of all drawings.

    Returns:
      The metrics of `model.model_fn`; the outcomes; and for each share of the strokes, from the
      lowest up to 1, its metrics, with the share itself as `stroke_share`.
    """
    collector = outcomes.CollectOutcomes(kept_inks=report.KEPT_INKS)
    # Estimator leaves summaries behind, which are no part of the run's.
    with tempfile.TemporaryDirectory(prefix="evaluate_model-") as folder:
        estimator = tf.estimator.Estimator(model.model_fn, model_dir=folder, params=params)

        def run(stroke_share: float, run_hooks: Sequence) -> dict[str, float]:
            result = estimator.evaluate(
                input_pipeline.eval_input_fn(
                    files,
                    batch_size=batch_size,
                    num_classes=params.num_classes,
                    stroke_share=stroke_share,
                ),
                hooks=run_hooks,
                checkpoint_path=checkpoint,
            )
            return {name: value.item() for name, value in result.items()}

        with input_pipeline.explained_errors(files, num_classes=params.num_classes):
            result = run(1.0, [collector])
            prefixes = [{"stroke_share": share, **run(share, [])} for share in STROKE_SHARES]
    return result, collector.outcomes(), [*prefixes, {"stroke_share": 1.0, **result}]


def main() -> None:
    tf.compat.v1.disable_eager_execution()
    params, classes, checkpoint = model_dirs.find_model(
        _MODEL_DIR.value, checkpoint=_CHECKPOINT.value
    )
    files = input_pipeline.match_files(_EVAL_DATA.value, flag="--eval_data")
    check_classes(_MODEL_DIR.value, classes, files)
    input_pipeline.check_first_records(files, num_classes=len(classes), flag="--eval_data")
    # Wherever it was trained, and with the kernel that is best here.
    params = dataclasses.replace(
        params,
        cell_type="auto",
        mixed_precision=False,
        accept_threshold=_ACCEPT_THRESHOLD.value,
    )
    print(f"Checkpoint: {checkpoint}", flush=True)
    metrics, seen, prefixes = evaluate(
        files, params=params, checkpoint=checkpoint, batch_size=_BATCH_SIZE.value
    )
    hooks.print_evaluation(metrics)
    output_path = _OUTPUT_PATH.value or os.path.join(_MODEL_DIR.value, "evaluation")
    report.write(
        output_path,
        title=f"Evaluation of {checkpoint} on {_EVAL_DATA.value}",
        metrics=metrics,
        prefixes=prefixes,
        seen=seen,
        classes=classes,
        accept_threshold=params.accept_threshold,
    )
    print(f"Report:     {os.path.join(output_path, report.HTML_FILE)}")


if __name__ == "__main__":
    console.run(main, errors=(tf.errors.OpError,))
