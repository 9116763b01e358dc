r"""Trains the drawing classifier on TFRecords and evaluates it as it goes.

    python train_model.py \
        --training_data="rnn_tutorial_data/training.tfrecord-?????-of-?????" \
        --eval_data="rnn_tutorial_data/eval.tfrecord-?????-of-?????" \
        --classes_file=rnn_tutorial_data/training.tfrecord.classes

The same command with the same --model_dir goes on where it stopped.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import dataclasses
import os
import shlex
import time
from typing import Any

from absl import flags

import input_pipeline
import model
from common import files, locks, programs, terminal
from common.errors import UserError
from model_folder import evaluations, models
from network import hardware, lstm
from records import class_list
from serving import drawing_page, exporting, page_examples
from training import distribution, hooks
from training.run import Run, train

_HPARAMS: dict[str, Any] = {
    field.name: field.default for field in dataclasses.fields(model.HParams)
}

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
_NUM_LAYERS = flags.DEFINE_integer(
    "num_layers", _HPARAMS["num_layers"], "Bidirectional LSTM layers.", lower_bound=1
)
_NUM_NODES = flags.DEFINE_integer(
    "num_nodes", _HPARAMS["num_nodes"], "Nodes of an LSTM layer and direction.", lower_bound=1
)
_NUM_CONV = programs.define_integers(
    "num_conv", _HPARAMS["num_conv"], "Filters of each convolution."
)
_CONV_LEN = programs.define_integers("conv_len", _HPARAMS["conv_len"], "Filter length of each.")
_CELL_TYPE = flags.DEFINE_enum(
    "cell_type",
    _HPARAMS["cell_type"],
    lstm.CELL_TYPES,
    "How the LSTM is computed; checkpoints are the same. auto: cudnn_lstm on GPUs or block_lstm.",
)
_BATCH_NORM = flags.DEFINE_boolean(
    "batch_norm", _HPARAMS["batch_norm"], "Whether to normalise batches before convolutions."
)
_POSITIONS = flags.DEFINE_boolean(
    "positions",
    _HPARAMS["positions"],
    "Whether the network also sees where points are, besides the way from one to the next.",
)
_LEARNING_RATE = flags.DEFINE_float(
    "learning_rate",
    _HPARAMS["learning_rate"],
    "The step size of Adam; with a schedule, the highest.",
)
_LEARNING_RATE_SCHEDULE = flags.DEFINE_enum(
    "learning_rate_schedule",
    _HPARAMS["learning_rate_schedule"],
    model.SCHEDULES,
    "cosine: linear warm-up, then as a cosine wave to zero at the last of --steps.",
)
_WARMUP_STEPS = flags.DEFINE_integer(
    "warmup_steps",
    _HPARAMS["warmup_steps"],
    "Steps in which the cosine schedule rises.",
    lower_bound=0,
)
_MIXED_PRECISION = flags.DEFINE_boolean(
    "mixed_precision",
    _HPARAMS["mixed_precision"],
    "Half-precision products: float16 on a GPU; bfloat16 on a CPU that has AVX512_BF16 or AMX.",
)
_WEIGHT_DECAY = flags.DEFINE_float(
    "weight_decay",
    _HPARAMS["weight_decay"],
    "Weights shrink each step by this times the learning rate, a share of themselves.",
)
_LABEL_SMOOTHING = flags.DEFINE_float(
    "label_smoothing",
    _HPARAMS["label_smoothing"],
    "Share of the truth that all classes have alike in training: true ones are not quite certain.",
)
_GRADIENT_CLIPPING_NORM = flags.DEFINE_float(
    "gradient_clipping_norm",
    _HPARAMS["gradient_clipping_norm"],
    "Bound of the gradients' global norm; 0 for none.",
)
_DROPOUT = flags.DEFINE_float(
    "dropout", _HPARAMS["dropout"], "Rate, for convolutions and between LSTM layers."
)
_DISTORTION = flags.DEFINE_float(
    "distortion",
    0.0,
    "How much training drawings are bent, turned, shaken and thinned out; 1 as hands differ.",
)
_BEGINNINGS = flags.DEFINE_float(
    "beginnings", 0.0, "Share of the training drawings that end after some of their strokes."
)
_CLASS_BALANCE = flags.DEFINE_float(
    "class_balance",
    0.0,
    "How far guesses do without knowing which classes were frequent: 0 not at all, 1 altogether.",
)
_STEPS = flags.DEFINE_integer("steps", 100000, "Training steps in all.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Drawings a step.", lower_bound=1)
_SAVE_CHECKPOINTS_STEPS = flags.DEFINE_integer(
    "save_checkpoints_steps", 2000, "Steps from one checkpoint to the next.", lower_bound=1
)
_KEEP_CHECKPOINT_MAX = flags.DEFINE_integer(
    "keep_checkpoint_max", 5, "Recent checkpoints to keep; 0 for all.", lower_bound=0
)
_EARLY_STOPPING_EVALS = flags.DEFINE_integer(
    "early_stopping_evals",
    0,
    "Stop after this number of evaluations in a row without a better one; 0 for never.",
    lower_bound=0,
)
_ACCEPT_THRESHOLD = flags.DEFINE_float(
    "accept_threshold",
    _HPARAMS["accept_threshold"],
    "In evaluation, the probability above which a guess counts as said.",
)
_EVAL_THROTTLE_SECS = flags.DEFINE_integer(
    "eval_throttle_secs",
    600,
    "A checkpoint is evaluated unless the last evaluation is fewer seconds ago.",
    lower_bound=0,
)
_SEED = flags.DEFINE_integer(
    "seed",
    0,
    "Decides the initial weights, the batches and dropout.",
    lower_bound=0,
    upper_bound=2**31 - 10,
)
_DISTRIBUTION = flags.DEFINE_enum(
    "distribution",
    "none",
    distribution.STRATEGIES,
    "mirrored: all GPUs of this machine. multi_worker: the cluster in TF_CONFIG.",
)
_CLUSTER_TIMEOUT_SECS = flags.DEFINE_integer(
    "cluster_timeout_secs",
    600,
    "How long to wait for the other processes of a cluster.",
    lower_bound=1,
)
_WARM_START_FROM = flags.DEFINE_string(
    "warm_start_from", "", "Checkpoint, or folder of checkpoints, to take the first weights from."
)


def hparams_from_flags(num_classes: int) -> model.HParams:
    """Makes hyper-parameters of the flags that are called as they are."""
    values = {name: flags.FLAGS[name].value for name in _HPARAMS if name in flags.FLAGS}
    if _LEARNING_RATE_SCHEDULE.value == "cosine":
        values["decay_steps"] = _STEPS.value
    return model.HParams(num_classes=num_classes, **values)


def check_hardware(params: model.HParams) -> None:
    """Raises ValueError if this machine cannot train so."""
    if not params.mixed_precision:
        return
    if hardware.half_precision() is None:
        raise UserError(
            "--mixed_precision needs a GPU or a CPU that multiplies bfloat16 (AVX512_BF16 or "
            "AMX), and there is neither here"
        )
    if hardware.half_precision() == tf.bfloat16 and params.cell_type != "block_lstm":
        raise UserError(
            f"--mixed_precision on a CPU is for block_lstm, not --cell_type={params.cell_type}; "
            "leave one of the two flags out"
        )


def describe_computation(params: model.HParams) -> str:
    """Says how the recurrence is computed on this machine, and whether it could be faster."""
    half = hardware.half_precision()
    if params.mixed_precision and half:
        return f"{params.cell_type}, products in {half.name}"
    if params.cell_type == "block_lstm" and half == tf.bfloat16:
        return f"{params.cell_type}; --mixed_precision may be faster on this CPU"
    return params.cell_type


def run_from_flags() -> Run:
    """Makes the run that the flags describe.

    Raises:
      ValueError: they do not fit each other, this machine or the files.
    """
    task = distribution.read_task(_DISTRIBUTION.value)
    if task.num_workers > 1 or not task.is_chief:
        if not _MODEL_DIR.value:
            raise UserError("a cluster needs --model_dir, the same for all, on shared storage")
        if _EARLY_STOPPING_EVALS.value:
            raise UserError(
                "--early_stopping_evals works on one machine alone: in a cluster evaluations are "
                "another process's"
            )
    model_dir = _MODEL_DIR.value or os.path.join("runs", time.strftime("%Y-%m-%d-%H%M%S"))
    files.check_no_pattern(model_dir, flag="--model_dir")
    files.check_output_folder(model_dir, flag="--model_dir")
    training_files = input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data")
    eval_files = input_pipeline.match_files(_EVAL_DATA.value, flag="--eval_data")
    common = input_pipeline.count_common(training_files, eval_files)
    if common:
        terminal.warn(
            f"{common} of {len(eval_files)} files of --eval_data are in --training_data too: "
            "evaluations will not tell how well unseen drawings are recognised"
        )
    classes = class_list.read_classes(_CLASSES_FILE.value)
    class_list.check_beside_records(
        classes, [*training_files, *eval_files], what=f"--classes_file={_CLASSES_FILE.value} is"
    )
    if len(classes) == 1:
        terminal.warn(
            f"{_CLASSES_FILE.value} names one class, {classes[0]!r}: a model of it is always right "
            "and of no use; convert drawings of several words"
        )
    params = hparams_from_flags(len(classes))
    if task.trains:  # an evaluator may well be a smaller machine
        params = dataclasses.replace(params, cell_type=lstm.resolve_cell_type(params.cell_type))
        check_hardware(params)
    return Run(
        training_files=training_files,
        eval_files=eval_files,
        classes=classes,
        params=params,
        model_dir=model_dir,
        steps=_STEPS.value,
        batch_size=_BATCH_SIZE.value,
        save_checkpoints_steps=_SAVE_CHECKPOINTS_STEPS.value,
        keep_checkpoint_max=_KEEP_CHECKPOINT_MAX.value,
        eval_throttle_secs=_EVAL_THROTTLE_SECS.value,
        seed=_SEED.value,
        distortion=_DISTORTION.value,
        beginnings=_BEGINNINGS.value,
        class_balance=_CLASS_BALANCE.value,
        warm_start_from=_WARM_START_FROM.value,
        early_stopping_evals=_EARLY_STOPPING_EVALS.value,
        flagfile="\n".join(f.serialize() for f in flags.FLAGS.get_flags_for_module(__name__)),
        task=task,
        strategy=distribution.make_strategy(_DISTRIBUTION.value) if task.trains else None,
        cluster_timeout_secs=_CLUSTER_TIMEOUT_SECS.value,
    )


def train_and_export(run: Run) -> str | None:
    """Trains; returns the export's folder where this process is the one that exports."""
    if not run.task.is_chief:
        train(run)
        return None
    busy = "another run is training there; wait for it, or give another --model_dir"
    with locks.only_writer(run.model_dir, busy=busy):
        train(run)
        hooks.check_records(run.classes, [*run.training_files, *run.eval_files])
        with models.copied_model(run.model_dir) as (found, copy):
            temperature, why = evaluations.temperature(found.checkpoint)
            print(f"Temperature: {temperature:.3g}" + (f", not calibrated: {why}" if why else ""))
            page = os.path.join(run.model_dir, drawing_page.FILE)
            drawing_page.write(
                page,
                copy,
                examples=page_examples.from_records(run.training_files, found.classes),
                evaluation=evaluations.evaluation_of(found.checkpoint),
            )
            return exporting.export(run.model_dir, copy)


