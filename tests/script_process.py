"""Runs scripts in processes that need not import TensorFlow again: forks of one that has."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

_CONTEXT = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
if sys.platform == "linux":
    _CONTEXT.set_forkserver_preload(["tensorflow"])


def run(
    arguments: list[str], *, folder: str, environment: dict[str, str], timeout: float
) -> subprocess.CompletedProcess:
    """Runs a Python script with its arguments to the end; its output is text."""
    with tempfile.TemporaryDirectory() as scratch:
        outputs = [pathlib.Path(scratch, name) for name in ("stdout", "stderr")]
        process = _CONTEXT.Process(target=_run, args=(arguments, folder, environment, outputs))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, timeout)
        texts = [path.read_text() for path in outputs]
    return subprocess.CompletedProcess(arguments, process.exitcode, *texts)


def _run(arguments, folder, environment, outputs) -> None:
    for descriptor, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # As `python script`: its folder comes first, then PYTHONPATH; nothing of the tests can be
    # imported.
    script = pathlib.Path(arguments[0])
    project = str(pathlib.Path(__file__).resolve().parent.parent)
    installed = [p for p in sys.path if not p.startswith(project) or "site-packages" in p]
    said = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [str(script.parent), *said, *installed]
    sys.argv[:] = arguments
    runpy.run_path(str(script), run_name="__main__")
