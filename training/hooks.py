"""What a training run shows while it goes, and how it is stopped: hooks for Estimator."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Sequence

import tensorflow as tf

from common import estimators, terminal
from common.errors import UserError
from evaluation import evaluate, guesses
from model_folder import best, checkpoints, evaluations
from records import class_list
from training import summaries

# Seconds between two lines of progress.
PROGRESS_SECONDS = 10.0


class ProgressHook(estimators.SessionRunHook):
    """Prints step, loss, drawings a second and time left.

    The rate counts the steps' own time: saving and evaluating in between does not slow it, with
    a `StepEndListener` among the saving listeners.
    """

    def __init__(self, folder: str | None, *, batch_size: int, max_steps: int):
        """Sets what a line says.

        Args:
          folder: whose summaries get the rate too; None for none.
          batch_size: drawings a step.
          max_steps: steps in all.
        """
        self._folder = folder
        self._batch_size = batch_size
        self._max_steps = max_steps
        self.step = 0  # steps done, of all runs

    def begin(self) -> None:
        # Estimator puts the loss, and nothing else, into that collection.
        self._global_step = tf.compat.v1.train.get_global_step()
        (self._loss,) = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.LOSSES)
        count = sum(v.shape.num_elements() for v in tf.compat.v1.trainable_variables())
        print(f"Parameters: {count:,}", flush=True)

    def after_create_session(self, session, coord) -> None:
        self.step = int(session.run(self._global_step))
        self._next_line = 0.0  # the first step is shown, but its time is TensorFlow's start
        self._seconds, self._steps = 0.0, 0

    def before_run(self, run_context) -> estimators.SessionRunArgs:
        self._started = time.monotonic()
        self._ended: float | None = None
        return estimators.SessionRunArgs(self._loss)

    def end_step(self) -> None:
        """Takes note that the step's own work is done: what comes now is not counted."""
        self._ended = time.monotonic()

    def after_run(self, run_context, run_values) -> None:
        now = time.monotonic()
        if self._next_line:
            self._seconds += (self._ended or now) - self._started
            self._steps += 1
        self.step += 1
        if now >= self._next_line or self.step >= self._max_steps:
            self._print_line(run_values.results)
            self._next_line = now + PROGRESS_SECONDS
            self._seconds, self._steps = 0.0, 0

    def _print_line(self, loss: float) -> None:
        line = f"step {self.step:,}/{self._max_steps:,}  loss {loss:.4f}"
        if self._steps:
            seconds_a_step = self._seconds / self._steps
            rate = self._batch_size / seconds_a_step
            if self._folder:
                summaries.write_scalar(self._folder, "drawings_per_second", rate, step=self.step)
            left = terminal.duration((self._max_steps - self.step) * seconds_a_step)
            line += f"  {rate:,.0f} drawings/s  {left} left"
        print(line, flush=True)


class StepEndListener(estimators.CheckpointSaverListener):
    """Tells a `ProgressHook` that saving begins, which is done before its turn comes."""

    def __init__(self, progress: ProgressHook):
        self._progress = progress

    def before_save(self, session, global_step_value) -> None:
        self._progress.end_step()


class Stopped(Exception):
    """The user or a scheduler asked the run to stop, by the signal of that number."""

    def __init__(self, number: int):
        super().__init__(f"signal {number}")
        self.number = number


