"""The batches that training and evaluation read, made of records (see records/tfrecords.py).

A batch is `({"ink": float32 [B, T, 3], "lengths": int64 [B]}, class_index int64 [B])`.
B is the batch size, T the longest ink of the batch; rows past a drawing's own length are zeros.

How records become batches, and why each step stands where it does:

    files        shuffled anew for each pass, so that passes differ
    blocks       of a few serialized records that stand together, of several files at once; a
                 step of tf.data costs a block what it would cost a record. Shuffled as blocks:
                 create_dataset.py has shuffled the records. Where there are few records, a block
                 is one, so that each pass mixes them all
    pools        many batches' records, of one pass alone: none holds a drawing twice. Of a small
                 set they are so small that a pass has several, and no batch comes again
    repeat       of the pass, whose last pool may be smaller. In training the records that fill no
                 batch are left out; the shuffle makes them others in each pass
    sorted       by length, once parsed by one call, so that a batch holds drawings of about one
                 length and little padding
    batches      cut from the pool and handed on in a random order
"""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from common import files as file_system
from common.errors import UserError
from records import augmentation, class_list, tfrecords
from records.augmentation import Features

# Batches a pool: on real drawings 128 leave 2% of the arithmetic of batches of 8 to padding, 5% of
# batches of 64 and 8% of batches of 256; with 32, which train no better, it was twice as much.
POOL_BATCHES = 128

# Drawings a pool at most, about 30 MB of ink: no batch of 256 or fewer is sorted less for it.
POOL_DRAWINGS = 128 * 256

# The fewest pools in a pass, where there are that many batches. With one, sorting would make the
# same batches in each pass; with four, a drawing's neighbours are a random quarter of all.
MIN_POOLS = 4

# Records a block: few enough that those of one block are spread over the batches of a pool.
BLOCK_RECORDS = 16

# Records in the shuffle buffer, about 6 MB, filled in milliseconds. A set that fits into it is
# shuffled record by record.
SHUFFLE_RECORDS = 8192

# Records that are read to estimate how many there are, by their mean size.
SAMPLE_RECORDS = 256

# Files read at once, to mix records of different files and to hide a network's latency.
PARALLEL_FILES = 4

# Bytes read from a file at once.
READ_BUFFER_BYTES = 1 << 20

# Pools parsed ahead by other threads while one is cut into batches.
PARALLEL_POOLS = 2

# Batches ready before they are asked for.
PREFETCH_BATCHES = 16

# The seed of the order of an evaluation's batches: a reader of the first drawings only sees
# short and long ones.
EVAL_SEED = 0

# None of the functions here decides by a tensor's value, and looking for that takes a start's time.
as_it_is = tf.autograph.experimental.do_not_convert

Batch = tuple[Features, tf.Tensor]
# Drawings sorted by length: ink [P, (rows), 3], ragged, and class_index [P].
Pool = dict[str, "tf.Tensor | tf.RaggedTensor"]
InputFn = Callable[[], tf.data.Dataset]


def match_files(patterns: str, *, flag: str = "the pattern") -> list[str]:
    """Finds the files that a comma-separated list of glob patterns matches, sorted, each once.

    Class lists and folders that a pattern matches are left out.

    Args:
      patterns: what the user gave.
      flag: where it came from, for the message.

    Raises:
      UserError: one of them matches no file, or is a folder.
    """
    try:
        # A comma may be part of a name.
        whole = _match(patterns.strip()) if "," in patterns else []
        parts = [patterns] if whole else [p for p in map(str.strip, patterns.split(",")) if p]
        matches = {part: whole or _match(part) for part in parts}
    except OSError as error:
        raise UserError(f"{flag}={patterns}: {error}") from None
    for part in [part for part in parts if not matches[part]] or ([] if parts else [patterns]):
        if file_system.is_folder(part):
            split = "eval" if "eval" in flag else "training"
            remedy = f"give {os.path.join(part, split)}.tfrecord-*"
            raise UserError(f"{flag}={part} is a folder; {remedy}")
        raise UserError(
            f"{flag}={part} matches no file; is the folder right? create_dataset.py writes "
            "training.tfrecord-00000-of-00010 and so on"
        )
    by_place = {_place(path): path for part in parts for path in sorted(matches[part])[::-1]}
    return sorted(by_place.values())


