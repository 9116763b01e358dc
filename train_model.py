r"""Trains the drawing classifier on TFRecords and evaluates it as it goes.

    python train_model.py \
        --training_data=rnn_tutorial_data/training.tfrecord-?????-of-????? \
        --eval_data=rnn_tutorial_data/eval.tfrecord-?????-of-????? \
        --classes_file=rnn_tutorial_data/training.tfrecord.classes

The same command with the same --model_dir goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator, Sequence

import console  # isort: skip  (before TensorFlow)
import tensorflow as tf
from absl import flags

import distribution
import exporting
import hooks
import input_pipeline
import lstm
import model
import model_dirs
import outcomes
import summaries


class _IntegersParser(flags.ArgumentParser):
    """`[48, 64, 96]`, as the tutorial writes it, or `48,64,96`."""

    syntactic_help = "integers, separated by commas"

    def parse(self, argument: str | Sequence[int]) -> tuple[int, ...]:
        if not isinstance(argument, str):
            return tuple(argument)
        items = argument.strip().strip("[]()").split(",")
        try:
            return tuple(int(item) for item in items if item.strip())
        except ValueError:
            raise ValueError(f"expected integers such as 48,64,96, not {argument!r}") from None


def _define_integers(name: str, default: tuple[int, ...], help_text: str) -> flags.FlagHolder:
    # Serialized as it is parsed, so that --flagfile files can be written from a run.
    serializer = flags.ListSerializer(",")
    return flags.DEFINE(_IntegersParser(), name, default, help_text, serializer=serializer)


_HPARAMS = {field.name: field.default for field in dataclasses.fields(model.HParams)}

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
_NUM_CONV = _define_integers("num_conv", _HPARAMS["num_conv"], "Filters of each convolution.")
_CONV_LEN = _define_integers("conv_len", _HPARAMS["conv_len"], "Filter length of each.")
_CELL_TYPE = flags.DEFINE_enum(
    "cell_type", _HPARAMS["cell_type"], lstm.CELL_TYPES,
    "How the LSTM is computed; checkpoints are the same. auto: cudnn_lstm on GPUs or block_lstm.",
)  # fmt: skip
_BATCH_NORM = flags.DEFINE_boolean(
    "batch_norm", _HPARAMS["batch_norm"], "Whether to normalise batches before convolutions."
)
_LEARNING_RATE = flags.DEFINE_float(
    "learning_rate", _HPARAMS["learning_rate"], "Of Adam; with a schedule, the highest."
)
_LEARNING_RATE_SCHEDULE = flags.DEFINE_enum(
    "learning_rate_schedule", _HPARAMS["learning_rate_schedule"], model.SCHEDULES,
    "cosine: linear warm-up, then as a cosine wave to zero at the last of --steps.",
)  # fmt: skip
_WARMUP_STEPS = flags.DEFINE_integer(
    "warmup_steps", _HPARAMS["warmup_steps"], "Of the cosine schedule.", lower_bound=0
)
_MIXED_PRECISION = flags.DEFINE_boolean(
    "mixed_precision", _HPARAMS["mixed_precision"], "Half-precision products; needs a GPU."
)
_GRADIENT_CLIPPING_NORM = flags.DEFINE_float(
    "gradient_clipping_norm", _HPARAMS["gradient_clipping_norm"],
    "Bound of the gradients' global norm; 0 for none.",
)  # fmt: skip
_DROPOUT = flags.DEFINE_float(
    "dropout", _HPARAMS["dropout"], "Rate, for convolutions and between LSTM layers."
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
    "early_stopping_evals", 0,
    "Stop after so many evaluations in a row without a better one; 0 for never.", lower_bound=0,
)  # fmt: skip
_ACCEPT_THRESHOLD = flags.DEFINE_float(
    "accept_threshold", _HPARAMS["accept_threshold"],
    "In evaluation, the probability above which a guess counts as said.", allow_override=True,
)  # fmt: skip
_EVAL_THROTTLE_SECS = flags.DEFINE_integer(
    "eval_throttle_secs", 600,
    "A checkpoint is evaluated unless the last evaluation is fewer seconds ago.", lower_bound=0,
)  # fmt: skip
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of initial weights, batches and dropout.", lower_bound=0,
    upper_bound=2**31 - 10, allow_override=True,
)  # fmt: skip
_DISTRIBUTION = flags.DEFINE_enum(
    "distribution", "none", distribution.STRATEGIES,
    "mirrored: all GPUs of this machine. multi_worker, parameter_server: the cluster in TF_CONFIG.",
)  # fmt: skip
_CLUSTER_TIMEOUT_SECS = flags.DEFINE_integer(
    "cluster_timeout_secs", 600,
    "How long to wait for the other processes of a cluster.", lower_bound=1,
)  # fmt: skip
_WARM_START_FROM = flags.DEFINE_string(
    "warm_start_from", "", "Checkpoint, or folder of checkpoints, to take the first weights from."
)

# Steps between two summaries for TensorBoard.
SUMMARY_STEPS = 100

# Drawings evaluated at once: the results are those of any other number, and fewer would be slower.
EVAL_BATCH_SIZE = 64

# ---- The run ----


def train(
    *,
    training_files: Sequence[str],
    eval_files: Sequence[str],
    classes: Sequence[str],
    params: model.HParams,
    model_dir: str,
    steps: int,
    batch_size: int,
    save_checkpoints_steps: int,
    keep_checkpoint_max: int,
    eval_throttle_secs: int,
    seed: int,
    warm_start_from: str = "",
    early_stopping_evals: int = 0,
    flagfile: str = "",
    task: distribution.Task | None = None,
    strategy: tf.distribute.Strategy | None = None,
    session_config: tf.compat.v1.ConfigProto | None = None,
    cluster_timeout_secs: int = 600,
) -> dict[str, float] | None:
    """Trains up to `steps` in all, evaluating on the way and at the end.

    Returns:
      The last evaluation; None in processes of a cluster that are not its chief.

    Raises:
      ValueError: data, folder or hyper-parameters do not fit, or training diverged.
      hooks.Stopped: a signal came; a checkpoint of the last step is saved.
    """
    task = task or distribution.Task()
    num_classes = len(classes)
    for flag, files in (("--training_data", training_files), ("--eval_data", eval_files)):
        input_pipeline.check_first_records(files, num_classes=num_classes, flag=flag)
    if task.is_chief:
        model_dirs.drop_broken_checkpoints(model_dir)
    checkpoint = tf.train.latest_checkpoint(model_dir)
    first_step = tf.train.load_variable(checkpoint, "global_step") if checkpoint else 0
    warm_start = None
    if warm_start_from and not checkpoint:
        names = model_dirs.check_warm_start(warm_start_from, params=params)
        warm_start = tf.estimator.WarmStartSettings(
            warm_start_from, vars_to_warm_start=[f"^{name}:0$" for name in names]
        )
        print(f"Starting from {warm_start_from}: {len(names)} variables", flush=True)
    if task.is_chief:
        model_dirs.prepare(model_dir, params=params, classes=classes)
    config = {
        "model_dir": model_dir,
        "tf_random_seed": seed,
        "save_checkpoints_steps": save_checkpoints_steps,
        "keep_checkpoint_max": keep_checkpoint_max or None,
        "save_summary_steps": SUMMARY_STEPS,
        "session_config": session_config,
    }
    estimator = tf.estimator.Estimator(
        model.model_fn,
        params=params,
        warm_start_from=warm_start,
        config=tf.estimator.RunConfig(
            **config,
            train_distribute=strategy,
            session_creation_timeout_secs=cluster_timeout_secs,
            experimental_max_worker_delay_secs=0,
        ),
    )
    eval_fn = input_pipeline.eval_input_fn(
        eval_files, batch_size=EVAL_BATCH_SIZE, num_classes=num_classes
    )
    collector = outcomes.CollectOutcomes(kept_inks=outcomes.KEPT_EMBEDDINGS)
    after_evaluation = hooks.AfterEvaluation(collector, classes=classes)
    num_replicas = strategy.num_replicas_in_sync if strategy else task.num_workers
    progress = hooks.ProgressHook(
        model_dir if task.is_chief else None,
        # A step of several replicas in step with each other is one step.
        batch_size=batch_size * (num_replicas if strategy else 1),
        max_steps=steps,
    )
    training_hooks = [progress, hooks.StopHook(save_to=model_dir if task.is_chief else None)]
    if task.is_chief:
        training_hooks.append(summaries.PicturesHook(model_dir, classes=classes))
    if task.num_workers > 1 and task.trains:
        training_hooks.append(
            hooks.ClusterHook(patience=cluster_timeout_secs, in_step=strategy is not None)
        )
    if early_stopping_evals:
        training_hooks.append(hooks.EarlyStopHook(after_evaluation, patience=early_stopping_evals))
    train_spec = tf.estimator.TrainSpec(
        input_pipeline.training_input_fn(
            training_files,
            batch_size=batch_size,
            num_classes=num_classes,
            seed=seed + int(first_step),  # a resumed run does not see the same batches
            part=task.worker,
            num_parts=task.num_workers,
        ),
        max_steps=steps,
        hooks=training_hooks,
        # The last kind of strategy has none.
        saving_listeners=[hooks.StepEnd(progress)] if task.num_workers == 1 else None,
    )
    eval_spec = tf.estimator.EvalSpec(
        eval_fn,
        steps=None,  # all of them
        hooks=[hooks.StopHook(save_to=None), collector],
        exporters=[after_evaluation],
        start_delay_secs=0,
        throttle_secs=eval_throttle_secs,
    )
    files = [*training_files, *eval_files]
    explained_errors = input_pipeline.explained_errors(files, num_classes=num_classes)
    with explained_errors, explained_divergence(progress, model_dir):
        if first_step < steps:
            if task.is_chief:
                summaries.write_description(
                    model_dir,
                    settings=run_settings(params, batch_size=batch_size, steps=steps, seed=seed),
                    flagfile=flagfile,
                    classes=classes,
                    eval_folder=os.path.basename(estimator.eval_dir()),
                )
            if num_replicas > 1:
                step = f"{batch_size * num_replicas:,} a step" if strategy else "each for itself"
                print(
                    f"Replicas:   {num_replicas} of {batch_size} drawings, {step}; this is {task}"
                )
            result = tf.estimator.train_and_evaluate(estimator, train_spec, eval_spec)
            if result:
                return result[0]
        else:
            print(f"{model_dir} has done {first_step:,} steps already: evaluating")
        if not task.is_chief:
            return None
        # What a cluster's evaluator made of it, if there is one, comes too late to wait for.
        with distribution.without_cluster():
            estimator = tf.estimator.Estimator(
                model.model_fn, params=params, config=tf.estimator.RunConfig(**config)
            )
            result = estimator.evaluate(eval_fn, hooks=[hooks.StopHook(save_to=None)])
        hooks.print_evaluation(result)
        return result


@contextlib.contextmanager
def explained_divergence(progress: hooks.ProgressHook, model_dir: str) -> Iterator[None]:
    """Where training diverges, says what to do, as a ValueError."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.estimator.NanLossDuringTrainingError) as error:
        if model.NOT_FINITE not in str(error) and isinstance(error, tf.errors.OpError):
            raise
        raise ValueError(
            f"training diverged after step {progress.step:,}: {model.NOT_FINITE}. The last good "
            f"checkpoint is in {model_dir}. Lower --learning_rate or --gradient_clipping_norm"
        ) from None


