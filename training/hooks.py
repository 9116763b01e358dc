"""What a training run shows while it goes, and how it is stopped: hooks for Estimator."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence

from common import console

import tensorflow as tf

from evaluation import outcomes
from training import distribution, model_dirs, summaries

# Seconds between two lines of progress.
PROGRESS_SECONDS = 10.0

# Seconds from one look to the next at the other processes of a cluster, and for each to answer:
# less than a process needs to start again, so that it is missed meanwhile.
PROBE_SECONDS = 0.5

# Seconds from one look at the chief to the next, where each trains at its own pace.
CHIEF_SECONDS = 2.0


class ProgressHook(tf.estimator.SessionRunHook):
    """Prints step, loss, drawings a second and time left.

    The rate counts the steps' own time: saving and evaluating in between does not slow it, with
    a `StepEnd` among the saving listeners.
    """

    def __init__(self, folder: str | None, *, batch_size: int, max_steps: int):
        """Of `batch_size` drawings a step; the rate goes into that folder's summaries too."""
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

    def before_run(self, run_context) -> tf.estimator.SessionRunArgs:
        self._started, self._ended = time.monotonic(), None
        return tf.estimator.SessionRunArgs([self._loss, self._global_step])

    def end_step(self) -> None:
        """The step's own work is done: what comes now is not counted."""
        self._ended = time.monotonic()

    def after_run(self, run_context, run_values) -> None:
        now = time.monotonic()
        loss, global_step = run_values.results
        # Of other processes' steps, the ones before this one was read are known.
        step = max(self.step + 1, int(global_step))
        if self._next_line:
            self._seconds += (self._ended or now) - self._started
            self._steps += step - self.step
        self.step = step
        if now >= self._next_line or self.step >= self._max_steps:
            self._print_line(loss)
            self._next_line = now + PROGRESS_SECONDS
            self._seconds, self._steps = 0.0, 0

    def _print_line(self, loss: float) -> None:
        line = f"step {self.step:,}/{self._max_steps:,}  loss {loss:.4f}"
        if self._steps:
            seconds_a_step = self._seconds / self._steps
            rate = self._batch_size / seconds_a_step
            if self._folder:
                summaries.write_scalar(self._folder, "drawings_per_second", rate, step=self.step)
            left = console.duration((self._max_steps - self.step) * seconds_a_step)
            line += f"  {rate:,.0f} drawings/s  {left} left"
        print(line, flush=True)


class StepEnd(tf.estimator.CheckpointSaverListener):
    """Tells a `ProgressHook` that saving begins, which is done before its turn comes."""

    def __init__(self, progress: ProgressHook):
        self._progress = progress

    def before_save(self, session, global_step_value) -> None:
        self._progress.end_step()


class ClusterHook(tf.estimator.SessionRunHook):
    """Ends the process when others of its cluster are missing, so that it can be started again.

    TensorFlow itself would wait for hours, in calls that nothing interrupts: for one that does not
    come, and, where all train in step, for one that was started again by itself.

    Where each trains at its own pace, it pauses while the chief is gone: when that comes back, it
    takes up its last checkpoint for all, and what was done meanwhile would be lost.
    """

    def __init__(self, *, patience: float, in_step: bool):
        """Waits so many seconds for a step; in step, only as long as all that came are there."""
        self._patience = patience
        self._in_step = in_step
        self._last_step = time.monotonic()
        self._ended = False
        self._chief_is_gone = False
        threading.Thread(target=self._watch, daemon=True).start()
        if not in_step:
            threading.Thread(target=self._watch_chief, daemon=True).start()

    def before_run(self, run_context) -> None:
        while self._chief_is_gone:
            time.sleep(PROBE_SECONDS)

    def after_run(self, run_context, run_values) -> None:
        self._last_step = time.monotonic()

    def end(self, session) -> None:
        self._ended = True

    def _watch(self) -> None:
        came, silent_before = set(), set()
        while not self._ended:
            time.sleep(PROBE_SECONDS)
            waited = time.monotonic() - self._last_step
            if waited < 2 * PROBE_SECONDS:
                continue
            answers = distribution.probe(seconds=PROBE_SECONDS)
            came |= {name for name, answer in answers.items() if answer == "there"}
            gone = {name for name in came if answers[name] == "gone"}
            silent = {name for name in came if answers[name] == "silent"}
            lost = gone | silent & silent_before  # a network may lose one packet
            silent_before = silent
            if self._ended:
                return
            if self._in_step and lost:
                self._give_up(f"{', '.join(sorted(lost))} is gone")
            if waited > self._patience:
                missing = [name for name, answer in answers.items() if answer != "there"]
                what = (
                    f"no connection to {', '.join(missing)}" if missing else "all others are there"
                )
                self._give_up(
                    f"no step was done in {self._patience:,.0f} seconds; {what}. Start what is "
                    "missing, or give a longer --cluster_timeout_secs"
                )

    def _watch_chief(self) -> None:
        came = False
        while not self._ended:
            time.sleep(CHIEF_SECONDS)
            answers = distribution.probe(seconds=PROBE_SECONDS, only="chief").values()
            came |= "there" in answers
            self._chief_is_gone = came and "gone" in answers

    @staticmethod
    def _give_up(message: str) -> None:
        console.fail(f"{message}; started again, this process goes on from the last checkpoint")
        os._exit(console.EXIT_RETRY)


