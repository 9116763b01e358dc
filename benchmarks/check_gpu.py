r"""Does the GPU compute the same network, and how fast?

    python benchmarks/check_gpu.py \
        --training_data="rnn_tutorial_data/training.tfrecord-?????-of-?????" \
        --classes_file=rnn_tutorial_data/training.tfrecord.classes

Compares loss and gradients of every cell type on ragged batches with the step-by-step reference on
the CPU, then trains with cuDNN, in single precision and mixed, and prints drawings a second and
the memory taken. Ends with exit code 1 where one differs.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import time

import numpy as np
from absl import flags

import input_pipeline
import model
from common import estimators, programs
from records import class_list

_TRAINING_DATA = flags.DEFINE_string("training_data", None, "Pattern of records.", required=True)
_CLASSES_FILE = flags.DEFINE_string("classes_file", None, "Their class list.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 15.0, "Time for each training setting.")
_BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["8", "64", "256", "512", "1024"], "To train with.")

# Lengths of the batches that are compared: single points, one of all lengths, all the same.
RAGGED = ((1,), (1, 7, 30, 90, 2), (25,) * 6)

# Batches that are trained with over and over: cuDNN prepares for every length that is new to it.
NUM_BATCHES = 32

# What a gradient may differ by, as a share of its largest value: a GPU sums in another order.
TOLERANCE = 1e-4

tf1 = tf.compat.v1


def loss_and_gradients(device: str, cell_type: str, lengths, *, num_classes: int) -> dict:
    """Computes the loss and all gradients, without dropout and by the same weights."""
    rng = np.random.default_rng(0)
    ink = rng.normal(size=(len(lengths), max(lengths), 3)).astype(np.float32)
    params = model.HParams(num_classes=num_classes, cell_type=cell_type, dropout=0.0)
    # As Estimator's sessions do: what has no kernel for the GPU is computed beside it.
    config = tf1.ConfigProto(allow_soft_placement=True)
    with tf.Graph().as_default(), tf1.Session(config=config) as session, tf.device(device):
        embedding = model.embed(
            tf.constant(ink), tf.constant(lengths, tf.int64), params=params, training=True
        )
        logits = model.classify(embedding, num_classes=num_classes)
        labels = tf.range(len(lengths)) % num_classes
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        )
        variables = tf1.trainable_variables()
        fetches = dict(zip((v.op.name for v in variables), tf.gradients(loss, variables)))
        session.run(tf1.global_variables_initializer())
        for variable in variables:
            variable.load(rng.normal(size=variable.shape.as_list(), scale=0.1), session)
        return session.run({"loss": loss, **fetches})


def compare(num_classes: int) -> bool:
    """Prints how far each cell type is from the reference; returns whether all are near.

    Without the 10 bits of TensorFloat-32, in which a GPU multiplies float32 otherwise.
    """
    near = True
    tf.config.experimental.enable_tensor_float_32_execution(False)
    for lengths in RAGGED:
        expected = loss_and_gradients("/cpu:0", "lstm", lengths, num_classes=num_classes)
        for device, cell_type in (
            ("/cpu:0", "block_lstm"),
            ("/gpu:0", "lstm"),
            ("/gpu:0", "block_lstm"),
            ("/gpu:0", "cudnn_lstm"),
        ):
            actual = loss_and_gradients(device, cell_type, lengths, num_classes=num_classes)
            worst = max(
                np.abs(actual[name] - value).max() / np.abs(value).max()
                for name, value in expected.items()
            )
            near &= bool(worst < TOLERANCE)
            verdict = "same" if worst < TOLERANCE else "DIFFERENT"
            print(f"lengths {lengths!s:22} {device} {cell_type:11} {worst:.1e}  {verdict}")
    tf.config.experimental.enable_tensor_float_32_execution(True)
    return near


def train(files: list[str], batch_size: int, *, num_classes: int, mixed: bool) -> None:
    """Prints drawings a second and peak memory."""
    params = model.HParams(num_classes=num_classes, cell_type="cudnn_lstm", mixed_precision=mixed)
    input_fn = input_pipeline.training_input_fn(
        files, batch_size=batch_size, num_classes=num_classes, seed=0
    )
    tf.config.experimental.reset_memory_stats("GPU:0")
    with tf.Graph().as_default(), tf1.Session() as session:
        with tf.device("/cpu:0"):
            batches = input_fn().take(NUM_BATCHES).cache().repeat()
            iterator = tf1.data.make_initializable_iterator(batches)
            features, labels = iterator.get_next()
        spec = model.model_fn(features, labels, estimators.ModeKeys.TRAIN, params)
        session.run([tf1.global_variables_initializer(), tf1.local_variables_initializer()])
        session.run(iterator.initializer)
        step = session.make_callable(spec.train_op)
        for _ in range(2 * NUM_BATCHES):
            step()
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < _SECONDS.value:
            step()
            steps += 1
        rate = steps * batch_size / (time.perf_counter() - started)
    memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    precision = "mixed" if mixed else "single"
    print(f"| {batch_size} | {precision} | {rate:,.0f} | {memory:,.0f} MiB |")


def main() -> int | None:
    tf1.disable_eager_execution()
    if not tf.config.list_physical_devices("GPU"):
        return programs.fail("TensorFlow sees no GPU here")
    files = input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data")
    num_classes = len(class_list.read_classes(_CLASSES_FILE.value))
    near = compare(num_classes)
    print("\n| batch | precision | drawings/s | peak memory |\n|---|---|---|---|")
    for batch_size in map(int, _BATCH_SIZES.value):
        for mixed in (False, True):
            train(files, batch_size, num_classes=num_classes, mixed=mixed)
    return None if near else programs.EXIT_ERROR


if __name__ == "__main__":
    programs.run(main)