class StopSignal:
    """Makes the first SIGINT, SIGTERM or SIGHUP a `Stopped`; the second acts as it always does.

    Raised at once, or, while a `StopHook` has a session, by that hook after the session's step.
    A SIGHUP that was ignored before, as under `nohup`, is ignored still.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        # Those with a session: a run evaluates in the midst of training.
        self.hooks: set[StopHook] = set()

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self.number = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes may send several
        if not self.hooks:
            raise Stopped(number)
        print("\nStopping after this step; once more to stop at once.", flush=True)


class StopHook(estimators.SessionRunHook):
    """Ends a session after the step in which a signal came, with a checkpoint."""

    def __init__(self, stop: StopSignal, *, save_to: str | None):
        """Saves to that folder; None where there is nothing to save, as in evaluation."""
        self._stop = stop
        self._save_to = save_to

    def after_create_session(self, session, coord) -> None:
        self._stop.hooks.add(self)  # once, however often the session is made anew

    def after_run(self, run_context, run_values) -> None:
        if self._stop.number is None:
            return
        if self._save_to:
            (saver,) = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.SAVERS)
            step = tf.compat.v1.train.get_global_step()
            path = os.path.join(self._save_to, "model.ckpt")
            saver.save(run_context.session, path, step, write_meta_graph=False)
        raise Stopped(self._stop.number)

    def end(self, session) -> None:
        self._stop.hooks.discard(self)


class EarlyStopHook(estimators.SessionRunHook):
    """Ends training when `patience` evaluations in a row brought nothing better."""

    def __init__(self, recorder: EvaluationRecorder, *, patience: int):
        self._recorder = recorder
        self._patience = patience

    def after_run(self, run_context, run_values) -> None:
        if self._recorder.num_since_best >= self._patience:
            print(f"No better in {self._patience} evaluations: stopping early", flush=True)
            run_context.request_stop()


class PinCheckpointHook(estimators.SessionRunHook):
    """Copies the checkpoint that an evaluator begins to evaluate to where the best is kept.

    The chief deletes old checkpoints, and an evaluation may take longer than it keeps them. The
    copy goes when the evaluation is recorded and another checkpoint is better.
    """

    def __init__(self, model_dir: str):
        self._model_dir = model_dir

    def after_create_session(self, session, coord) -> None:
        step = int(session.run(tf.compat.v1.train.get_global_step()))
        best.pin(checkpoints.path_of(self._model_dir, step))


class BeginEvaluationHook(estimators.SessionRunHook):
    """Takes note that a run evaluates, for its next start if it is killed meanwhile."""

    def __init__(self, model_dir: str):
        self._model_dir = model_dir

    def after_create_session(self, session, coord) -> None:
        step = session.run(tf.compat.v1.train.get_global_step())
        evaluations.begin_evaluation(self._model_dir, int(step))


def check_records(classes: Sequence[str], files: Sequence[str]) -> None:
    """Makes sure that the records are still those of the class list.

    Raises:
      UserError: other ones were written in their place.
    """
    try:
        class_list.check_beside_records(classes, files, what="the model is")
    except UserError as error:
        raise UserError(
            f"{error}. Other records were written in the place of those that training read, and it "
            "may have learnt wrong words: begin anew, with another --model_dir"
        ) from None


class EvaluationRecorder(estimators.Exporter):
    """Prints, records and pictures each evaluation and keeps the best checkpoint.

    As an exporter, because Estimator hands its results to exporters alone.
    """

    name = "after_evaluation"

    def __init__(
        self,
        collector: guesses.CollectGuesses,
        *,
        classes: Sequence[str],
        training_files: Sequence[str],
        eval_files: Sequence[str],
        by_evaluator: bool = False,
    ):
        """`collector` is a hook of the evaluations; a cluster's evaluator says that it is one."""
        self._collector = collector
        self._classes = classes
        self._training_files = training_files
        self._eval_files = eval_files
        self._by_evaluator = by_evaluator
        self._first = True
        self.num_since_best = 0

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        evaluate.check_finite(eval_result, checkpoint=checkpoint_path)
        check_records(self._classes, [*self._training_files, *self._eval_files])
        evaluate.print_result(eval_result)
        # Before the pictures: whatever happens to them, the best is kept.
        self.num_since_best = best.add_evaluation(
            estimator.model_dir,
            eval_result,
            checkpoint=checkpoint_path,
            data=evaluations.name_data(self._eval_files),
            by_evaluator=self._by_evaluator,
        )
        step = int(eval_result["global_step"])
        folder = estimator.eval_dir()
        rate = eval_result["drawings"] / self._collector.seconds
        summaries.write_scalar(folder, "drawings_per_second", rate, step=step)
        summaries.write_guesses(
            folder,
            estimator.model_dir,
            self._collector.guesses(),
            classes=self._classes,
            step=step,
            first=self._first,
        )
        self._first = False
        gc.collect()  # the evaluation's graph, about 5 MB; by itself Python does it after a dozen
