r"""Evaluates a trained model on a whole set of records and writes a report.

    python evaluate_model.py --model_dir=runs/2026-11-22-174400 \
        --eval_data="rnn_tutorial_data/eval.tfrecord-?????-of-?????"

Open report.html in the folder that it names; report.json and classes.csv hold the numbers.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import dataclasses
import os

from absl import flags

import input_pipeline
import model
from common import files, programs, settings
from evaluation import evaluate, report
from model_folder import models
from network import lstm
from records import class_list, damage

_MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Folder of train_model.py, or an exported model's.",
    required=True,
)
_EVAL_DATA = flags.DEFINE_string(
    "eval_data",
    None,
    "Pattern of the TFRecord files to evaluate on.",
    required=True,
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "", "Checkpoint to evaluate; by default the best, or else the last."
)
_OUTPUT_PATH = flags.DEFINE_string(
    "output_path",
    "",
    "Folder for the report; by default `evaluation` in the model's.",
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size",
    64,
    "Drawings at once; no number depends on it.",
    lower_bound=1,
)
settings.define_flags(model.Judgement)


def main() -> None:
    programs.clean_up_at_sigterm()
    tf.compat.v1.disable_eager_execution()
    output_path = _OUTPUT_PATH.value or os.path.join(_MODEL_DIR.value, "evaluation")
    files.check_output_folder(output_path, flag="--output_path")
    records = input_pipeline.match_files(_EVAL_DATA.value, flag="--eval_data")
    # A run that goes on meanwhile may delete the checkpoint, but not this copy.
    with models.copied_model(_MODEL_DIR.value, checkpoint=_CHECKPOINT.value) as (trained, copy):
        class_list.check_beside_records(
            trained.classes, records, what=f"{_MODEL_DIR.value} holds a model"
        )
        damage.check_first_records(records, num_classes=len(trained.classes), flag="--eval_data")
        files.make_folder(output_path)
        # Wherever it was trained, and by what is best here.
        params = dataclasses.replace(
            trained.params,
            cell_type=lstm.resolve_cell_type("auto"),
            mixed_precision=False,
            **settings.from_flags(model.Judgement),
        )
        print(f"Checkpoint: {trained.checkpoint}", flush=True)
        metrics, seen, beginnings = evaluate.evaluate(
            records, dataclasses.replace(copy, params=params), batch_size=_BATCH_SIZE.value
        )
    evaluate.print_result(metrics)
    report.write(
        output_path,
        title=f"Evaluation of {trained.checkpoint} on {_EVAL_DATA.value}",
        metrics=metrics,
        beginnings=beginnings,
        seen=seen,
        classes=trained.classes,
        accept_threshold=params.accept_threshold,
    )
    print(f"Report:     {os.path.join(output_path, report.HTML_FILE)}")


if __name__ == "__main__":
    programs.run(main)
