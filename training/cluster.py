"""How a process of a cluster notices that others are missing, or that all is done."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from common import console

import tensorflow as tf

from training import distribution

# Seconds from one look to the next at the other processes of a cluster, and for each to answer:
# less than a process needs to start again, so that it is missed meanwhile.
PROBE_SECONDS = 0.5

# Seconds from one look at the chief to the next, where each trains at its own pace.
CHIEF_SECONDS = 2.0


class ClusterHook(tf.estimator.SessionRunHook):
    """Ends the process when others of its cluster are missing, so that it can be started again.

    TensorFlow itself would wait for hours, in calls that nothing interrupts: for one that does not
    come, and, where all train in step, for one that was started again by itself.

    Where each trains at its own pace, it pauses while the chief is gone: when that comes back, it
    takes up its last checkpoint for all, and what was done meanwhile would be lost.
    """

    def __init__(self, *, patience: float, in_step: bool, is_done: Callable[[], bool]):
        """Sets what to wait for.

        Args:
          patience: seconds to wait for a step.
          in_step: whether all processes do each step together; then it waits only as long as all
            that came are there.
          is_done: tells whether the chief has saved the last step; then it waits for nobody.
        """
        self._patience = patience
        self._in_step = in_step
        self._is_done = is_done
        self._ended = False
        self._chief_is_gone = False

    def begin(self) -> None:
        """Starts to watch: the session, which is made next, may be what never comes."""
        self._last_step = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()
        if not self._in_step:
            threading.Thread(target=self._watch_chief, daemon=True).start()

    def before_run(self, run_context) -> None:
        while self._chief_is_gone:
            time.sleep(PROBE_SECONDS)

    def after_run(self, run_context, run_values) -> None:
        self._last_step = time.monotonic()

    def end(self, session) -> None:
        self._ended = True

    def _watch(self) -> None:
        came: set[str] = set()
        silent_before: set[str] = set()
        while not self._ended:
            time.sleep(PROBE_SECONDS)
            waited = time.monotonic() - self._last_step
            if waited < 2 * PROBE_SECONDS:
                continue
            if self._is_done():
                self._leave()
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
                remedy = "Look at what the others say, or give a longer --cluster_timeout_secs"
                if missing:
                    remedy = f"No connection to {', '.join(missing)}: start what is missing"
                self._give_up(f"no step was done in {self._patience:,.0f} seconds. {remedy}")

    def _watch_chief(self) -> None:
        came = False
        while not self._ended:
            time.sleep(CHIEF_SECONDS)
            answers = distribution.probe(seconds=PROBE_SECONDS, only="chief").values()
            came |= "there" in answers
            self._chief_is_gone = came and "gone" in answers

    def _give_up(self, message: str) -> None:
        if self._is_done():  # the others have just ended
            self._leave()
        console.fail(f"{message}; started again, this process goes on from the last checkpoint")
        os._exit(console.EXIT_RETRY)

    @staticmethod
    def _leave() -> None:
        print("All steps are done", flush=True)
        os._exit(0)
