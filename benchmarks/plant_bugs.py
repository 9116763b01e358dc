r"""Do the tests notice a bug? Plants them one at a time in a copy of the project and runs tests.

    python benchmarks/plant_bugs.py
    python benchmarks/plant_bugs.py --only=clip

Ends with exit code 1 where a bug passed. Of the modules that know no TensorFlow, a mutation tester
plants them by the hundred, see CONTRIBUTING.md; these are for the others, where a run takes longer.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

import shared
from common import console

from absl import flags

_ONLY = flags.DEFINE_string("only", "", "Plant only the bugs whose description holds this.")


class Bug(NamedTuple):
    description: str
    path: str
    right: str  # stands there once
    wrong: str
    tests: str  # that should notice


MODEL = "tests/test_model.py"
RUN = "tests/training/test_run.py"
PIPELINE = "tests/test_input_pipeline.py"
CONVERSION = "tests/dataset/test_conversion.py"
FLAGS = "tests/test_train_model.py::test_every_flag_reaches_the_run"

BUGS = (
    Bug(
        "gradients applied unclipped",
        "network/optimiser.py",
        "zip(clipped, variables)",
        "zip(gradients, variables)",
        MODEL,
    ),
    Bug(
        "the loss scale of float16 in checkpoints",
        "network/optimiser.py",
        "GraphKeys.LOCAL_VARIABLES",
        "GraphKeys.GLOBAL_VARIABLES",
        MODEL,
    ),
    Bug(
        "evaluations in float16",
        "model.py",
        "    optimiser.float32_sessions()",
        "    pass",
        MODEL,
    ),
    Bug(
        "histograms of infinite gradients",
        "network/optimiser.py",
        "            gradient = tf.where(finite, gradient, tf.zeros_like(gradient))\n",
        "            del finite\n",
        MODEL,
    ),
    Bug(
        "no step for cuDNN that no sequence has",
        "network/lstm.py",
        "[[0, 1], [0, 0], [0, 0]]",
        "[[0, 0], [0, 0], [0, 0]]",
        "tests/network/test_lstm.py",
    ),
    Bug(
        "dropout before the first convolution",
        "model.py",
        "        if i > 0:\n            channels = dropout",
        "        if True:\n            channels = dropout",
        MODEL,
    ),
    Bug(
        "no dropout between LSTM layers",
        "model.py",
        "        if layer > 0:\n            inputs = dropout",
        "        if layer > 9:\n            inputs = dropout",
        MODEL,
    ),
    Bug(
        "Adam ignores the schedule",
        "network/optimiser.py",
        "Adam(learning_rate, weight_decay",
        "Adam(0.01, weight_decay",
        MODEL,
    ),
    Bug(
        "cosine ends at the warm-up's end",
        "network/optimiser.py",
        "(step - warmup) / max(decay_steps - warmup, 1.0)",
        "(step - warmup) / max(warmup, 1.0)",
        MODEL,
    ),
    Bug(
        "warm-up starts at zero",
        "network/optimiser.py",
        "rising = (step + 1) / max(warmup, 1.0)",
        "rising = step / max(warmup, 1.0)",
        MODEL,
    ),
    Bug(
        "gradients that are not finite are applied",
        "network/optimiser.py",
        "        if not float16:  # which skips",
        "        if False:  # which skips",
        MODEL,
    ),
    Bug(
        "padding counted by batch norm",
        "model.py",
        "tf.nn.weighted_moments(channels, axes=[0, 1], frequency_weights=mask)",
        "tf.nn.moments(channels, axes=[0, 1])",
        MODEL,
    ),
    Bug(
        "padding reaches the next convolution",
        "model.py",
        "tf.nn.bias_add(channels, _bias([filters])) * mask",
        "tf.nn.bias_add(channels, _bias([filters]))",
        MODEL,
    ),
    Bug(
        "the sum over time counts padding",
        "model.py",
        "tf.reduce_sum(hidden * tf.transpose(mask, [1, 0, 2]), axis=0)",
        "tf.reduce_sum(hidden, axis=0)",
        MODEL,
    ),
    Bug(
        "the mean of batches for the mean of drawings",
        "model.py",
        "loss = tf.compat.v1.placeholder_with_default(losses, shape=None)",
        "loss = tf.reduce_mean(losses)",
        MODEL,
    ),
    Bug(
        "no forget bias",
        "network/lstm.py",
        "FORGET_BIAS = 1.0",
        "FORGET_BIAS = 0.0",
        MODEL,
    ),
    Bug(
        "forget bias missing in cuDNN's buffer",
        "network/lstm.py",
        "biases += [i, f + FORGET_BIAS, c, o,",
        "biases += [i, f, c, o,",
        "tests/network/test_lstm.py",
    ),
    Bug(
        "NaN counts as right",
        "network/measures.py",
        "return tf.where(unknown, tf.shape(logits, tf.int64)[1], rank)",
        "return rank",
        "tests/network/test_measures.py",
    ),
    Bug(
        "ties count as wrong",
        "network/measures.py",
        "(index > label) & (logits > true)",
        "(index != label) & (logits >= true)",
        "tests/network/test_measures.py",
    ),
    Bug(
        "MAP@3 by the fourth guess too",
        "network/measures.py",
        '"map_3": tf.cast(rank < 3, tf.float32)',
        '"map_3": tf.cast(rank < 4, tf.float32)',
        "tests/network/test_measures.py",
    ),
    Bug(
        "blocks in the same order in every epoch",
        "input_pipeline.py",
        "dataset.shuffle(SHUFFLE_RECORDS // block_records, seed=seed + 1)",
        "dataset.shuffle(SHUFFLE_RECORDS, seed=seed + 1, reshuffle_each_iteration=False)",
        PIPELINE,
    ),
    Bug(
        "batches in the order of their length",
        "input_pipeline.py",
        "        numbers = tf.random.experimental.stateless_shuffle(\n"
        "            numbers, seed=[shuffle_seed, pool_number]\n        )\n",
        "",
        PIPELINE,
    ),
    Bug(
        "no bound of a pool",
        "input_pipeline.py",
        "max(1, min(POOL_BATCHES, POOL_DRAWINGS // batch_size))",
        "POOL_BATCHES",
        PIPELINE,
    ),
    Bug(
        "a beginning keeps the whole drawing's box",
        "records/augmentation.py",
        "ink[:, :, :2] / extent",
        "ink[:, :, :2]",
        PIPELINE,
    ),
    Bug(
        "a worker reads what the others read",
        "input_pipeline.py",
        "ours = list(files)[part::num_parts] if by_file else list(files)",
        "ours = list(files)",
        "tests/training/test_distribution.py",
    ),
    Bug(
        "the same random keys for every class",
        "dataset/shuffle.py",
        "np.random.SeedSequence([seed, split, class_index])",
        "np.random.SeedSequence([seed, split])",
        CONVERSION,
    ),
    Bug(
        "an earlier result's class lists removed last",
        "dataset/staging.py",
        'for name in sorted(stale, key=lambda name: not name.endswith(".classes")):',
        'for name in sorted(stale, key=lambda name: name.endswith(".classes")):',
        CONVERSION,
    ),
    Bug(
        "class lists published first",
        "dataset/staging.py",
        'finished = sorted(os.listdir(staging), key=lambda name: name.endswith(".classes"))',
        'finished = sorted(os.listdir(staging), key=lambda name: ".classes" not in name)',
        CONVERSION,
    ),
    Bug(
        "evaluation takes training's drawings",
        "dataset/conversion.py",
        "                taken = end\n",
        "                taken = 0 if number == 0 else end\n",
        CONVERSION,
    ),
    Bug(
        "a resumed run repeats its batches",
        "training/run.py",
        "seed=run.seed + first_step,",
        "seed=run.seed,",
        RUN,
    ),
    Bug(
        "no checkpoint at Ctrl-C",
        "training/hooks.py",
        "        if self._save_to:\n",
        "        if False:\n",
        RUN,
    ),
    Bug(
        "--keep_checkpoint_max ignored",
        "training/run.py",
        "keep_checkpoint_max=run.keep_checkpoint_max or None,",
        "keep_checkpoint_max=5,",
        RUN,
    ),
    Bug(
        "early stopping never stops",
        "training/hooks.py",
        "if self._after_evaluation.num_since_best >= self._patience:",
        "if False:",
        RUN,
    ),
    Bug(
        "the last evaluation is not made up for",
        "training/run.py",
        "        last = evaluate_last(run)\n",
        "        last = None\n",
        RUN,
    ),
    Bug(
        "--learning_rate ignored",
        "train_model.py",
        "    return model.HParams(num_classes=num_classes, **values)\n",
        '    values["learning_rate"] = 1e-4\n'
        "    return model.HParams(num_classes=num_classes, **values)\n",
        FLAGS,
    ),
    Bug(
        "--dropout ignored",
        "train_model.py",
        "    return model.HParams(num_classes=num_classes, **values)\n",
        '    values["dropout"] = 0.3\n'
        "    return model.HParams(num_classes=num_classes, **values)\n",
        FLAGS,
    ),
    Bug(
        "cosine ends at another step than the last",
        "train_model.py",
        'values["decay_steps"] = _STEPS.value',
        'values["decay_steps"] = _STEPS.value // 2',
        FLAGS,
    ),
    Bug(
        "the best is the last",
        "model_folder/best.py",
        "    known.sort(key=quality)\n",
        '    known.sort(key=lambda evaluation: evaluation["global_step"])\n',
        "tests/training/test_best.py",
    ),
    Bug(
        "NaN is the best",
        "model_folder/best.py",
        "    if not (math.isfinite(accuracy) and math.isfinite(loss)):\n",
        "    if False:\n",
        "tests/training/test_best.py",
    ),
    Bug(
        "warm start takes the last layer by position",
        "training/warm_start.py",
        "kernel[:, column] = old_kernel[:, known.index(name)]",
        "kernel[:, column] = old_kernel[:, column]",
        "tests/training/test_warm_start.py",
    ),
    Bug(
        "weights that are not numbers are used",
        "model_folder/checkpoints.py",
        "not np.isfinite(values).all()",
        "False",
        "tests/training/test_checkpoints.py",
    ),
    Bug(
        "padding in a served drawing's box",
        "serving/exporting.py",
        "extent = tf.reduce_max(tf.where(own, xy, xy.dtype.min), axis=1, keepdims=True) - lower",
        "extent = tf.reduce_max(xy, axis=1, keepdims=True) - lower",
        "tests/serving/test_exporting.py",
    ),
    Bug(
        "padding in the box of an ONNX file's drawing",
        "serving/onnx_network.py",
        'graph.add("Where", own, xy, graph.floats(outside))',
        "xy",
        "tests/serving/test_onnx_network.py",
    ),
    Bug(
        "another batch's guesses",
        "serving/classifier.py",
        "del order[-size:]",
        "del order[:size]",
        "tests/serving/test_classifier.py",
    ),
    Bug(
        "frequent classes lose what they should gain",
        "input_pipeline.py",
        "adjustment = class_balance * _log_shares",
        "adjustment = -class_balance * _log_shares",
        "tests/test_input_pipeline.py",
    ),
)


def plant(bug: Bug, folder: pathlib.Path) -> bool:
    """Tells whether the tests notice the bug in that copy of the project."""
    path = folder / bug.path
    source = path.read_text()
    if source.count(bug.right) != 1:
        raise ValueError(
            f"{bug.path} holds this not once but {source.count(bug.right)} times: "
            f"{bug.right!r}; the bug {bug.description!r} needs another place"
        )
    path.write_text(source.replace(bug.right, bug.wrong))
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", bug.tests]
        return subprocess.run(command, cwd=folder, capture_output=True).returncode == 1
    finally:
        path.write_text(source)


def main() -> int | None:
    passed = []
    bugs = [bug for bug in BUGS if _ONLY.value in bug.description]
    with tempfile.TemporaryDirectory(prefix="plant_bugs-") as scratch:
        folder = pathlib.Path(scratch) / "project"
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "runs", "quickstart")
        shutil.copytree(shared.ROOT, folder, ignore=ignored)
        for bug in bugs:
            noticed = plant(bug, folder)
            passed += [] if noticed else [bug]
            print(f"{'noticed' if noticed else 'PASSED '}  {bug.description}", flush=True)
    print(f"{len(bugs) - len(passed)} of {len(bugs)} bugs were noticed")
    return console.EXIT_ERROR if passed else None


if __name__ == "__main__":
    console.run(main)
