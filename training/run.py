"""A training run from its first step to its last evaluation, through Estimator."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

import input_pipeline
import model
from common import errors, estimators
from common.errors import UserError
from common.settings import Settings, flag_value, rules, setting
from evaluation import guesses
from model_folder import best, checkpoints, description, evaluations
from network import optimiser
from records import damage
from training import cluster, distribution, hooks, summaries, tf_config, warm_start

# Steps between two summaries for TensorBoard.
SUMMARY_STEPS = 100

# Drawings evaluated at once: the results are those of any other number, and fewer would be slower.
EVAL_BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class TrainingData(Settings):
    """Which drawings the network is shown, how many, and in which order."""

    batch_size: int = setting(8, "Drawings per step.", at_least=1)
    steps: int = setting(100000, "Total training steps.", at_least=1)
    seed: int = setting(
        0,
        "Seed of the initial weights, the batches and dropout.",
        at_least=0,
        at_most=2**31 - 10,
    )
    distortion: float = setting(
        0.0,
        "Data augmentation: how much training drawings are distorted; 1 is how much hands differ.",
        at_least=0,
        at_most=4,
    )
    stroke_variation: float = setting(
        0.0,
        "Data augmentation: how much the direction, order, place and size of strokes vary in "
        "training; 1 is how much hands differ.",
        at_least=0,
        at_most=4,
    )
    beginnings: float = setting(
        0.0,
        "Data augmentation: share of the training drawings cut off after some of their strokes.",
        at_least=0,
        at_most=1,
    )
    class_balance: float = setting(
        0.0,
        "Logit adjustment: how far guesses ignore how frequent each class was in training, from 0 "
        "(not at all) to 1 (completely).",
        at_least=0,
        at_most=1,
    )


@dataclasses.dataclass(frozen=True)
class Cadence(Settings):
    """How often the network is saved and evaluated."""

    save_checkpoints_steps: int = setting(2000, "Steps between checkpoints.", at_least=1)
    keep_checkpoint_max: int = setting(5, "Recent checkpoints to keep; 0 for all.", at_least=0)
    eval_throttle_secs: int = setting(
        600, "Least seconds between evaluations; the last checkpoint always has one.", at_least=0
    )
    early_stopping_evals: int = setting(
        0,
        "Stop after this many evaluations in a row without a better one; 0 for never.",
        at_least=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run(distribution.Distribution, Cadence, TrainingData):
    """What a run is to do."""

    training_files: Sequence[str]
    eval_files: Sequence[str]
    classes: Sequence[str]
    params: model.HParams
    model_dir: str
    warm_start_from: str = ""
    flagfile: str = ""  # the flags as --flagfile would read them, for TensorBoard
    task: tf_config.Task = tf_config.Task()

    @property
    def settings(self) -> dict[str, Any]:
        """What the result depends on, by name: numbers, booleans and text."""
        values = dataclasses.asdict(self.params)
        values.update({name: getattr(self, name) for name in rules(TrainingData)})
        return {
            name: flag_value(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


@dataclasses.dataclass(frozen=True)
class Execution:
    """What this process carries a run out with.

    Attributes:
      strategy: of several devices or machines.
      session_config: of all sessions, where TensorFlow's own is not wanted.
      stop: tells that the run is to stop.
    """

    strategy: tf.distribute.Strategy | None = None
    session_config: tf.compat.v1.ConfigProto | None = None
    stop: hooks.StopSignal = dataclasses.field(default_factory=hooks.StopSignal)

    def num_replicas(self, run: Run) -> int:
        return self.strategy.num_replicas_in_sync if self.strategy else run.task.num_workers


def train(run: Run, execution: Execution | None = None) -> Mapping[str, Any] | None:
    """Trains up to `steps` in all, evaluating on the way and at the end.

    Args:
      run: what to do.
      execution: by default on one device, in a process that stops at no signal.

    Returns:
      The last evaluation; None in processes of a cluster that are not its chief.

    Raises:
      ValueError: data, folder or hyper-parameters do not fit, or training diverged.
      hooks.Stopped: a signal came; a checkpoint of the last step is saved.
    """
    execution = execution or Execution()
    for flag, files in (("--training_data", run.training_files), ("--eval_data", run.eval_files)):
        damage.check_first_records(files, num_classes=len(run.classes), flag=flag)
    say_if_data_changed(run)
    if run.task.is_chief:
        best.bring_back(run.model_dir)
        checkpoints.repair(run.model_dir)
    first_step = last_step(run.model_dir)
    progress = hooks.ProgressHook(
        run.model_dir if run.task.is_chief else None,
        batch_size=run.batch_size * execution.num_replicas(run),
        max_steps=run.steps,
    )
    bad_records_named = damage.bad_records_named(
        [*run.training_files, *run.eval_files], num_classes=len(run.classes)
    )
    with (
        bad_records_named,
        summaries.failed_writes_explained(),
        divergence_explained(progress, run.model_dir),
        tempfile.TemporaryDirectory(prefix="drawings-") as scratch,
    ):
        start_from = find_first_weights(run, scratch=scratch)
        if run.task.is_chief:
            description.prepare(run.model_dir, params=run.params, classes=run.classes)
            if run.task.num_workers == 1:
                for folder in (run.model_dir, os.path.join(run.model_dir, evaluations.BEST_FOLDER)):
                    checkpoints.remove_left_overs(folder)
        if first_step < run.steps:
            if first_step and evaluations.cut_off_evaluation(run.model_dir) == first_step:
                print(f"The evaluation at step {first_step:,} was cut off: evaluating", flush=True)
                evaluate_last(run, execution)
            estimator = make_estimator(run, execution, start_from=start_from)
            describe(run, execution, eval_folder=os.path.basename(estimator.eval_dir()))
            specs = make_specs(run, execution.stop, progress=progress, first_step=first_step)
            result = train_and_evaluate(run, estimator, *specs)
            if result:
                return result[0]
        else:
            print(f"{run.model_dir} has done {first_step:,} steps already: evaluating", flush=True)
        if not run.task.is_chief:
            return None
        last = evaluate_last(run, execution)
        checkpoints.remove_worker_folders(run.model_dir)
        return last


def train_and_evaluate(
    run: Run,
    estimator: estimators.Estimator,
    train_spec: estimators.TrainSpec,
    eval_spec: estimators.EvalSpec,
) -> tuple[Mapping[str, Any], Sequence[Any]] | None:
    """Does what Estimator's function does; an evaluator outlives the checkpoints it reads."""
    while True:
        try:
            return estimators.train_and_evaluate(estimator, train_spec, eval_spec)
        except (tf.errors.NotFoundError, FileNotFoundError) as error:
            if run.task.type != "evaluator":
                raise
            reason = errors.reason(error)
            print(f"A checkpoint was deleted while it was read ({reason}): taking the next")


