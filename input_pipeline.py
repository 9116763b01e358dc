"""Records, the class list, and the batches that training and evaluation read.

A record is a serialized `tf.train.Example`, written by `encode_record` and read by
`parse_records`:

    key          value
    ink          float list, rows * 3 values, row by row (see ink.py)
    shape        int64 list, [rows, 3]
    class_index  int64 list, [line number of the class in the class list, from 0]

A batch is `({"ink": float32 [B, T, 3], "shape": int64 [B, 2]}, class_index int64 [B])`.
B is the batch size, T the longest ink of the batch; rows past a drawing's own length,
`shape[:, 0]`, are zeros.

The way of a record to a batch, and why each step stands where it does:

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

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

# One float32 a column: x, y and pen-up.
INK_COLUMNS = 3

# Batches a pool: on real drawings 128 leave 2% of the arithmetic of batches of 8 to padding, 5% of
# batches of 64 and 8% of batches of 256; with 32, which train no better, it was twice as much.
POOL_BATCHES = 128

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

Features = dict[str, tf.Tensor]
InputFn = Callable[[], tf.data.Dataset]


# ---- Records ----


def encode_record(ink_bytes: bytes, class_index: int) -> bytes:
    """Serializes a drawing as a `tf.train.Example`.

    Args:
      ink_bytes: the bytes of a little-endian float32 [rows, 3] array in row-major order.
      class_index: line number in the class list, from 0.

    Returns:
      What `tf.train.Example` would serialize to, with keys in alphabetical order: some 20
      times faster, since the floats are not taken in hand one by one.
    """
    head, tail = _record_frame(len(ink_bytes), class_index)
    return head + ink_bytes + tail


@functools.lru_cache(maxsize=1 << 16)
def _record_frame(num_bytes: int, class_index: int) -> tuple[bytes, bytes]:
    """What stands before and after the ink's bytes in a record."""
    rows = num_bytes // (INK_COLUMNS * 4)
    # Field numbers of example.proto and feature.proto: Example.features 1, Features.feature 1
    # (a map: key 1, value 2), Feature.float_list 2, Feature.int64_list 3, value 1 (packed).
    before = _map_entry(b"class_index", _field(3, _field(1, _varint(class_index))))
    after = _map_entry(b"shape", _field(3, _field(1, _varint(rows) + _varint(INK_COLUMNS))))
    header, length = b"", num_bytes
    for number in (1, 2, 2):  # the float list's value, its feature, the map entry's value
        header = _field_header(number, length) + header
        length = num_bytes + len(header)
    key = _field(1, b"ink")
    header = _field_header(1, len(key) + length) + key + header
    total = len(before) + len(header) + num_bytes + len(after)
    return _field_header(1, total) + before + header, after


def _map_entry(key: bytes, value: bytes) -> bytes:
    return _field(1, _field(1, key) + _field(2, value))


def _field(number: int, payload: bytes) -> bytes:
    return _field_header(number, len(payload)) + payload


def _field_header(number: int, length: int) -> bytes:
    """Of a length-delimited field (wire type 2) of a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(length)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def parse_records(records: tf.Tensor, *, num_classes: int) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Parses many serialized records by one call.

    Args:
      records: string [R].
      num_classes: class indices must be below it.

    Returns:
      ink: float32 [R, (rows), 3], ragged.
      class_index: int64 [R].

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: a record is not one of ours, or its class is not in the
        class list. `find_bad_record` says which.
    """
    parsed = tf.io.parse_example(
        records,
        {
            "ink": tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64),
            "shape": tf.io.FixedLenFeature([2], tf.int64),
            "class_index": tf.io.FixedLenFeature([1], tf.int64),
        },
    )
    num_values = parsed["ink"].row_lengths()
    shape, class_index = parsed["shape"], parsed["class_index"][:, 0]
    with tf.control_dependencies(
        [
            tf.debugging.assert_positive(num_values, "ink is empty"),
            tf.debugging.assert_equal(
                shape[:, 1], tf.constant(3, tf.int64), "shape is not [rows, 3]"
            ),
            tf.debugging.assert_equal(shape[:, 0] * 3, num_values, "shape is not that of the ink"),
            tf.debugging.assert_non_negative(class_index, "negative class_index"),
            tf.debugging.assert_less(
                class_index, tf.constant(num_classes, tf.int64), "class_index beyond the class list"
            ),
        ]
    ):
        rows = tf.reshape(parsed["ink"].values, [-1, INK_COLUMNS])
        splits = parsed["ink"].row_splits // INK_COLUMNS
    return tf.RaggedTensor.from_row_splits(rows, splits, validate=False), class_index