class Stopped(Exception):
    """The user or a scheduler asked the run to stop."""


class StopHook(tf.estimator.SessionRunHook):
    """Ends a session after the step in which SIGINT or SIGTERM came, with a checkpoint.

    The second signal acts as it would have without the hook.
    """

    signal_number: int | None = None

    @classmethod
    def install(cls) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, cls._on_signal)

    @classmethod
    def _on_signal(cls, number: int, frame: object) -> None:
        print("\nStopping after this step; once more to stop at once.", flush=True)
        cls.signal_number = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def __init__(self, *, save_to: str | None):
        """Saves to that folder; None where there is nothing to save, as in evaluation."""
        self._save_to = save_to

    def after_run(self, run_context, run_values) -> None:
        if StopHook.signal_number is None:
            return
        if self._save_to:
            (saver,) = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.SAVERS)
            step = tf.compat.v1.train.get_global_step()
            saver.save(run_context.session, os.path.join(self._save_to, "model.ckpt"), step)
        raise Stopped


class EarlyStopHook(tf.estimator.SessionRunHook):
    """Ends training when so many evaluations in a row brought nothing better."""

    def __init__(self, after_evaluation: AfterEvaluation, *, patience: int):
        self._after_evaluation = after_evaluation
        self._patience = patience

    def after_run(self, run_context, run_values) -> None:
        if self._after_evaluation.num_since_best >= self._patience:
            print(f"No better in {self._patience} evaluations: stopping early", flush=True)
            run_context.request_stop()


class AfterEvaluation(tf.estimator.Exporter):
    """Prints, records and pictures each evaluation and keeps the best checkpoint.

    As an exporter, because Estimator hands its results to exporters alone.
    """

    name = "after_evaluation"

    def __init__(self, collector: outcomes.CollectOutcomes, *, classes: Sequence[str]):
        """`collector` is a hook of the evaluations."""
        self._collector = collector
        self._classes = classes
        self._first = True
        self.num_since_best = 0

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        print_evaluation(eval_result)
        step = int(eval_result["global_step"])
        folder = estimator.eval_dir()
        rate = eval_result["drawings"] / self._collector.seconds
        summaries.write_scalar(folder, "drawings_per_second", rate, step=step)
        summaries.write_outcomes(
            folder,
            estimator.model_dir,
            self._collector.outcomes(),
            classes=self._classes,
            step=step,
            first=self._first,
        )
        self._first = False
        self.num_since_best = model_dirs.add_evaluation(
            estimator.model_dir, eval_result, checkpoint=checkpoint_path
        )


def print_evaluation(result: dict[str, float]) -> None:
    print(
        f"evaluation at step {result['global_step']:,}: accuracy {result['accuracy']:.2%}, top 3 "
        f"{result['top_3_accuracy']:.2%}, loss {result['loss']:.4f}, "
        f"{result['drawings']:,} drawings",
        flush=True,
    )
