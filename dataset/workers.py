"""Worker processes that live and die with the program that started them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from common.errors import UserError


@contextlib.contextmanager
def worker_pool(num_workers: int) -> Iterator[concurrent.futures.Executor]:
    """Worker processes; when one dies or the work is interrupted, all are stopped."""
    # A fork shares the memory of TensorFlow's import, which a spawned process would repeat.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = concurrent.futures.ProcessPoolExecutor(
        num_workers, mp_context=context, initializer=_start_worker
    )
    try:
        yield pool
    except concurrent.futures.process.BrokenProcessPool:
        raise UserError(
            "a worker process was killed, most likely because memory ran out; try again with "
            "fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def submit(
    pool: concurrent.futures.Executor, function: Callable, calls: Sequence[tuple]
) -> list[concurrent.futures.Future]:
    """Has a function called in the workers, once for each tuple of arguments."""
    # Python drops a KeyboardInterrupt that comes while it forks: Ctrl-C waits till that is done.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        return [pool.submit(function, *call) for call in calls]
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    gc.disable()  # nothing here is cyclic; collecting costs a third of the time (measured)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent  # this is a worker
    parent.join()
    os._exit(1)