# ---- The class list ----


def write_classes(path: str, classes: Sequence[str]) -> None:
    """Writes a class list: UTF-8, one name a line, the line's number from 0 its index."""
    with tf.io.gfile.GFile(path, "w") as file:
        file.write("".join(name + "\n" for name in classes))


def read_classes(path: str) -> list[str]:
    """Reads a class list.

    Raises:
      ValueError: there is no such file, or it is empty or names a class twice.
    """
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            text = file.read().decode("utf-8-sig")
    except tf.errors.NotFoundError:
        raise ValueError(
            f"{path}: no such class list; create_dataset.py writes one beside the records, "
            "as its last step"
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a class list in UTF-8 ({error})") from None
    classes = [line.rstrip("\r") for line in text.split("\n")]
    while classes and not classes[-1]:
        classes.pop()
    if not classes:
        raise ValueError(f"{path}: the class list is empty; expected one class name a line")
    line_of = {}
    for number, name in enumerate(classes, start=1):
        if not name.strip():
            raise ValueError(f"{path}, line {number}: a blank line among the class names")
        if name in line_of:
            raise ValueError(
                f"{path}, line {number}: class {name!r} stands on line {line_of[name]} already"
            )
        line_of[name] = number
    return classes


# ---- Input functions ----


def match_files(patterns: str, *, flag: str = "the pattern") -> list[str]:
    """The files that a comma-separated list of glob patterns matches, sorted.

    Args:
      patterns: what the user gave.
      flag: where it came from, for the message.

    Raises:
      ValueError: there is none.
    """
    try:
        files = sorted({f for p in patterns.split(",") if p for f in tf.io.gfile.glob(p.strip())})
    except tf.errors.OpError as error:
        raise ValueError(f"{flag}={patterns}: {error.message}") from None
    if not files:
        raise ValueError(
            f"{flag}={patterns} matches no file; is the folder right? create_dataset.py writes "
            "training.tfrecord-00000-of-00010 and so on"
        )
    return files


def training_input_fn(
    files: Sequence[str],
    *,
    batch_size: int,
    num_classes: int,
    seed: int,
    num_epochs: int | None = None,
    part: int = 0,
    num_parts: int = 1,
) -> InputFn:
    """Shuffled full batches of drawings of about one length.

    Args:
      files: TFRecord files.
      batch_size: B.
      num_classes: class indices must be below it.
      seed: the same seed gives the same batches.
      num_epochs: passes over the records; None goes on forever. Where they end, the last
        batch may be smaller.
      part, num_parts: of several processes that train together, each reads a part: so many
        of the files, or, where there are fewer files than processes, so many of their blocks.

    Returns:
      A function without arguments that makes the dataset, as Estimator wants it.
    """

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
            dataset, batch_size=batch_size, num_classes=num_classes, shuffle_seed=seed + 2
        )
        return dataset.prefetch(PREFETCH_BATCHES)

    return input_fn


def eval_input_fn(
    files: Sequence[str], *, batch_size: int, num_classes: int, stroke_share: float = 1.0
) -> InputFn:
    """One pass over every drawing, the last smaller batch included. See `training_input_fn`.

    With a `stroke_share` below 1 a drawing is only its first strokes, as in `first_strokes`.
    """

    def first(features: Features, class_index: tf.Tensor) -> tuple[Features, tf.Tensor]:
        return first_strokes(features, stroke_share), class_index

    def input_fn() -> tf.data.Dataset:
        dataset = _read_blocks(tf.data.Dataset.from_tensor_slices(list(files)))
        dataset = _sorted_batches(
            dataset, batch_size=batch_size, num_classes=num_classes, shuffle_seed=None
        )
        if stroke_share < 1:
            dataset = dataset.map(first)
        return dataset.prefetch(PREFETCH_BATCHES)

    return input_fn


