r"""Trains the drawing classifier on TFRecords and evaluates it as it goes.

    python train_model.py \
        --training_data="rnn_tutorial_data/training.tfrecord-?????-of-?????" \
        --eval_data="rnn_tutorial_data/eval.tfrecord-?????-of-?????" \
        --classes_file=rnn_tutorial_data/training.tfrecord.classes

The same command with the same --model_dir goes on where it stopped.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import os
import shlex
import time
from collections.abc import Sequence

from absl import flags

import input_pipeline
import model
from common import files, locks, programs, settings, terminal
from common.errors import UserError
from model_folder import evaluations, models
from records import class_list
from serving import drawing_page, exporting, page_examples, weights
from training import cluster, computation, distribution, hooks, tf_config
from training.run import Execution, Run, train

_TRAINING_DATA = flags.DEFINE_string(
    "training_data", None, "Pattern of the TFRecord files to train on.", required=True
)
_EVAL_DATA = flags.DEFINE_string(
    "eval_data", None, "Pattern of the TFRecord files to evaluate on.", required=True
)
_CLASSES_FILE = flags.DEFINE_string(
    "classes_file", None, "The class list written beside the records.", required=True
)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", "", "Folder of checkpoints and summaries; by default a new one under runs/."
)
_WARM_START_FROM = flags.DEFINE_string(
    "warm_start_from", "", "Checkpoint, or folder of checkpoints, to take the first weights from."
)
settings.define_flags(model.HParams, Run)


def run_from_flags() -> Run:
    """Makes the run that the flags describe.

    Raises:
      ValueError: they do not fit each other, this machine or the files.
    """
    task = tf_config.read_task(flags.FLAGS.distribution)
    model_dir = model_dir_of(task)
    training_files, eval_files = find_records()
    classes = read_classes([*training_files, *eval_files])
    params = hparams_from_flags(len(classes))
    if task.trains:  # an evaluator may well be a smaller machine
        params = computation.resolve(params)
    return Run(
        training_files=training_files,
        eval_files=eval_files,
        classes=classes,
        params=params,
        model_dir=model_dir,
        warm_start_from=_WARM_START_FROM.value,
        flagfile="\n".join(f.serialize() for f in flags.FLAGS.get_flags_for_module(__name__)),
        task=task,
        **settings.from_flags(Run),
    )


def model_dir_of(task: tf_config.Task) -> str:
    """Returns the folder to train in; a cluster's processes must be given one."""
    if task.num_workers > 1 or not task.is_chief:
        if not _MODEL_DIR.value:
            raise UserError("a cluster needs --model_dir, the same for all, on shared storage")
        if flags.FLAGS.early_stopping_evals:
            raise UserError(
                "--early_stopping_evals works on one machine alone: in a cluster evaluations are "
                "another process's"
            )
    model_dir = _MODEL_DIR.value or os.path.join("runs", time.strftime("%Y-%m-%d-%H%M%S"))
    files.check_no_pattern(model_dir, flag="--model_dir")
    files.check_output_folder(model_dir, flag="--model_dir")
    return model_dir


def find_records() -> tuple[list[str], list[str]]:
    """Returns the files to train on, and those to evaluate on."""
    training_files = input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data")
    eval_files = input_pipeline.match_files(_EVAL_DATA.value, flag="--eval_data")
    common = input_pipeline.count_common(training_files, eval_files)
    if common:
        terminal.warn(
            f"{common} of {len(eval_files)} files of --eval_data are in --training_data too: "
            "evaluations will not tell how well unseen drawings are recognised"
        )
    return training_files, eval_files


def read_classes(records: Sequence[str]) -> list[str]:
    """Reads the class list, which must be that of the records."""
    classes = class_list.read_classes(_CLASSES_FILE.value)
    class_list.check_beside_records(
        classes, records, what=f"--classes_file={_CLASSES_FILE.value} is"
    )
    if len(classes) == 1:
        terminal.warn(
            f"{_CLASSES_FILE.value} names one class, {classes[0]!r}: a model of it is always right "
            "and of no use; convert drawings of several words"
        )
    return classes


def hparams_from_flags(num_classes: int) -> model.HParams:
    values = settings.from_flags(model.HParams)
    if values["learning_rate_schedule"] == "cosine":
        values["decay_steps"] = flags.FLAGS.steps
    return model.HParams(num_classes=num_classes, **values)


def train_and_export(run: Run, execution: Execution) -> str | None:
    """Trains; returns the export's folder where this process is the one that exports."""
    if not run.task.is_chief:
        train(run, execution)
        return None
    busy = "another run is training there; wait for it, or give another --model_dir"
    with locks.only_writer(run.model_dir, busy=busy):
        train(run, execution)
        hooks.check_records(run.classes, [*run.training_files, *run.eval_files])
        with models.copied_model(run.model_dir) as (trained, copy):
            temperature, why = evaluations.temperature(trained.checkpoint)
            print(f"Temperature: {temperature:.3g}" + (f", not calibrated: {why}" if why else ""))
            page = os.path.join(run.model_dir, drawing_page.FILE)
            read = weights.read(copy.checkpoint, params=copy.params)
            drawing_page.write(
                page,
                copy,
                weights=read,
                examples=page_examples.from_records(run.training_files, trained.classes),
                evaluation=evaluations.evaluation_of(trained.checkpoint),
            )
            return exporting.export(run.model_dir, copy, weights=read)


def print_run(run: Run) -> None:
    print(f"Model:      {run.model_dir}")
    print(
        f"Data:       {len(run.training_files)} + {len(run.eval_files)} files, "
        f"{len(run.classes)} classes"
    )
    print(f"Settings:   {', '.join(f'{name}={value}' for name, value in run.settings.items())}")
    if run.task.trains:
        print(f"Computed:   {computation.describe(run.params)}")


def print_results(model_dir: str, *, exported: str) -> None:
    folder = shlex.quote(model_dir)
    page = shlex.quote(os.path.join(model_dir, drawing_page.FILE))
    print(f"Checkpoints: {model_dir}")
    print(f"Exported:    {exported}")
    print(f"Look at it:  tensorboard --logdir={folder}")
    print(f"Draw:        open {page}")
    print(f"Use it:      python classify_drawings.py --model={folder} FILE.ndjson")


def main() -> int | None:
    tf.compat.v1.disable_eager_execution()
    run = run_from_flags()
    strategy = distribution.make_strategy(run.distribution) if run.task.trains else None
    execution = Execution(strategy)
    print_run(run)
    execution.stop.install()
    try:
        with cluster.failed_peers_named(run.task):
            exported = train_and_export(run, execution)
    except cluster.PeerFailed as error:
        programs.fail(str(error))
        return programs.EXIT_RETRY
    except hooks.Stopped as stopped:
        same = f"--model_dir={shlex.quote(run.model_dir)}"
        print(f"Stopped; the same command with {same} goes on from here.")
        return 128 + stopped.number
    if exported:
        print_results(run.model_dir, exported=exported)
    return None


if __name__ == "__main__":
    programs.run(main)
