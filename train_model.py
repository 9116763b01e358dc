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

from common import console, locks

import tensorflow as tf
from absl import flags

import input_pipeline
import model
from evaluation import outcomes
from network import lstm
from serving import exporting
from training import distribution, hooks, model_dirs, summaries


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
    "mixed_precision",
    _HPARAMS["mixed_precision"],
    "Half-precision products: float16 on a GPU; bfloat16 on a CPU that has AVX512_BF16 or AMX.",
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


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run is to do; the flags of these names say what each means."""

    training_files: Sequence[str]
    eval_files: Sequence[str]
    classes: Sequence[str]
    params: model.HParams
    model_dir: str
    steps: int
    batch_size: int
    save_checkpoints_steps: int
    keep_checkpoint_max: int
    eval_throttle_secs: int
    seed: int
    warm_start_from: str = ""
    early_stopping_evals: int = 0
    flagfile: str = ""  # the flags as --flagfile would read them, for TensorBoard
    task: distribution.Task = distribution.Task()
    strategy: tf.distribute.Strategy | None = None
    session_config: tf.compat.v1.ConfigProto | None = None
    cluster_timeout_secs: int = 600

    @property
    def num_replicas(self) -> int:
        return self.strategy.num_replicas_in_sync if self.strategy else self.task.num_workers

    @property
    def step_size(self) -> int:
        """Drawings a step; replicas in step with each other take one together."""
        return self.batch_size * (self.num_replicas if self.strategy else 1)

    @property
    def settings(self) -> dict[str, object]:
        """What the run is, by name: numbers, booleans and text."""
        settings = {
            **dataclasses.asdict(self.params),
            "batch_size": self.batch_size,
            "steps": self.steps,
            "seed": self.seed,
        }
        return {
            name: model_dirs.flag_value(value) if isinstance(value, tuple) else value
            for name, value in settings.items()
        }


def train(run: Run) -> dict[str, float] | None:
    """Trains up to `steps` in all, evaluating on the way and at the end.

    Returns:
      The last evaluation; None in processes of a cluster that are not its chief.

    Raises:
      ValueError: data, folder or hyper-parameters do not fit, or training diverged.
      hooks.Stopped: a signal came; a checkpoint of the last step is saved.
    """
    for flag, files in (("--training_data", run.training_files), ("--eval_data", run.eval_files)):
        input_pipeline.check_first_records(files, num_classes=len(run.classes), flag=flag)
    if run.task.is_chief:
        model_dirs.drop_broken_checkpoints(run.model_dir)
    checkpoint = tf.train.latest_checkpoint(run.model_dir)
    first_step = int(tf.train.load_variable(checkpoint, "global_step")) if checkpoint else 0
    warm_start = None
    if run.warm_start_from and not checkpoint:
        warm_start = warm_start_settings(run)
    if run.task.is_chief:
        model_dirs.prepare(run.model_dir, params=run.params, classes=run.classes)
    estimator = make_estimator(run, warm_start=warm_start)
    progress = hooks.ProgressHook(
        run.model_dir if run.task.is_chief else None, batch_size=run.step_size, max_steps=run.steps
    )
    explained_errors = input_pipeline.explained_errors(
        [*run.training_files, *run.eval_files], num_classes=len(run.classes)
    )
    with explained_errors, explained_divergence(progress, run.model_dir):
        if first_step < run.steps:
            describe(run, eval_folder=os.path.basename(estimator.eval_dir()))
            specs = make_specs(run, progress=progress, first_step=first_step)
            result = tf.estimator.train_and_evaluate(estimator, *specs)
            if result:
                return result[0]
        else:
            print(f"{run.model_dir} has done {first_step:,} steps already: evaluating")
        if not run.task.is_chief:
            return None
        # In a cluster, what its evaluator makes of it, if there is one, is not waited for.
        with distribution.without_cluster():
            estimator = make_estimator(dataclasses.replace(run, strategy=None))
            result = estimator.evaluate(eval_input_fn(run), hooks=[hooks.StopHook(save_to=None)])
        hooks.print_evaluation(result)
        return result


def warm_start_settings(run: Run) -> tf.estimator.WarmStartSettings:
    names = model_dirs.check_warm_start(run.warm_start_from, params=run.params)
    print(f"Starting from {run.warm_start_from}: {len(names)} variables", flush=True)
    return tf.estimator.WarmStartSettings(
        run.warm_start_from, vars_to_warm_start=[f"^{name}:0$" for name in names]
    )


def make_estimator(
    run: Run, *, warm_start: tf.estimator.WarmStartSettings | None = None
) -> tf.estimator.Estimator:
    return tf.estimator.Estimator(
        model.model_fn,
        params=run.params,
        warm_start_from=warm_start,
        config=tf.estimator.RunConfig(
            model_dir=run.model_dir,
            tf_random_seed=run.seed,
            save_checkpoints_steps=run.save_checkpoints_steps,
            keep_checkpoint_max=run.keep_checkpoint_max or None,
            save_summary_steps=SUMMARY_STEPS,
            session_config=run.session_config,
            train_distribute=run.strategy,
            session_creation_timeout_secs=run.cluster_timeout_secs,
            experimental_max_worker_delay_secs=0,
        ),
    )


def describe(run: Run, *, eval_folder: str) -> None:
    """Says on the screen and in TensorBoard what the run is."""
    if run.num_replicas > 1:
        step = f"{run.step_size:,} a step" if run.strategy else "each for itself"
        print(
            f"Replicas:   {run.num_replicas} of {run.batch_size} drawings, {step}; this is "
            f"{run.task}",
            flush=True,
        )
    if run.task.is_chief:
        summaries.write_description(
            run.model_dir,
            settings=run.settings,
            flagfile=run.flagfile,
            classes=run.classes,
            eval_folder=eval_folder,
        )


def make_specs(
    run: Run, *, progress: hooks.ProgressHook, first_step: int
) -> tuple[tf.estimator.TrainSpec, tf.estimator.EvalSpec]:
    """What Estimator trains and evaluates with."""
    alone = run.task.num_workers == 1
    collector = outcomes.CollectOutcomes(kept_inks=outcomes.KEPT_EMBEDDINGS)
    after_evaluation = hooks.AfterEvaluation(collector, classes=run.classes)
    training_hooks = [
        progress,
        hooks.StopHook(save_to=run.model_dir if run.task.is_chief else None),
    ]
    if run.task.is_chief:
        training_hooks.append(summaries.PicturesHook(run.model_dir, classes=run.classes))
    if run.task.trains and not alone:
        training_hooks.append(
            hooks.ClusterHook(patience=run.cluster_timeout_secs, in_step=run.strategy is not None)
        )
    if run.early_stopping_evals:
        training_hooks.append(
            hooks.EarlyStopHook(after_evaluation, patience=run.early_stopping_evals)
        )
    train_spec = tf.estimator.TrainSpec(
        input_pipeline.training_input_fn(
            run.training_files,
            batch_size=run.batch_size,
            num_classes=len(run.classes),
            seed=run.seed + first_step,  # a resumed run does not see the same batches
            part=run.task.worker,
            num_parts=run.task.num_workers,
        ),
        max_steps=run.steps,
        hooks=training_hooks,
        # Estimator refuses listeners where the processes of a cluster train in step.
        saving_listeners=[hooks.StepEnd(progress)] if alone else None,
    )
    eval_spec = tf.estimator.EvalSpec(
        eval_input_fn(run),
        steps=None,  # all of them
        hooks=[hooks.StopHook(save_to=None), collector],
        exporters=[after_evaluation],
        start_delay_secs=0,
        throttle_secs=run.eval_throttle_secs,
    )
    return train_spec, eval_spec


def eval_input_fn(run: Run) -> input_pipeline.InputFn:
    return input_pipeline.eval_input_fn(
        run.eval_files, batch_size=EVAL_BATCH_SIZE, num_classes=len(run.classes)
    )


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


def hparams_from_flags(num_classes: int) -> model.HParams:
    """The flags that are called as the hyper-parameters are."""
    values = {name: flags.FLAGS[name].value for name in _HPARAMS if name in flags.FLAGS}
    if _LEARNING_RATE_SCHEDULE.value == "cosine":
        values["decay_steps"] = _STEPS.value
    return model.HParams(num_classes=num_classes, **values)


def check_hardware(params: model.HParams) -> None:
    """Raises ValueError if this machine cannot train so."""
    kernel = lstm.choose_kernel(params.cell_type)
    if params.mixed_precision and not lstm.has_gpu():
        if not lstm.cpu_has_bfloat16():
            raise ValueError(
                "--mixed_precision needs a GPU or a CPU that multiplies bfloat16 (AVX512_BF16 or "
                "AMX), and there is neither here"
            )
        if kernel != "block_lstm":
            raise ValueError(
                f"--mixed_precision on a CPU is for block_lstm, not --cell_type={kernel}; leave "
                "one of the two flags out"
            )


def describe_kernel(params: model.HParams) -> str:
    """What computes the recurrence on this machine, and whether it could be faster."""
    kernel = lstm.choose_kernel(params.cell_type)
    if params.mixed_precision:
        return f"{kernel}, products in {'float16' if lstm.has_gpu() else 'bfloat16'}"
    if kernel == "block_lstm" and not lstm.has_gpu() and lstm.cpu_has_bfloat16():
        return f"{kernel}; --mixed_precision is faster on this CPU"
    return kernel


def run_from_flags() -> Run:
    """The run that the flags describe.

    Raises:
      ValueError: they do not fit each other, this machine or the files.
    """
    task = distribution.read_task(_DISTRIBUTION.value)
    if task.num_workers > 1 or not task.is_chief:
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
    if task.trains:  # an evaluator or a parameter server may well be a smaller machine
        check_hardware(params)
    return Run(
        training_files=input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data"),
        eval_files=input_pipeline.match_files(_EVAL_DATA.value, flag="--eval_data"),
        classes=classes,
        params=params,
        model_dir=_MODEL_DIR.value or os.path.join("runs", time.strftime("%Y-%m-%d-%H%M%S")),
        steps=_STEPS.value,
        batch_size=_BATCH_SIZE.value,
        save_checkpoints_steps=_SAVE_CHECKPOINTS_STEPS.value,
        keep_checkpoint_max=_KEEP_CHECKPOINT_MAX.value,
        eval_throttle_secs=_EVAL_THROTTLE_SECS.value,
        seed=_SEED.value,
        warm_start_from=_WARM_START_FROM.value,
        early_stopping_evals=_EARLY_STOPPING_EVALS.value,
        flagfile="\n".join(f.serialize() for f in flags.FLAGS.get_flags_for_module(__name__)),
        task=task,
        strategy=strategy,
        cluster_timeout_secs=_CLUSTER_TIMEOUT_SECS.value,
    )


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
        print(f"Kernel:     {describe_kernel(run.params)}")
    if run.task.type != "ps":  # which ends when it is told to
        hooks.StopHook.install()
    lock = contextlib.nullcontext()
    if run.task.is_chief:
        busy = "another run is training there; wait for it, or give another --model_dir"
        lock = locks.only_writer(run.model_dir, busy=busy)
    try:
        with lock, distribution.explained_errors(run.task):
            train(run)
            if not run.task.is_chief:
                return None
            params, classes, checkpoint = model_dirs.find_model(run.model_dir)
            exported = exporting.export(
                run.model_dir, checkpoint=checkpoint, params=params, classes=classes
            )
    except distribution.PeerFailed as error:
        console.fail(str(error))
        return console.EXIT_RETRY
    except hooks.Stopped:
        print(f"Stopped; the same command with --model_dir={run.model_dir} goes on from here.")
        return 128 + hooks.StopHook.signal_number
    print(f"Checkpoints: {run.model_dir}")
    print(f"Exported:    {exported}")
    print(f"Look at it:  tensorboard --logdir={run.model_dir}")
    print(f"Use it:      python classify_drawings.py --model={run.model_dir} FILE.ndjson")
    return None


if __name__ == "__main__":
    console.run(main, errors=(tf.errors.OpError,))
