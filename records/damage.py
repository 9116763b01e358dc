"""What is wrong with record files: which file, which record, and what to do."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from common import files as file_system
from common.errors import UserError
from records import tfrecords

# How a file begins that gzip has compressed.
GZIP = b"\x1f\x8b\x08"


def check_first_records(files: Sequence[str], *, num_classes: int, flag: str) -> None:
    """Looks at the first record of each file, so that a mistake shows before anything is built.

    Raises:
      UserError: a first record is bad, or no file holds any. `flag` named the files.
    """
    bad_record = find_bad_record(files, num_classes=num_classes, records_per_file=1)
    if bad_record:
        raise UserError(bad_record)
    if not any(True for path in files for _ in tfrecords.read_records(path)):
        raise UserError(
            f"{flag}: {files[0]} and the others hold no record; did create_dataset.py warn that "
            "no drawing was left for them?"
        )


@contextlib.contextmanager
def bad_records_named(files: Sequence[str], *, num_classes: int) -> Iterator[None]:
    """Where reading fails, says which record of which file is bad.

    Raises:
      UserError: one is, instead of what TensorFlow says. Other errors stay as they are.
    """
    try:
        yield
    # The last where TensorFlow's message quotes the record's bytes.
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError, UnicodeDecodeError) as error:
        bad_record = find_bad_record(files, num_classes=num_classes)
        if bad_record:
            raise UserError(bad_record) from error
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
            records = itertools.islice(tfrecords.read_records(path), records_per_file)
            for number, record in enumerate(records, start=1):
                fault = describe_record(record, num_classes=num_classes)
                if fault:
                    return f"{path}, record {number}: {fault}"
        except tf.errors.OpError as error:
            with file_system.open_bytes(path) as file:
                if file.read(len(GZIP)) == GZIP:
                    return f"{path}: is compressed with gzip; decompress it with gunzip"
            return (
                f"{path}: cannot be read after record {number}: {error.message}. The file is "
                "damaged or not a TFRecord file; convert or copy it again"
            )
    return None


def describe_record(record: bytes, *, num_classes: int) -> str | None:
    """Says what is wrong with a serialized record, and what to do; None if nothing is."""
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
    rows, rest = divmod(len(ink), tfrecords.INK_COLUMNS)
    if not rows or rest or shape != [rows, tfrecords.INK_COLUMNS]:
        return f"has shape {shape} for {len(ink)} ink values; convert the drawings again"
    if not np.isfinite(ink).all():
        return "holds ink that is not a number (NaN or infinity); convert the drawings again"
    if len(index) != 1:
        return f"has {len(index)} class indices instead of one; convert the drawings again"
    if not 0 <= index[0] < num_classes:
        return (
            f"has class_index {index[0]}, but the class list has {num_classes} classes (0 to "
            f"{num_classes - 1}); is it the list that was written beside these records?"
        )
    return None