def say_if_data_changed(run: Run) -> None:
    """Says where earlier evaluations will not be compared with those of this run.

    Raises:
      ValueError: the file of them is damaged: better noticed now than in the end.
    """
    before = [one.get("data") for one in evaluations.read_evaluations(run.model_dir)]
    if before and before[-1] not in (None, evaluations.name_data(run.eval_files)):
        print("The evaluation data are others than before: the best is looked for anew", flush=True)


def last_step(model_dir: str) -> int:
    """Returns the step of the last checkpoint; 0 before there is one."""
    checkpoint = checkpoints.latest(model_dir)
    return checkpoints.global_step(checkpoint) if checkpoint else 0


def find_first_weights(run: Run, *, scratch: str) -> estimators.WarmStartSettings | None:
    """Finds what a new run is to start from; `scratch` must stay while it trains."""
    if not run.warm_start_from or checkpoints.latest(run.model_dir):
        return None
    return warm_start.settings(
        run.warm_start_from,
        params=run.params,
        classes=run.classes,
        training_files=run.training_files,
        scratch=scratch,
    )


def evaluate_last(run: Run, execution: Execution) -> Mapping[str, Any]:
    """Evaluates and records the last checkpoint.

    In a cluster it is the chief's to do, and what its evaluator makes of it, if there is one, is
    not waited for; of a run that was killed in its last evaluation the next start makes up for it.
    """
    with tf_config.without_cluster():
        estimator = make_estimator(run, dataclasses.replace(execution, strategy=None))
        collector = guesses.CollectGuesses(kept_inks=guesses.KEPT_EMBEDDINGS)
        result = estimator.evaluate(
            eval_input_fn(run), hooks=[hooks.StopHook(execution.stop, save_to=None), collector]
        )
        make_recorder(run, collector).export(
            estimator, None, checkpoints.latest(run.model_dir), result, True
        )
    return result


def make_estimator(
    run: Run,
    execution: Execution,
    *,
    start_from: estimators.WarmStartSettings | None = None,
) -> estimators.Estimator:
    return estimators.Estimator(
        model.model_fn,
        params=run.params,
        warm_start_from=start_from,
        config=estimators.RunConfig(
            model_dir=run.model_dir,
            tf_random_seed=run.seed,
            save_checkpoints_steps=run.save_checkpoints_steps,
            keep_checkpoint_max=run.keep_checkpoint_max or None,
            save_summary_steps=SUMMARY_STEPS,
            checkpoint_save_graph_def=False,  # TensorBoard has the graph
            session_config=execution.session_config,
            train_distribute=execution.strategy,
            session_creation_timeout_secs=run.cluster_timeout_secs,
            experimental_max_worker_delay_secs=0,
        ),
    )


