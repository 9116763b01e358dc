"""How a process of a cluster notices that others are missing or failed, or that all is done."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import tensorflow as tf

from common import estimators, programs
from training import tf_config
from training.tf_config import Task

# Seconds from one look to the next at the other processes of a cluster, and for each to answer:
# less than a process needs to start again, so that it is missed meanwhile.
PROBE_SECONDS = 0.5


class ClusterHook(estimators.SessionRunHook):
    """Ends the process when others of its cluster are missing, so that it can be started again.

    TensorFlow itself would wait for hours, in calls that nothing interrupts: for one that does not
    come, and for one that was started again by itself. It can notice a lost process in two ways, a
    health check of its collectives and the heartbeats of its coordination service, but
    MultiWorkerMirroredStrategy starts either in eager execution alone, which Estimator's graphs
    cannot use.
    """

    def __init__(self, *, patience: float, is_done: Callable[[], bool]):
        """Sets what to wait for.

        Args:
          patience: seconds to wait for a step.
          is_done: tells whether the chief has saved the last step; then it waits for nobody.
        """
        self._patience = patience
        self._is_done = is_done
        self._ended = False

    def begin(self) -> None:
        """Starts to watch: the session, which is made next, may be what never comes."""
        self._last_step = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

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
            answers = probe(seconds=PROBE_SECONDS)
            came |= {name for name, answer in answers.items() if answer == "there"}
            gone = {name for name in came if answers[name] == "gone"}
            silent = {name for name in came if answers[name] == "silent"}
            lost = gone | silent & silent_before  # a network may lose one packet
            silent_before = silent
            if self._ended:
                return
            if lost:
                self._give_up(f"{', '.join(sorted(lost))} is gone")
            if waited > self._patience:
                missing = [name for name, answer in answers.items() if answer != "there"]
                remedy = "Look at what the others say, or give a longer --cluster_timeout_secs"
                if missing:
                    remedy = f"No connection to {', '.join(missing)}: start what is missing"
                self._give_up(f"no step was done in {self._patience:,.0f} seconds. {remedy}")

    def _give_up(self, message: str) -> None:
        if self._is_done():  # the others have just ended
            self._leave()
        programs.fail(f"{message}; started again, this process goes on from the last checkpoint")
        os._exit(programs.EXIT_RETRY)

    @staticmethod
    def _leave() -> None:
        print("All steps are done", flush=True)
        os._exit(0)


def probe(*, seconds: float) -> dict[str, str]:
    """Asks each task of the cluster whether it is there.

    `there` accepts a connection; `gone` refuses it, for no process listens; `silent` may be
    either, on a machine or a network that does not answer.
    """
    answers = {}
    cluster, _, _ = tf_config.json_cluster(os.environ.get("TF_CONFIG", "{}"))
    for kind, hosts in cluster.items():
        for index, host in enumerate(hosts):
            name, _, port = host.rpartition(":")
            try:
                socket.create_connection((name, int(port)), timeout=seconds).close()
                answer = "there"
            except ConnectionRefusedError:
                answer = "gone"
            except (OSError, ValueError):
                answer = "silent"
            answers[f"{kind} {index} ({host})"] = answer
    return answers


class PeerFailed(Exception):
    """Another process of the cluster is gone; this one is to be started again."""


@contextlib.contextmanager
def failed_peers_named(task: Task) -> Iterator[None]:
    """Where the work fails for another process, says so.

    Raises:
      PeerFailed: instead of what TensorFlow says, which depends on what it was just doing.
    """
    try:
        yield
    except (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.FailedPreconditionError,
        tf.errors.InternalError,
        tf.errors.UnavailableError,
        tf.errors.UnknownError,
    ) as error:
        if task.num_workers == 1:
            raise
        if "Could not start gRPC server" in str(error):
            raise PeerFailed(
                f"{tf_config.own_address()}, this process's address in TF_CONFIG, is in use: "
                "another program listens there, or an earlier process that has not ended yet"
            ) from error
        raise PeerFailed(
            f"another process of the cluster failed ({type(error).__name__}). Start this one "
            "again: it goes on from the last checkpoint"
        ) from error