def main() -> int | None:
    tf.compat.v1.disable_eager_execution()
    run = run_from_flags()
    print(f"Model:      {run.model_dir}")
    print(
        f"Data:       {len(run.training_files)} + {len(run.eval_files)} files, "
        f"{len(run.classes)} classes"
    )
    print(f"Settings:   {', '.join(f'{name}={value}' for name, value in run.settings.items())}")
    if run.task.trains:
        print(f"Computed:   {describe_computation(run.params)}")
    run.stop.install()
    try:
        with distribution.explained_errors(run.task):
            exported = train_and_export(run)
    except distribution.PeerFailed as error:
        programs.fail(str(error))
        return programs.EXIT_RETRY
    except hooks.Stopped as stopped:
        same = f"--model_dir={shlex.quote(run.model_dir)}"
        print(f"Stopped; the same command with {same} goes on from here.")
        return 128 + stopped.number
    if exported:
        print(f"Checkpoints: {run.model_dir}")
        print(f"Exported:    {exported}")
        folder = shlex.quote(run.model_dir)
        page = shlex.quote(os.path.join(run.model_dir, drawing_page.FILE))
        print(f"Look at it:  tensorboard --logdir={folder}")
        print(f"Draw:        open {page}")
        print(f"Use it:      python classify_drawings.py --model={folder} FILE.ndjson")
    return None


if __name__ == "__main__":
    programs.run(main)
