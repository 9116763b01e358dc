r"""Do runs survive being killed? Kills trainings of tiny networks at random moments, and checks.

    python benchmarks/check_restarts.py --kind=alone --kills=30 --when=end

After each trial the run must have done its steps, evaluated the last one, kept the best
checkpoint by its records and exported that one, and every process must have ended with 0. Ends
with exit code 1 where one did not; the folders of such trials stay.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from absl import flags

import shared
from common import programs
from model_folder import best, checkpoints, evaluations, models

_KIND = flags.DEFINE_enum(
    "kind", "alone", ["alone", "in_step"], "One process, or a cluster that trains synchronously."
)
_KILLS = flags.DEFINE_integer("kills", 30, "Trials, with a kill each.", lower_bound=0)
_FULL_RUNS = flags.DEFINE_integer("full_runs", 0, "Trials without a kill.", lower_bound=0)
_WHEN = flags.DEFINE_enum(
    "when", "any", ["any", "end"], "Kill at any moment, or near the last step and after it."
)
_SEED = flags.DEFINE_integer("seed", 0, "Decides when which process is killed.")
_STEPS = flags.DEFINE_integer("steps", 200, "Steps of each run.", lower_bound=1)

# What the last evaluation and the export of such a run take on two cores, with a margin.
END_SECONDS = 2.0

# How often one process of a cluster may be started again; a kill makes others end too.
RESTARTS = 9

TIMEOUT_SECONDS = 300.0


class Trial:
    """One run in a folder of its own."""

    def __init__(self, folder: pathlib.Path, data: pathlib.Path):
        self.model_dir = folder / "model"
        self._folder = folder
        self._flags = [
            f"--training_data={data}/training.tfrecord-*",
            f"--eval_data={data}/eval.tfrecord-*",
            f"--classes_file={data}/training.tfrecord.classes",
            f"--model_dir={self.model_dir}",
            f"--steps={_STEPS.value}",
            "--num_nodes=16",
            "--num_layers=1",
            "--save_checkpoints_steps=50",
            "--eval_throttle_secs=0",
            "--cluster_timeout_secs=45",
        ]

    def _command(self) -> list[str]:
        if _KIND.value == "alone":
            return [sys.executable, "-u", str(shared.ROOT / "train_model.py"), *self._flags]
        options = ["--workers=1", f"--restarts={RESTARTS}", f"--pids={self._pids_file}"]
        script = str(shared.ROOT / "scripts/local_cluster")
        return [sys.executable, "-u", script, *options, "--", *self._flags]

    @property
    def _pids_file(self) -> pathlib.Path:
        return self._folder / "pids"

    def _start(self, log) -> subprocess.Popen:
        return subprocess.Popen(self._command(), stdout=log, stderr=subprocess.STDOUT)

    def run(self, moment: float | None, rng: random.Random) -> int:
        """Runs to the end, killing one process once; the exit code of what ran last.

        Args:
          moment: None for no kill; else seconds after the start, or after the last step where
            `--when=end`.
          rng: decides which process of a cluster.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with open(self._folder / "log", "w") as log:
            process = self._start(log)
            if moment is not None:
                while _WHEN.value == "end" and not self._has_done_all() and process.poll() is None:
                    time.sleep(0.02)
                time.sleep(moment)
                if _KIND.value == "alone":
                    process.kill()
                    process.wait()
                    process = self._start(log)
                elif self._pids_file.exists() and process.poll() is None:
                    name, pid = rng.choice(sorted(json.loads(self._pids_file.read_text()).items()))
                    print(f"killing {name}", file=log, flush=True)
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        print("which has ended", file=log, flush=True)
            try:
                return process.wait(max(deadline - time.monotonic(), 1))
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
                return -1

    def _has_done_all(self) -> bool:
        done = f"step {_STEPS.value}/{_STEPS.value}"
        return done in (self._folder / "log").read_text()

    def problem(self, code: int) -> str | None:
        """Says what is wrong with what the run left; None if nothing is."""
        if code:
            return f"exit code {code}"
        model_dir = str(self.model_dir)
        last = tf.train.latest_checkpoint(model_dir)
        if not last or checkpoints.global_step(last) < _STEPS.value:
            return f"the last checkpoint is {last}"
        recorded = evaluations.read_evaluations(model_dir)
        if not recorded or recorded[-1]["global_step"] != checkpoints.step_in_name(last):
            return "the last checkpoint's evaluation is not recorded"
        expected = max(recorded, key=evaluations.quality)["global_step"]
        kept = best.best_checkpoint(model_dir)
        if not kept or checkpoints.step_in_name(kept) != expected:
            return f"{kept} is kept, step {expected} was best"
        versions = self.model_dir / "export/drawing_classifier"
        names = sorted(path.name for path in versions.iterdir()) if versions.exists() else []
        if not names or not all(name.isdigit() for name in names):
            return f"exports: {names}"
        exported = models.export_checkpoint(str(versions / names[-1]))
        if not exported:
            return f"{names[-1]} is no export"
        # An evaluator that is slower than the chief finds the best when that has exported.
        recorded_later = os.path.getmtime(kept + ".index") > os.path.getmtime(exported + ".index")
        right = last if recorded_later else kept
        if checkpoints.global_step(exported) != checkpoints.global_step(right):
            return f"{names[-1]} exports another checkpoint than {right}"
        left = checkpoints.left_overs(model_dir) + checkpoints.left_overs(
            os.path.join(model_dir, evaluations.BEST_FOLDER)
        )
        return f"left over: {', '.join(left)}" if left else None


def make_data(folder: pathlib.Path) -> pathlib.Path:
    """Records of synthetic doodles."""
    for script, *options in (
        ["scripts/make_doodles.py", f"--output_path={folder}/doodles", "--drawings_per_class=60"],
        [
            "create_dataset.py",
            f"--ndjson_path={folder}/doodles",
            f"--output_path={folder}/data",
            "--train_observations_per_class=50",
            "--eval_observations_per_class=10",
            "--output_shards=2",
        ],
    ):
        command = [sys.executable, str(shared.ROOT / script), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "data"


def main() -> int | None:
    tf.compat.v1.disable_eager_execution()
    rng = random.Random(_SEED.value)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="check_restarts-"))
    data = make_data(scratch)
    # A run without a kill first: it says how long one takes.
    wholes = _FULL_RUNS.value + 1
    failures, seconds = 0, 0.0
    for number in range(wholes + _KILLS.value):
        moment = None
        if number >= wholes:
            moment = rng.uniform(0, END_SECONDS if _WHEN.value == "end" else seconds)
        folder = scratch / str(number)
        folder.mkdir()
        trial = Trial(folder, data)
        started = time.monotonic()
        problem = trial.problem(trial.run(moment, rng))
        if moment is None:
            seconds = time.monotonic() - started
        at = "without a kill" if moment is None else f"killed at {moment:.2f} s"
        print(f"{number} {_KIND.value} {at}: {problem or 'well'}", flush=True)
        if problem:
            failures += 1
            print(f"  see {folder}", flush=True)
        else:
            shutil.rmtree(folder)
    print(f"{failures} of {wholes + _KILLS.value} trials failed")
    if not failures:
        shutil.rmtree(scratch)
    return programs.EXIT_ERROR if failures else None


if __name__ == "__main__":
    programs.run(main)