def count_common(files: Sequence[str], others: Sequence[str]) -> int:
    """Counts the files that are in both lists, by whatever path."""
    return len(set(map(_place, files)) & set(map(_place, others)))


def _place(path: str) -> str:
    """Returns the one path of a file that all of its paths lead to."""
    return path if file_system.is_remote(path) else os.path.realpath(path)


def _match(pattern: str) -> list[str]:
    # A file of that very name first: its name may hold what a pattern is made of.
    if file_system.exists(pattern):
        return [] if file_system.is_folder(pattern) else [pattern]
    paths = file_system.match(pattern)
    if not paths and not file_system.is_remote(pattern):  # nor need a folder's name be a pattern
        folder = pattern
        while folder and not os.path.isdir(folder):
            folder = folder.rpartition("/")[0]
        paths = glob.glob(glob.escape(folder) + pattern[len(folder) :])
    return [
        path
        for path in paths
        if not path.endswith(class_list.ENDING) and not file_system.is_folder(path)
    ]


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
    stroke_variation: float = 0.0,
    beginnings: float = 0.0,
    class_balance: float = 0.0,
) -> InputFn:
    """Shuffled full batches of drawings of about one length.

    Each pass gives every drawing once, except those that fill no batch, which are others in each
    pass. No batch holds a drawing twice: where there are fewer than B, each batch is all of them.

    Args:
      files: TFRecord files.
      batch_size: B.
      num_classes: class indices must be below it.
      seed: the same seed gives the same batches.
      num_epochs: passes over the records; None goes on forever.
      part, num_parts: the number of this process among those that train together, and how many
        there are. Each reads every num_parts-th file, or, where there are fewer files than
        processes, every num_parts-th block of them.
      distortion, stroke_variation, beginnings: how much and how many of the drawings are changed,
        as in `augmentation.vary`.
      class_balance: 0 for none; otherwise the features have a `logit_adjustment`, float32 [K]: the
        logarithm of each class's share of all records, times this number.

    Returns:
      A function without arguments that makes the dataset, as Estimator wants it.

    Raises:
      tf.errors.OpError: a record is bad; `damage.bad_records_named` says which.
    """
    by_file = len(files) >= num_parts
    part_files = list(files)[part::num_parts] if by_file else list(files)
    num_records = estimate_count(part_files) // (1 if by_file else num_parts)
    block_records = BLOCK_RECORDS if num_records > SHUFFLE_RECORDS else 1
    adjustment = None
    if class_balance > 0:
        adjustment = class_balance * _log_shares(files, num_classes=num_classes)

    @as_it_is
    def changed(number: tf.Tensor, batch: Batch) -> Batch:
        features, class_index = batch
        if max(distortion, stroke_variation, beginnings) > 0:
            features = augmentation.vary(
                features,
                distortion=distortion,
                stroke_variation=stroke_variation,
                beginnings=beginnings,
                seed=tf.stack([seed, number]),
            )
        if adjustment is not None:
            features = {**features, "logit_adjustment": tf.constant(adjustment)}
        return features, class_index

    def input_fn() -> tf.data.Dataset:
        dataset = tf.data.Dataset.from_tensor_slices(part_files)
        if by_file:  # otherwise all processes must count the same blocks
            dataset = dataset.shuffle(len(part_files), seed=seed)
        dataset = _read_blocks(dataset, block_records)
        if not by_file:
            dataset = dataset.shard(num_parts, part)
        dataset = dataset.shuffle(SHUFFLE_RECORDS // block_records, seed=seed + 1)
        dataset = _pools_of_a_pass(dataset, batch_size=batch_size, num_records=num_records)
        dataset = _sorted_batches(
            dataset.repeat(num_epochs),
            batch_size=batch_size,
            num_classes=num_classes,
            shuffle_seed=seed + 2,
        )
        dataset = dataset.enumerate().map(changed, num_parallel_calls=PARALLEL_POOLS)
        return dataset.prefetch(PREFETCH_BATCHES)

    return input_fn


def eval_input_fn(
    files: Sequence[str], *, batch_size: int, num_classes: int, stroke_share: float = 1.0
) -> InputFn:
    """Makes one pass over every drawing, the last smaller batch included. See `training_input_fn`.

    With a `stroke_share` below 1 a drawing is only its first strokes: `augmentation.beginning_of`.
    """

    @as_it_is
    def first(features: Features, class_index: tf.Tensor) -> Batch:
        return augmentation.beginning_of(features, stroke_share), class_index

    def input_fn() -> tf.data.Dataset:
        dataset = _read_blocks(tf.data.Dataset.from_tensor_slices(list(files)), BLOCK_RECORDS)
        dataset = dataset.rebatch(batch_size * _pool_batches(batch_size))
        dataset = _sorted_batches(
            dataset, batch_size=batch_size, num_classes=num_classes, shuffle_seed=EVAL_SEED
        )
        if stroke_share < 1:
            dataset = dataset.map(first)
        return dataset.prefetch(PREFETCH_BATCHES)

    return input_fn


def estimate_count(files: Sequence[str]) -> int:
    """Estimates how many records files hold, by the mean size of the first; exact for a few."""
    sizes = [
        len(record) + tfrecords.FRAME_BYTES
        for record in itertools.islice(
            itertools.chain.from_iterable(map(tfrecords.read_records, files)), SAMPLE_RECORDS
        )
    ]
    total = sum(file_system.size(path) for path in files)
    return round(total * len(sizes) / sum(sizes)) if sizes else 0


def _log_shares(files: Sequence[str], *, num_classes: int) -> np.ndarray:
    """Returns the logarithm of each class's share of all records, float32 [K].

    A class without any counts as if it had one: nothing is learnt of it, and all stays finite.
    """
    counts = np.maximum(tfrecords.count_classes(files, num_classes=num_classes), 1)
    return np.log(counts / counts.sum()).astype(np.float32)


def _pool_batches(batch_size: int) -> int:
    """Returns how many batches a pool has where there are enough records."""
    return max(1, min(POOL_BATCHES, POOL_DRAWINGS // batch_size))


def _read_blocks(files: tf.data.Dataset, block_records: int) -> tf.data.Dataset:
    @as_it_is
    def read_file(path: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(path, buffer_size=READ_BUFFER_BYTES).batch(block_records)

    return files.interleave(
        read_file, cycle_length=PARALLEL_FILES, num_parallel_calls=PARALLEL_FILES
    )


def _pools_of_a_pass(
    blocks: tf.data.Dataset, *, batch_size: int, num_records: int
) -> tf.data.Dataset:
    """Makes pools of full batches, string [P], of a pass of about so many records."""

    @as_it_is
    def full_batches(number: tf.Tensor, pool: tf.Tensor) -> tf.Tensor:
        # Before sorting: after it, the longest drawings would be left out each time.
        size = tf.size(pool)
        is_whole_pass = tf.equal(number, 0) & (size < batch_size)
        return pool[: tf.where(is_whole_pass, size, size - size % batch_size)]

    pool_batches = min(_pool_batches(batch_size), num_records // (MIN_POOLS * batch_size))
    pools = blocks.rebatch(batch_size * max(1, pool_batches))
    return pools.enumerate().map(full_batches)


def _sorted_batches(
    pools: tf.data.Dataset, *, batch_size: int, num_classes: int, shuffle_seed: int
) -> tf.data.Dataset:
    """Makes batches, sorted by length within pools, of pools of serialized records."""

    @as_it_is
    def parse_pool(pool: tf.Tensor) -> Pool:
        ink, class_index = tfrecords.parse_records(pool, num_classes=num_classes)
        order = tf.argsort(ink.row_lengths(), stable=True)
        return {"ink": tf.gather(ink, order), "class_index": tf.gather(class_index, order)}

    @as_it_is
    def cut_pool(pool_number: tf.Tensor, pool: Pool) -> tf.data.Dataset:
        numbers = tf.range(-(-tf.shape(pool["class_index"])[0] // batch_size))
        numbers = tf.random.experimental.stateless_shuffle(
            numbers, seed=[shuffle_seed, pool_number]
        )
        batches = tf.data.Dataset.from_tensor_slices(numbers)
        return batches.map(as_it_is(lambda number: _cut_batch(pool, number, batch_size)))

    pools = pools.map(parse_pool, num_parallel_calls=PARALLEL_POOLS)
    return pools.enumerate().flat_map(cut_pool)


def _cut_batch(pool: Pool, number: tf.Tensor, batch_size: int) -> Batch:
    part = slice(number * batch_size, (number + 1) * batch_size)
    ink = pool["ink"][part]
    features = {"ink": ink.to_tensor(), "lengths": ink.row_lengths()}
    return features, pool["class_index"][part]
