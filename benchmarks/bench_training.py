r"""How fast is a training step, for each cell type, batch size and way of batching?

    python benchmarks/bench_training.py \
        --training_data="rnn_tutorial_data/training.tfrecord-?????-of-?????" \
        --classes_file=rnn_tutorial_data/training.tfrecord.classes

Prints drawings a second, and the share of the machine's own matrix-multiply rate that the true
arithmetic (without padding) achieves; all settings run alternately, and the median of the
rounds is reported. Where PyTorch is installed, its nn.LSTM trains the same network on the same
batches.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import statistics
import time
from typing import Any

import numpy as np
from absl import flags

import input_pipeline
import model
import peers
import shared
import tutorial_input
from common import estimators, programs
from network import hardware
from records import class_list

_TRAINING_DATA = flags.DEFINE_string("training_data", None, "Pattern of records.", required=True)
_CLASSES_FILE = flags.DEFINE_string("classes_file", None, "Their class list.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 6.0, "Time for each setting and round.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds; the median counts.")
_BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["8", "64", "256"], "Batch sizes.")

# The hyper-parameters of each way to compute the recurrence.
CELLS: dict[str, dict[str, Any]] = {
    "lstm": {"cell_type": "lstm"},
    "block_lstm": {"cell_type": "block_lstm"},
    "block_lstm, bfloat16": {"cell_type": "block_lstm", "mixed_precision": True},
}

# (cell, batching): what the tutorial does, ours at every size.
SETTINGS = [
    ("lstm", "random"),
    ("lstm", "sorted"),
    ("block_lstm", "random"),
    ("block_lstm", "sorted"),
]
if hardware.half_precision() == tf.bfloat16:
    SETTINGS.append(("block_lstm, bfloat16", "sorted"))

# Whether PyTorch's sequences are packed, which is the same network as ours.
PYTORCH = {"PyTorch, packed": True, "PyTorch, padding read too": False}

# The tutorial's million would take this machine's memory before the first step.
SHUFFLE_RECORDS = 8192

# Side of the square matrices whose product measures the machine.
MATRIX_SIZE = 2048

tf1 = tf.compat.v1


def flops_per_point(params: model.HParams) -> float:
    """Multiplications and additions of a training step for each row of ink.

    Two for each weight forward, and twice that backward (by inputs and by weights).
    """
    channels = (model.INK_COLUMNS, *params.num_conv)
    weights = sum(a * b * n for a, b, n in zip(channels, channels[1:], params.conv_len))
    inputs = [channels[-1]] + [2 * params.num_nodes] * (params.num_layers - 1)
    weights += sum(2 * (c + params.num_nodes) * 4 * params.num_nodes for c in inputs)
    return 3 * 2 * weights


def make_input_fn(batching: str, files: list[str], batch_size: int, num_classes: int):
    if batching == "random":
        return tutorial_input.input_fn(
            files, batch_size=batch_size, shuffle_records=SHUFFLE_RECORDS
        )
    return input_pipeline.training_input_fn(
        files, batch_size=batch_size, num_classes=num_classes, seed=0
    )


class TensorFlowTrainer:
    """A training step of ours in a session of its own."""

    def __init__(self, cell: str, input_fn, num_classes: int):
        with tf.Graph().as_default() as graph:
            features, labels = tf1.data.make_one_shot_iterator(input_fn()).get_next()
            params = model.HParams(num_classes=num_classes, **CELLS[cell])
            spec = model.model_fn(features, labels, estimators.ModeKeys.TRAIN, params)
            self._fetches = [spec.train_op, tf.reduce_sum(features["lengths"])]
            self._session = tf1.Session(graph=graph)
            self._session.run(tf1.global_variables_initializer())

    def step(self) -> int:
        """Returns the number of the batch's own points."""
        return self._session.run(self._fetches)[1]


