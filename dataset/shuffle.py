"""The shuffle: drawings into buckets of neighbouring keys, buckets into shards.

Every drawing has a random 64-bit key, drawn from the seed, its split, its class and its place in
its file. The keys' order is the order of the records across and within the shards, so that it
depends on nothing else: not on the number of processes, nor on which came first. Buckets bound
the memory: each is sorted by itself.
"""

from __future__ import annotations

import collections
import dataclasses
import glob
import os
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from records import tfrecords

# Ink that a worker holds back before it appends it to the buckets.
SPOOL_BYTES = 16 << 20


@dataclasses.dataclass(frozen=True)
class Split:
    name: str  # as in the files' names
    drawings_per_class: int


@dataclasses.dataclass(frozen=True)
class Job:
    """What all workers know."""

    splits: tuple[Split, ...]
    num_shards: int
    buckets_per_shard: int
    seed: int
    recognized_only: bool
    staging: str  # local folder


def drawing_keys(seed: int, split: int, class_index: int) -> np.random.BitGenerator:
    """Returns the stream of the drawings' keys; raw bits, which NumPy promises not to change."""
    return np.random.PCG64(np.random.SeedSequence([seed, split, class_index]))


class Spool:
    """Appends drawings to bucket files, some megabytes at a time.

    A bucket holds the drawings of a split whose keys lie in one of `num_shards *
    buckets_per_shard` equal ranges. Each process writes files of its own.
    """

    def __init__(self, job: Job, class_index: int):
        self._job = job
        self._class_index = class_index
        self._num_buckets = job.num_shards * job.buckets_per_shard
        # (keys, ink, lengths), by split
        self._parts: dict[int, list[tuple[np.ndarray, ...]]] = collections.defaultdict(list)
        self._size = 0
        self._flushes = 0

    def add(self, split: int, keys: np.ndarray, ink_rows: np.ndarray, lengths: np.ndarray) -> None:
        """Takes drawings.

        Args:
          split: number of the split.
          keys: uint64 [drawings].
          ink_rows: float32 [rows of all drawings, 3].
          lengths: int64 [drawings], rows of each.
        """
        self._parts[split].append((keys, ink_rows, lengths))
        self._size += ink_rows.nbytes
        if self._size > SPOOL_BYTES:
            self.flush()

    def flush(self) -> None:
        """Appends what is held back to the buckets, sorted by key."""
        from drawings import point_loops  # here: see drawings/compiled.py

        for split, parts in self._parts.items():
            keys, ink_rows, lengths = map(np.concatenate, zip(*parts))
            order = np.argsort(keys, kind="stable")
            keys, starts, lengths = (
                keys[order],
                (np.cumsum(lengths) - lengths)[order],
                lengths[order],
            )
            ends = np.cumsum(lengths)
            gathered = np.empty_like(ink_rows)
            point_loops.gather(ink_rows, starts, lengths, gathered)
            buckets = (keys >> np.uint64(32)) * np.uint64(self._num_buckets) >> np.uint64(32)
            firsts = np.flatnonzero(np.diff(buckets, prepend=np.uint64(self._num_buckets)))
            for first, end in zip(firsts, [*firsts[1:], len(keys)]):
                rows = slice(ends[first] - lengths[first], ends[end - 1])
                with open(self._path(split, int(buckets[first])), "ab") as file:
                    header = [self._class_index, self._flushes, end - first, gathered[rows].nbytes]
                    file.write(np.array(header, np.int64).tobytes())
                    for part in (keys[first:end], lengths[first:end], gathered[rows]):
                        file.write(part.tobytes())
        self._parts.clear()
        self._size = 0
        self._flushes += 1

    def _path(self, split: int, bucket: int) -> str:
        return os.path.join(self._job.staging, f"bucket-{split}-{bucket}-{os.getpid()}")


def write_shard(job: Job, split: int, shard: int) -> None:
    """Sorts a shard's buckets and writes them as one TFRecord file; deletes the buckets."""
    with tf.io.TFRecordWriter(os.path.join(job.staging, shard_name(job, split, shard))) as writer:
        first = shard * job.buckets_per_shard
        for bucket in range(first, first + job.buckets_per_shard):
            for record in _read_bucket(job, split, bucket):
                writer.write(record)


def shard_name(job: Job, split: int, shard: int) -> str:
    return f"{job.splits[split].name}.tfrecord-{shard:05d}-of-{job.num_shards:05d}"


def _read_bucket(job: Job, split: int, bucket: int) -> Iterator[bytes]:
    """Yields the records of a bucket in the order of their keys; deletes its files."""
    chunks = []
    for path in glob.glob(glob.escape(job.staging) + f"/bucket-{split}-{bucket}-*"):
        with open(path, "rb") as file:
            while header := file.read(4 * 8):
                class_index, flush, count, size = np.frombuffer(header, np.int64).tolist()
                keys = np.frombuffer(file.read(8 * count), np.uint64)
                lengths = np.frombuffer(file.read(8 * count), np.int64)
                chunks.append((class_index, flush, keys, lengths, file.read(size)))
        os.remove(path)
    if not chunks:
        return
    # Which process wrote a chunk, and when, must not decide between equal keys.
    chunks.sort(key=lambda chunk: chunk[:2])
    payload = b"".join(chunk[4] for chunk in chunks)
    keys = np.concatenate([chunk[2] for chunk in chunks])
    class_indices = np.repeat([chunk[0] for chunk in chunks], [len(chunk[2]) for chunk in chunks])
    ends = np.cumsum(np.concatenate([chunk[3] for chunk in chunks])) * tfrecords.ROW_BYTES
    starts = np.concatenate([[0], ends[:-1]])
    order = np.argsort(keys, kind="stable")
    places = (starts[order].tolist(), ends[order].tolist(), class_indices[order].tolist())
    for start, end, class_index in zip(*places):
        yield tfrecords.encode_record(payload[start:end], class_index)