def run_settings(
    params: model.HParams, *, batch_size: int, steps: int, seed: int
) -> dict[str, object]:
    """What a run is, by name: numbers, booleans and text."""
    settings = {
        **dataclasses.asdict(params),
        "batch_size": batch_size,
        "steps": steps,
        "seed": seed,
    }
    return {
        name: model_dirs.flag_value(value) if isinstance(value, tuple) else value
        for name, value in settings.items()
    }


def hparams_from_flags(num_classes: int) -> model.HParams:
    """The flags that are called as the hyper-parameters are."""
    values = {name: flags.FLAGS[name].value for name in _HPARAMS if name in flags.FLAGS}
    if _LEARNING_RATE_SCHEDULE.value == "cosine":
        values["decay_steps"] = _STEPS.value
    params = model.HParams(num_classes=num_classes, **values)
    lstm.choose_kernel(params.cell_type)
    if params.mixed_precision and not tf.config.list_physical_devices("GPU"):
        raise ValueError("--mixed_precision needs a GPU, and TensorFlow sees none here")
    return params


def main() -> int | None:
    tf.compat.v1.disable_eager_execution()
    task = distribution.read_task(_DISTRIBUTION.value)
    if task.num_workers > 1 or task.type != "chief":
        if not _MODEL_DIR.value:
            raise ValueError("a cluster needs --model_dir, the same for all, on shared storage")
        if _EARLY_STOPPING_EVALS.value:
            raise ValueError(
                "--early_stopping_evals works on one machine alone: in a cluster evaluations are "
                "another process's"
            )
    strategy = distribution.make_strategy(_DISTRIBUTION.value) if task.trains else None
    classes = input_pipeline.read_classes(_CLASSES_FILE.value)
    params = hparams_from_flags(len(classes))
    training_files = input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data")
    eval_files = input_pipeline.match_files(_EVAL_DATA.value, flag="--eval_data")
    model_dir = _MODEL_DIR.value or os.path.join("runs", time.strftime("%Y-%m-%d-%H%M%S"))
    print(f"Model:      {model_dir}")
    print(f"Data:       {len(training_files)} + {len(eval_files)} files, {len(classes)} classes")
    settings = run_settings(
        params, batch_size=_BATCH_SIZE.value, steps=_STEPS.value, seed=_SEED.value
    )
    print(f"Settings:   {', '.join(f'{name}={value}' for name, value in settings.items())}")
    if task.type != "ps":  # which ends when it is told to
        hooks.StopHook.install()
    try:
        lock = model_dirs.locked(model_dir) if task.is_chief else contextlib.nullcontext()
        with lock, distribution.explained_errors(task):
            train(
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
                warm_start_from=_WARM_START_FROM.value,
                early_stopping_evals=_EARLY_STOPPING_EVALS.value,
                flagfile="\n".join(
                    flag.serialize() for flag in flags.FLAGS.get_flags_for_module(__name__)
                ),
                task=task,
                strategy=strategy,
                cluster_timeout_secs=_CLUSTER_TIMEOUT_SECS.value,
            )
            if not task.is_chief:
                return None
            exported = exporting.export(
                model_dir,
                checkpoint=model_dirs.best_checkpoint(model_dir)
                or tf.train.latest_checkpoint(model_dir),
                params=params,
                classes=classes,
            )
    except distribution.PeerFailed as error:
        console.fail(str(error))
        return console.EXIT_RETRY
    except hooks.Stopped:
        print(f"Stopped; the same command with --model_dir={model_dir} goes on from here.")
        return 128 + hooks.StopHook.signal_number
    print(f"Checkpoints: {model_dir}")
    print(f"Exported:    {exported}")
    print(f"Look at it:  tensorboard --logdir={model_dir}")
    print(f"Use it:      python classify_drawings.py --model={model_dir} FILE.ndjson")
    return None


if __name__ == "__main__":
    console.run(main, errors=(tf.errors.OpError,))