def first_strokes(features: Features, share: float) -> Features:
    """What a batch's drawings were when a share of their strokes was drawn.

    A drawing of n strokes is left with the first ceil(share * n) of them, scaled to fill the
    unit square: the ink of a drawing that ended there.

    Args:
      features: `ink` float32 [B, T, 3] and `shape` int64 [B, 2].
      share: above 0, up to 1.
    """
    ink, lengths = features["ink"], features["shape"][:, 0]
    own = tf.sequence_mask(lengths, tf.shape(ink)[1])  # [B, T]
    pen_up = tf.cast(own & (ink[:, :, 2] > 0.5), tf.float32)
    wanted = tf.maximum(tf.math.ceil(share * tf.reduce_sum(pen_up, axis=1)), 1.0)  # [B]
    ended = tf.cumsum(pen_up, axis=1, exclusive=True)  # [B, T], strokes before the row's
    kept = (own & (ended < wanted[:, tf.newaxis]))[:, :, tf.newaxis]  # [B, T, 1]
    at = tf.where(kept, tf.cumsum(ink[:, :, :2], axis=1), 0.0)  # [B, T, 2]
    # The first point, from which the first row leads to the second, is the origin.
    upper = tf.maximum(tf.reduce_max(at, axis=1, keepdims=True), 0.0)  # [B, 1, 2]
    lower = tf.minimum(tf.reduce_min(at, axis=1, keepdims=True), 0.0)
    extent = tf.where(upper > lower, upper - lower, tf.ones_like(upper))
    ink = tf.where(kept, tf.concat([ink[:, :, :2] / extent, ink[:, :, 2:]], axis=2), 0.0)
    lengths = tf.math.count_nonzero(kept, axis=[1, 2])
    shape = tf.stack([lengths, features["shape"][:, 1]], axis=1)
    return {"ink": ink[:, : tf.reduce_max(lengths)], "shape": shape}