class PyTorchTrainer:
    """The same network by PyTorch's own layers on batches read beforehand."""

    def __init__(self, torch, batches: list, num_classes: int, *, packed: bool):
        params = model.HParams(num_classes=num_classes)
        self._torch = torch
        self._layers = peers.torch_layers(torch, params=params)
        self._packed, self._dropout = packed, params.dropout
        self._parameters = list(torch.nn.ModuleList(self._layers).parameters())
        self._optimizer = torch.optim.Adam(self._parameters, lr=params.learning_rate)
        self._clip = params.gradient_clipping_norm
        self._batches = [
            (torch.tensor(f["ink"]), torch.tensor(f["lengths"]), torch.tensor(labels))
            for f, labels in batches
        ]
        self._next = 0

    def step(self) -> int:
        ink, lengths, labels = self._batches[self._next % len(self._batches)]
        self._next += 1
        logits = peers.torch_logits(
            self._torch, self._layers, ink, lengths, packed=self._packed, dropout=self._dropout
        )
        loss = self._torch.nn.functional.cross_entropy(logits, labels)
        self._optimizer.zero_grad()
        loss.backward()
        self._torch.nn.utils.clip_grad_norm_(self._parameters, self._clip)
        self._optimizer.step()
        return int(lengths.sum())


Trainer = TensorFlowTrainer | PyTorchTrainer
Setting = tuple[str, str, int]  # cell, batching, batch size


def measure(step, seconds: float) -> tuple[float, float]:
    """Steps a second and points a second."""
    step()
    steps = points = 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        points += step()
        steps += 1
    elapsed = time.perf_counter() - started
    return steps / elapsed, points / elapsed


def matrix_multiply_rate() -> float:
    """Operations a second of TensorFlow's own single-precision product."""
    with tf.Graph().as_default(), tf1.Session() as session:
        matrix = tf.Variable(tf.ones([MATRIX_SIZE, MATRIX_SIZE]))
        product = tf.matmul(matrix, matrix).op
        session.run(matrix.initializer)
        rate, _ = measure(lambda: session.run(product) or 0, 1.0)
    return rate * 2 * MATRIX_SIZE**3


def make_trainers(files: list[str], num_classes: int) -> dict[Setting, Trainer]:
    """Makes a trainer for each setting."""
    trainers: dict[Setting, Trainer] = {}
    try:
        import torch
    except ImportError:
        torch = None
    for batch_size in map(int, _BATCH_SIZES.value):
        for cell, batching in SETTINGS:
            input_fn = make_input_fn(batching, files, batch_size, num_classes)
            key = (cell, batching, batch_size)
            trainers[key] = TensorFlowTrainer(cell, input_fn, num_classes)
        for batching in ("random", "sorted") if torch else ():
            input_fn = make_input_fn(batching, files, batch_size, num_classes)
            batches = peers.read_batches(input_fn, most=max(8, 2048 // batch_size))
            for name, packed in PYTORCH.items():
                trainer = PyTorchTrainer(torch, batches, num_classes, packed=packed)
                trainers[name, batching, batch_size] = trainer
    return trainers


def main() -> None:
    tf1.disable_eager_execution()
    files = input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data")
    num_classes = len(class_list.read_classes(_CLASSES_FILE.value))
    trainers = make_trainers(files, num_classes)
    flops = flops_per_point(model.HParams(num_classes=num_classes))
    drawings: dict[Setting, list[float]] = {key: [] for key in trainers}
    shares: dict[Setting, list[float]] = {key: [] for key in trainers}
    rates = []
    for _ in range(_ROUNDS.value):
        for key, trainer in trainers.items():
            rates.append(matrix_multiply_rate())
            steps, points = measure(trainer.step, _SECONDS.value)
            drawings[key].append(steps * key[-1])
            shares[key].append(points * flops / rates[-1])
    print(f"{shared.NUM_CORES} cores, matrix multiply {np.median(rates) / 1e9:.0f} GFLOP/s\n")
    print("| computed by | batches | batch | drawings/s | of matrix multiply | × first |")
    print("|---|---|---|---|---|---|")
    median = {key: statistics.median(values) for key, values in drawings.items()}
    first = median[next(iter(median))]
    for (cell, batching, batch_size), rate in median.items():
        share = statistics.median(shares[cell, batching, batch_size])
        print(
            f"| {cell} | {batching} | {batch_size} | {rate:.0f} | {share:.0%} "
            f"| {rate / first:.1f} |"
        )


if __name__ == "__main__":
    programs.run(main)
