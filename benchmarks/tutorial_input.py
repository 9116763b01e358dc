"""An input function written the way the tutorial's is: what ours is measured against.

Each record is parsed by itself, shuffled in a buffer of a million, repeated, and padded to the
longest of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

# The tutorial's buffer; a benchmark fills no more than it has records.
SHUFFLE_RECORDS = 1_000_000


def input_fn(files: Sequence[str], *, batch_size: int, shuffle_records: int = SHUFFLE_RECORDS):
    """Returns a function that makes a dataset of the batches that `input_pipeline` describes."""

    def parse(record: tf.Tensor):
        parsed = tf.io.parse_single_example(
            record,
            {
                "ink": tf.io.VarLenFeature(tf.float32),
                "shape": tf.io.FixedLenFeature([2], tf.int64),
                "class_index": tf.io.FixedLenFeature([1], tf.int64),
            },
        )
        ink = tf.reshape(tf.sparse.to_dense(parsed["ink"]), parsed["shape"])
        return {"ink": ink, "lengths": parsed["shape"][0]}, parsed["class_index"][0]

    def make() -> tf.data.Dataset:
        dataset = tf.data.Dataset.list_files(list(files), shuffle=True, seed=0)
        dataset = dataset.interleave(tf.data.TFRecordDataset, cycle_length=10, block_length=1)
        dataset = dataset.shuffle(shuffle_records, seed=0).repeat()
        dataset = dataset.map(parse, num_parallel_calls=10).prefetch(shuffle_records)
        return dataset.padded_batch(
            batch_size, padded_shapes=({"ink": [None, 3], "lengths": []}, [])
        )

    return make