def _read_blocks(files: tf.data.Dataset) -> tf.data.Dataset:
    def read_file(path: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(path, buffer_size=READ_BUFFER_BYTES).batch(BLOCK_RECORDS)

    return files.interleave(
        read_file, cycle_length=PARALLEL_FILES, num_parallel_calls=PARALLEL_FILES
    )


def _sorted_batches(
    blocks: tf.data.Dataset, *, batch_size: int, num_classes: int, shuffle_seed: int | None
) -> tf.data.Dataset:
    """Makes batches, sorted by length within pools, of blocks of serialized records."""

    def parse_pool(pool: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        ink, class_index = parse_records(pool, num_classes=num_classes)
        order = tf.argsort(ink.row_lengths(), stable=True)
        return tf.gather(ink, order), tf.gather(class_index, order)

    def cut_pool(
        pool_number: tf.Tensor, pool: tuple[tf.RaggedTensor, tf.Tensor]
    ) -> tf.data.Dataset:
        ink, class_index = pool
        numbers = tf.range(-(-tf.shape(class_index)[0] // batch_size))
        if shuffle_seed is not None:
            numbers = tf.random.experimental.stateless_shuffle(
                numbers, seed=[shuffle_seed, pool_number]
            )
        batches = tf.data.Dataset.from_tensor_slices(numbers)
        return batches.map(lambda number: _cut_batch(ink, class_index, number, batch_size))

    pools = blocks.rebatch(batch_size * POOL_BATCHES)
    pools = pools.map(parse_pool, num_parallel_calls=PARALLEL_POOLS)
    return pools.enumerate().flat_map(cut_pool)


def _cut_batch(
    ink: tf.RaggedTensor, class_index: tf.Tensor, number: tf.Tensor, batch_size: int
) -> tuple[Features, tf.Tensor]:
    part = slice(number * batch_size, (number + 1) * batch_size)
    batch = ink[part]
    lengths = batch.row_lengths()
    shape = tf.stack([lengths, tf.fill(tf.shape(lengths), tf.constant(3, tf.int64))], axis=1)
    return {"ink": batch.to_tensor(), "shape": shape}, class_index[part]  # [B, T, 3], [B, 2], [B]


# ---- What is wrong with a file ----


def check_first_records(files: Sequence[str], *, num_classes: int, flag: str) -> None:
    """Looks at the first record of each file, so that a mistake shows before anything is built.

    Raises:
      ValueError: a first record is bad, or no file holds any. `flag` named the files.
    """
    problem = find_bad_record(files, num_classes=num_classes, records_per_file=1)
    if problem:
        raise ValueError(problem)
    if not any(True for path in files for _ in read_records(path)):
        raise ValueError(
            f"{flag}: {files[0]} and the others hold no record; did create_dataset.py warn that "
            "no drawing was left for them?"
        )


@contextlib.contextmanager
def explained_errors(files: Sequence[str], *, num_classes: int) -> Iterator[None]:
    """Where reading fails, says which record of which file is bad.

    Raises:
      ValueError: one is, instead of what TensorFlow says. Other errors stay as they are.
    """
    try:
        yield
    # The last where TensorFlow's message quotes the record's bytes.
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError, UnicodeDecodeError) as error:
        problem = find_bad_record(files, num_classes=num_classes)
        if problem:
            raise ValueError(problem) from error
        raise


def find_bad_record(
    files: Iterable[str], *, num_classes: int, records_per_file: int | None = None
) -> str | None:
    """Reads files record by record and describes the first thing wrong with them.

    Args:
      files: TFRecord files.
      num_classes: class indices must be below it.
      records_per_file: how many of each to look at; None for all.

    Returns:
      Which file and record, what is wrong and what to do; None if all is well.
    """
    for path in files:
        number = 0
        try:
            records = itertools.islice(read_records(path), records_per_file)
            for number, record in enumerate(records, start=1):
                problem = describe_record(record, num_classes=num_classes)
                if problem:
                    return f"{path}, record {number}: {problem}"
        except tf.errors.OpError as error:
            return (
                f"{path}: cannot be read after record {number}: {error.message}. The file is "
                "damaged or not a TFRecord file; convert or copy it again"
            )
    return None


def read_records(path: str) -> Iterator[bytes]:
    """Yields the serialized records of a file; raises tf.errors.DataLossError at a damaged one."""
    # The one reader that needs neither a session nor eager execution.
    return tf.compat.v1.io.tf_record_iterator(path)


def describe_record(record: bytes, *, num_classes: int) -> str | None:
    """What is wrong with a serialized record, and what to do; None if nothing is."""
    try:
        feature = tf.train.Example.FromString(record).features.feature
    except Exception:  # protobuf's DecodeError is another class in each implementation of it
        return "not a serialized tf.train.Example; was the file written by create_dataset.py?"
    missing = [key for key in ("ink", "shape", "class_index") if key not in feature]
    if missing:
        return (
            f"has no {' and no '.join(missing)}, only {sorted(feature) or 'nothing'}; was the "
            "file written by create_dataset.py?"
        )
    ink = np.array(feature["ink"].float_list.value)
    shape = list(feature["shape"].int64_list.value)
    index = list(feature["class_index"].int64_list.value)
    if not len(ink) or shape != [len(ink) // INK_COLUMNS, INK_COLUMNS] or len(ink) % INK_COLUMNS:
        return f"has shape {shape} for {len(ink)} ink values; convert the drawings again"
    if len(index) != 1:
        return f"has {len(index)} class indices instead of one; convert the drawings again"
    if not 0 <= index[0] < num_classes:
        return (
            f"has class_index {index[0]}, but the class list has {num_classes} classes (0 to "
            f"{num_classes - 1}); is it the list that was written beside these records?"
        )
    return None
