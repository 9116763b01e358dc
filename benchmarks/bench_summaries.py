r"""What TensorBoard's curves, pictures and projector cost a training run: their share of its time.

    python benchmarks/bench_summaries.py --steps=4000 --save_checkpoints_steps=2000 \
        --eval_throttle_secs=0 --training_data=... --eval_data=... --classes_file=...

takes train_model.py's flags, trains, and adds up the time of everything that is done for
TensorBoard alone. A real run is longer and evaluates less often: all but the first line of the
table count less there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from unittest import mock

import shared  # noqa: F401  (lets the next lines import)
from common import console
from common.quiet_tensorflow import tf

import train_model
from training import hooks, run, summaries


def timed(function: Callable, spent: list[float]) -> Callable:
    """Returns a function that does the same and adds its seconds to the list."""

    def wrapper(*args, **kwargs):
        started = time.monotonic()
        result = function(*args, **kwargs)
        spent.append(time.monotonic() - started)
        return result

    return wrapper


class StepTimes(hooks.ProgressHook):
    """Adds each step's seconds; Estimator's own summaries are part of them."""

    seconds: list[float] = []

    def after_run(self, run_context, run_values) -> None:
        self.seconds.append((self._ended or time.monotonic()) - self._started)
        super().after_run(run_context, run_values)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def main() -> None:
    spent: dict[str, list[float]] = {
        "pictures of training drawings": [],
        "pictures and projector of evaluations": [],
    }
    names = list(spent)
    hook = summaries.PicturesHook
    started = time.monotonic()
    with (
        mock.patch.object(hooks, "ProgressHook", StepTimes),
        mock.patch.object(hook, "after_run", timed(hook.after_run, spent[names[0]])),
        mock.patch.object(
            summaries, "write_outcomes", timed(summaries.write_outcomes, spent[names[1]])
        ),
    ):
        train_model.main()
    total = time.monotonic() - started
    # The first step makes summaries too, but most of its time is TensorFlow's start.
    with_summaries = StepTimes.seconds[run.SUMMARY_STEPS :: run.SUMMARY_STEPS]
    others = [s for i, s in enumerate(StepTimes.seconds) if i % run.SUMMARY_STEPS]
    curves = len(with_summaries) * (mean(with_summaries) - mean(others))
    count = len(spent[names[1]])
    print(f"\n{len(StepTimes.seconds):,} steps and {count} evaluations: {total:.1f} s\n")
    print("| for TensorBoard | s | of the time |\n|---|---|---|")
    shares = {"curves and histograms": curves, **{name: sum(spent[name]) for name in names}}
    for name, seconds in {**shares, "all": sum(shares.values())}.items():
        print(f"| {name} | {seconds:.2f} | {seconds / total:.2%} |")


if __name__ == "__main__":
    console.run(main, errors=(tf.errors.OpError,))