def describe(run: Run, execution: Execution, *, eval_folder: str) -> None:
    """Says on the screen and in TensorBoard what the run is."""
    count = execution.num_replicas(run)
    if count > 1:
        print(
            f"Replicas:   {count} of {run.batch_size} drawings, {count * run.batch_size:,} a step; "
            f"this is {run.task}",
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
    run: Run, stop: hooks.StopSignal, *, progress: hooks.ProgressHook, first_step: int
) -> tuple[estimators.TrainSpec, estimators.EvalSpec]:
    """Makes what Estimator trains and evaluates with."""
    collector = guesses.CollectGuesses(kept_inks=guesses.KEPT_EMBEDDINGS)
    recorder = make_recorder(run, collector, by_evaluator=run.task.type == "evaluator")
    train_spec = estimators.TrainSpec(
        input_pipeline.training_input_fn(
            run.training_files,
            batch_size=run.batch_size,
            num_classes=len(run.classes),
            seed=run.seed + first_step,  # a resumed run does not see the same batches
            part=run.task.worker,
            num_parts=run.task.num_workers,
            distortion=run.distortion,
            stroke_variation=run.stroke_variation,
            beginnings=run.beginnings,
            class_balance=run.class_balance,
        ),
        max_steps=run.steps,
        hooks=[progress, *training_hooks(run, stop, recorder)],
        # Estimator refuses listeners where the processes of a cluster train synchronously.
        saving_listeners=[hooks.StepEndListener(progress)] if run.task.num_workers == 1 else None,
    )
    eval_spec = estimators.EvalSpec(
        eval_input_fn(run),
        steps=None,  # all of them
        hooks=[hooks.StopHook(stop, save_to=None), collector, *evaluation_hooks(run)],
        exporters=[recorder],
        start_delay_secs=0,
        throttle_secs=run.eval_throttle_secs,
    )
    return train_spec, eval_spec


def training_hooks(
    run: Run, stop: hooks.StopSignal, recorder: hooks.EvaluationRecorder
) -> Iterator[estimators.SessionRunHook]:
    yield hooks.StopHook(stop, save_to=run.model_dir if run.task.is_chief else None)
    if run.task.is_chief:
        yield summaries.PicturesHook(run.model_dir, classes=run.classes)
    if run.task.trains and run.task.num_workers > 1:
        yield cluster_hook(run)
    if run.early_stopping_evals:
        yield hooks.EarlyStopHook(recorder, patience=run.early_stopping_evals)


def evaluation_hooks(run: Run) -> Iterator[estimators.SessionRunHook]:
    if run.task.is_chief and run.task.num_workers == 1:
        # In a cluster the evaluator begins again by itself.
        yield hooks.BeginEvaluationHook(run.model_dir)
    if run.task.type == "evaluator":
        yield hooks.PinCheckpointHook(run.model_dir)


def cluster_hook(run: Run) -> cluster.ClusterHook:
    def is_done() -> bool:
        # The chief itself still has to end its session, evaluate and export.
        return not run.task.is_chief and last_step(run.model_dir) >= run.steps

    return cluster.ClusterHook(patience=run.cluster_timeout_secs, is_done=is_done)


def make_recorder(
    run: Run, collector: guesses.CollectGuesses, **options: bool
) -> hooks.EvaluationRecorder:
    return hooks.EvaluationRecorder(
        collector,
        classes=run.classes,
        training_files=run.training_files,
        eval_files=run.eval_files,
        **options,
    )


def eval_input_fn(run: Run) -> input_pipeline.InputFn:
    return input_pipeline.eval_input_fn(
        run.eval_files, batch_size=EVAL_BATCH_SIZE, num_classes=len(run.classes)
    )


@contextlib.contextmanager
def divergence_explained(progress: hooks.ProgressHook, model_dir: str) -> Iterator[None]:
    """Where training diverges, says what to do, as a ValueError."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, estimators.NanLossDuringTrainingError) as error:
        if optimiser.NOT_FINITE not in str(error) and isinstance(error, tf.errors.OpError):
            raise
        raise UserError(
            f"training diverged after step {progress.step:,}: {optimiser.NOT_FINITE}. Begin anew "
            "with a lower --learning_rate or --gradient_clipping_norm, and another --model_dir; "
            f"--warm_start_from={model_dir} takes the weights of its last checkpoint along"
        ) from None
