"""What a record is: a serialized `tf.train.Example`, written and read here.

key          value
ink          float list, rows * 3 values, row by row (see drawings/ink.py)
shape        int64 list, [rows, 3]
class_index  int64 list, [line number of the class in the class list, from 0]
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

# One float32 a column: x, y and pen-up.
INK_COLUMNS = 3
ROW_BYTES = INK_COLUMNS * 4

# What stands around a record in a TFRecord file: its length and two checksums.
FRAME_BYTES = 16

# Records that are parsed at once where only their classes are counted.
COUNTED_RECORDS = 1024


def encode_record(ink_bytes: bytes, class_index: int) -> bytes:
    """Serializes a drawing as a `tf.train.Example`.

    Args:
      ink_bytes: the bytes of a little-endian float32 [rows, 3] array in row-major order.
      class_index: line number in the class list, from 0.

    Returns:
      What `tf.train.Example` would serialize to, with keys in alphabetical order: some nine
      times as fast, since the floats are not handled one by one.
    """
    head, tail = _record_frame(len(ink_bytes), class_index)
    return head + ink_bytes + tail


@functools.lru_cache(maxsize=1 << 16)
def _record_frame(num_bytes: int, class_index: int) -> tuple[bytes, bytes]:
    """Returns what stands before and after the ink's bytes in a record."""
    rows = num_bytes // ROW_BYTES
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
    """Returns the header of a length-delimited field (wire type 2) of a protocol buffer."""
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
        class list. `damage.find_bad_record` says which.
    """
    parsed = tf.io.parse_example(
        records,
        {
            "ink": _INK_FEATURE,
            "shape": tf.io.FixedLenFeature([2], tf.int64),
            "class_index": tf.io.FixedLenFeature([1], tf.int64),
        },
    )
    shape, class_index = parsed["shape"], parsed["class_index"][:, 0]
    with tf.control_dependencies(
        [
            tf.debugging.assert_equal(
                shape[:, 1], tf.constant(INK_COLUMNS, tf.int64), "shape is not [rows, 3]"
            ),
            tf.debugging.assert_equal(
                shape[:, 0] * INK_COLUMNS,
                parsed["ink"].row_lengths(),
                "shape is not that of the ink",
            ),
            tf.debugging.assert_non_negative(class_index, "negative class_index"),
            tf.debugging.assert_less(
                class_index, tf.constant(num_classes, tf.int64), "class_index beyond the class list"
            ),
        ]
    ):
        return _cut_into_rows(parsed["ink"]), tf.identity(class_index)


def parse_ink(records: tf.Tensor) -> tf.RaggedTensor:
    """Returns the ink alone, float32 [R, (rows), 3], of serialized records, string [R].

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: a record holds no ink, or a value that is not finite.
    """
    return _cut_into_rows(tf.io.parse_example(records, {"ink": _INK_FEATURE})["ink"])


def count_classes(files: Sequence[str], *, num_classes: int) -> np.ndarray:
    """Counts the records of each class, int64 [K], in one pass that looks at nothing else.

    Raises:
      tf.errors.OpError: a file is damaged, or a record's class is not in the class list.
    """

    @tf.autograph.experimental.do_not_convert
    def add(counts: tf.Tensor, block: tf.Tensor) -> tf.Tensor:
        parsed = tf.io.parse_example(block, {"class_index": tf.io.FixedLenFeature([], tf.int64)})
        index = parsed["class_index"]
        limit = tf.constant(num_classes, tf.int64)
        beyond = tf.debugging.assert_less(index, limit, "class_index beyond the class list")
        with tf.control_dependencies([beyond]):
            return counts + tf.math.unsorted_segment_sum(tf.ones_like(index), index, num_classes)

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        dataset = tf.data.TFRecordDataset(list(files), num_parallel_reads=tf.data.AUTOTUNE)
        zeros = tf.zeros([num_classes], tf.int64)
        return session.run(dataset.batch(COUNTED_RECORDS).reduce(zeros, add))


_INK_FEATURE = tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64)


def _cut_into_rows(ink: tf.RaggedTensor) -> tf.RaggedTensor:
    """float32 [R, (rows), 3] of [R, (values)]."""
    num_values = ink.row_lengths()
    columns = tf.constant(INK_COLUMNS, tf.int64)
    with tf.control_dependencies(
        [
            tf.debugging.assert_positive(num_values, "ink is empty"),
            tf.debugging.assert_equal(num_values % columns, 0 * columns, "ink is not [rows, 3]"),
        ]
    ):
        values = tf.debugging.check_numerics(ink.values, "ink holds NaN or infinity")
        splits = ink.row_splits // columns
    rows = tf.reshape(values, [-1, INK_COLUMNS])
    return tf.RaggedTensor.from_row_splits(rows, splits, validate=False)


def read_records(path: str) -> Iterator[bytes]:
    """Yields the serialized records of a file; raises tf.errors.DataLossError at a damaged one."""
    # The one reader that needs neither a session nor eager execution.
    return tf.compat.v1.io.tf_record_iterator(path)
