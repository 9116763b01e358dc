"""The batches that training and evaluation read, made of records (see dataset/records.py).

A batch is `({"ink": float32 [B, T, 3], "lengths": int64 [B]}, class_index int64 [B])`.
B is the batch size, T the longest ink of the batch; rows past a drawing's own length are zeros.

How records become batches, and why each step stands where it does:

    files        shuffled anew for each pass, so that passes differ
    blocks       of a few serialized records that stand together, of several files at once; a
                 step of tf.data costs a block what it would cost a record. Shuffled as blocks:
                 create_dataset.py has shuffled the records
    repeat       before the batches, so that every batch is full
    pools        many batches' records, parsed by one call and sorted by length, so that a
                 batch holds drawings of about one length and little padding
    batches      cut from the pool and handed on in a random order
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from dataset import records, variation
from dataset.variation import Features

# Batches a pool: on real drawings 128 leave 2% of the arithmetic of batches of 8 to padding, 5% of
# batches of 64 and 8% of batches of 256; with 32, which train no better, it was twice as much.
POOL_BATCHES = 128

# Drawings a pool at most, some 30 MB of ink: no batch of 256 or fewer is sorted less for it.
POOL_DRAWINGS = 128 * 256

# Records a block: few enough that those of one block are spread over the batches of a pool.
BLOCK_RECORDS = 16

# Blocks in the shuffle buffer: some 8,000 records of 700 bytes, filled in milliseconds.
SHUFFLE_BLOCKS = 512

# Files read at once, to mix records of different files and to hide a network's latency.
PARALLEL_FILES = 4

# Bytes read from a file at once.
READ_BUFFER_BYTES = 1 << 20

# Pools parsed ahead by other threads while one is cut into batches.
PARALLEL_POOLS = 2

# Batches ready before they are asked for.
PREFETCH_BATCHES = 16

# The seed of the order of an evaluation's batches: whoever looks at the first drawings only sees
# short and long ones.
EVAL_SEED = 0

# None of the functions here decides by a tensor's value, and looking for that takes a start's time.
as_it_is = tf.autograph.experimental.do_not_convert

Batch = tuple[Features, tf.Tensor]
# Drawings sorted by length: ink [P, (rows), 3], ragged, class_index [P] and, with weights, weight.
Pool = dict[str, "tf.Tensor | tf.RaggedTensor"]
InputFn = Callable[[], tf.data.Dataset]


def match_files(patterns: str, *, flag: str = "the pattern") -> list[str]:
    """Finds the files that a comma-separated list of glob patterns matches, sorted.

    Args:
      patterns: what the user gave.
      flag: where it came from, for the message.

    Raises:
      ValueError: there is none.
    """
    try:
        files = sorted({f for p in patterns.split(",") if p for f in _match(p.strip())})
    except tf.errors.OpError as error:
        raise ValueError(f"{flag}={patterns}: {error.message}") from None
    if not files:
        raise ValueError(
            f"{flag}={patterns} matches no file; is the folder right? create_dataset.py writes "
            "training.tfrecord-00000-of-00010 and so on"
        )
    return files


def _match(pattern: str) -> list[str]:
    # A file of that very name first: its folder's name may hold what a pattern is made of.
    return [pattern] if tf.io.gfile.exists(pattern) else tf.io.gfile.glob(pattern)


def training_input_fn(
    files: Sequence[str],
    *,
    batch_size: int,
    num_classes: int,
    seed: int,
    num_epochs: int | None = None,
    part: int = 0,
    num_parts: int = 1,
    distortion: float = 0.0,
    beginnings: float = 0.0,
    class_balance: float = 0.0,
) -> InputFn:
    """Shuffled full batches of drawings of about one length.

    Args:
      files: TFRecord files.
      batch_size: B.
      num_classes: class indices must be below it.
      seed: the same seed gives the same batches.
      num_epochs: passes over the records; None goes on forever. Where they end, the last
        batch may be smaller.
      part, num_parts: the number of this process among those that train together, and how many
        there are. Each reads every num_parts-th file, or, where there are fewer files than
        processes, every num_parts-th block of them.
      distortion, beginnings: how much and how many of the drawings are changed, as in
        `variation.vary`.
      class_balance: 0 for none; otherwise the features have a `logit_adjustment`, float32 [K]: the
        logarithm of each class's share of a pool, times this number.

    Returns:
      A function without arguments that makes the dataset, as Estimator wants it.
    """

    @as_it_is
    def changed(number: tf.Tensor, batch: Batch) -> Batch:
        features, class_index = batch
        varied = variation.vary(
            features, distortion=distortion, beginnings=beginnings, seed=tf.stack([seed, number])
        )
        return varied, class_index

    def input_fn() -> tf.data.Dataset:
        by_file = len(files) >= num_parts
        ours = list(files)[part::num_parts] if by_file else list(files)
        dataset = tf.data.Dataset.from_tensor_slices(ours)
        if by_file:  # otherwise all processes must count the same blocks
            dataset = dataset.shuffle(len(ours), seed=seed)
        dataset = _read_blocks(dataset)
        if not by_file:
            dataset = dataset.shard(num_parts, part)
        dataset = dataset.shuffle(SHUFFLE_BLOCKS, seed=seed + 1)
        dataset = dataset.repeat(num_epochs)
        dataset = _sorted_batches(
            dataset,
            batch_size=batch_size,
            num_classes=num_classes,
            shuffle_seed=seed + 2,
            class_balance=class_balance,
        )
        if distortion > 0 or beginnings > 0:
            dataset = dataset.enumerate().map(changed, num_parallel_calls=PARALLEL_POOLS)
        return dataset.prefetch(PREFETCH_BATCHES)

    return input_fn


def eval_input_fn(
    files: Sequence[str], *, batch_size: int, num_classes: int, stroke_share: float = 1.0
) -> InputFn:
    """Makes one pass over every drawing, the last smaller batch included. See `training_input_fn`.

    With a `stroke_share` below 1 a drawing is only its first strokes: `variation.first_strokes`.
    """

    @as_it_is
    def first(features: Features, class_index: tf.Tensor) -> Batch:
        return variation.first_strokes(features, stroke_share), class_index

    def input_fn() -> tf.data.Dataset:
        dataset = _read_blocks(tf.data.Dataset.from_tensor_slices(list(files)))
        dataset = _sorted_batches(
            dataset, batch_size=batch_size, num_classes=num_classes, shuffle_seed=EVAL_SEED
        )
        if stroke_share < 1:
            dataset = dataset.map(first)
        return dataset.prefetch(PREFETCH_BATCHES)

    return input_fn


def _read_blocks(files: tf.data.Dataset) -> tf.data.Dataset:
    @as_it_is
    def read_file(path: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(path, buffer_size=READ_BUFFER_BYTES).batch(BLOCK_RECORDS)

    return files.interleave(
        read_file, cycle_length=PARALLEL_FILES, num_parallel_calls=PARALLEL_FILES
    )


def _sorted_batches(
    blocks: tf.data.Dataset,
    *,
    batch_size: int,
    num_classes: int,
    shuffle_seed: int,
    class_balance: float = 0.0,
) -> tf.data.Dataset:
    """Makes batches, sorted by length within pools, of blocks of serialized records."""

    @as_it_is
    def parse_pool(pool: tf.Tensor) -> Pool:
        ink, class_index = records.parse_records(pool, num_classes=num_classes)
        order = tf.argsort(ink.row_lengths(), stable=True)
        parsed = {"ink": tf.gather(ink, order), "class_index": tf.gather(class_index, order)}
        if class_balance > 0:
            counts = tf.math.bincount(
                tf.cast(class_index, tf.int32), minlength=num_classes, dtype=tf.float32
            )
            # One more of each, since a pool may happen to have none of a class.
            shares = (counts + 1) / tf.reduce_sum(counts + 1)
            parsed["logit_adjustment"] = class_balance * tf.math.log(shares)
        return parsed

    @as_it_is
    def cut_pool(pool_number: tf.Tensor, pool: Pool) -> tf.data.Dataset:
        numbers = tf.range(-(-tf.shape(pool["class_index"])[0] // batch_size))
        numbers = tf.random.experimental.stateless_shuffle(
            numbers, seed=[shuffle_seed, pool_number]
        )
        batches = tf.data.Dataset.from_tensor_slices(numbers)
        return batches.map(as_it_is(lambda number: _cut_batch(pool, number, batch_size)))

    pool_batches = max(1, min(POOL_BATCHES, POOL_DRAWINGS // batch_size))
    pools = blocks.rebatch(batch_size * pool_batches)
    pools = pools.map(parse_pool, num_parallel_calls=PARALLEL_POOLS)
    return pools.enumerate().flat_map(cut_pool)


def _cut_batch(pool: Pool, number: tf.Tensor, batch_size: int) -> Batch:
    part = slice(number * batch_size, (number + 1) * batch_size)
    ink = pool["ink"][part]
    features = {"ink": ink.to_tensor(), "lengths": ink.row_lengths()}
    if "logit_adjustment" in pool:
        features["logit_adjustment"] = pool["logit_adjustment"]
    return features, pool["class_index"][part]
