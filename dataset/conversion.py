"""From ndjson files to shuffled TFRecord shards, on all cores and in bounded memory.

Every drawing has a random 64-bit key, drawn from the seed, its split, its class and its place in
its file. The keys' order is the order of the records across and within the shards, so that it
depends on nothing else: not on the number of processes, nor on which came first. Two passes do it
in bounded memory: the first appends ink to buckets of neighbouring keys, the second sorts
each bucket and writes it out.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import glob
import gzip
import io
import itertools
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence

from common import console

import numpy as np
import tensorflow as tf

import input_pipeline
from dataset import staging, workers
from drawings import kernels, ndjson

# The names of all splits: a conversion replaces those of an earlier one that it does not make.
SPLITS = ("training", "eval", "test")

# Text parsed by one call, some 500 lines: larger blocks leave the processor's cache (measured).
BLOCK_BYTES = 256 << 10

# Ink that a worker holds back before it appends it to the buckets, and bytes of its rows.
SPOOL_BYTES = 16 << 20
INK_ROW_BYTES = 12

# What a bucket should hold at most, so that a worker can sort it in memory.
BUCKET_BYTES = 32 << 20

# Estimates of a record's size, for the number of buckets: on real drawings 660 bytes, and 1.1
# times its simplified line.
RECORD_BYTES = 800
RECORD_BYTES_PER_LINE_BYTE = 1.3


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


@dataclasses.dataclass
class Category:
    """One file: which class it holds, and in the end what became of its lines."""

    path: str
    word: str
    class_index: int = -1
    read: int = 0  # lines
    used: dict[str, int] = dataclasses.field(default_factory=dict)  # drawings, by split
    skipped: dict[str, int] = dataclasses.field(default_factory=dict)  # lines, by reason
    points: dict[int, int] = dataclasses.field(default_factory=dict)  # drawings, by their points
    strokes: dict[int, int] = dataclasses.field(default_factory=dict)  # drawings, by their strokes
    sample: bytes = b""  # the first drawing's ink


# ---- Reading ----


@contextlib.contextmanager
def open_ndjson(path: str) -> Iterator[io.BufferedIOBase]:
    """Opens an ndjson file, compressed or not, local or remote, for reading bytes."""
    with contextlib.ExitStack() as stack:
        opener = tf.io.gfile.GFile if "://" in path else open  # ours reads lines much faster
        file = stack.enter_context(opener(path, "rb"))
        if path.endswith(".gz"):
            file = stack.enter_context(gzip.GzipFile(fileobj=file))
        try:
            yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: the compressed file is damaged ({error})") from None


def find_categories(ndjson_path: str, *, only: Sequence[str] = ()) -> list[Category]:
    """Finds the files and the category of each: the word of its first usable line.

    Args:
      ndjson_path: folder of ndjson files.
      only: categories to take; none for all.

    Returns:
      The categories sorted by word, each with its index in that order.

    Raises:
      ValueError: there is no file, none holds a usable drawing, or two hold the same category.
    """
    patterns = [os.path.join(ndjson_path, ending) for ending in ("*.ndjson", "*.ndjson.gz")]
    paths = sorted(itertools.chain.from_iterable(map(tf.io.gfile.glob, patterns)))
    if not paths:
        if not tf.io.gfile.isdir(ndjson_path):
            raise ValueError(f"--ndjson_path={ndjson_path}: no such folder")
        raise ValueError(
            f"--ndjson_path={ndjson_path}: no .ndjson file in it; the README says where the "
            "drawings come from"
        )
    by_word = {}
    for path in paths:
        word = _first_word(path)
        if word is None:
            console.warn(f"{path}: holds no usable drawing; left out")
        elif word in by_word:
            raise ValueError(
                f"{path} and {by_word[word].path} hold the same category {word!r}; a category "
                "is one file: join or remove one of them"
            )
        else:
            by_word[word] = Category(path, word)
    if not by_word:
        raise ValueError(f"--ndjson_path={ndjson_path}: none of its files holds a usable drawing")
    missing = sorted(set(only) - set(by_word))
    if missing:
        raise ValueError(
            f"--categories: no file of {', '.join(map(repr, missing))} in {ndjson_path}"
        )
    if only:
        by_word = {word: by_word[word] for word in only}
    categories = sorted(by_word.values(), key=lambda category: category.word)
    for index, category in enumerate(categories):
        category.class_index = index
    return categories


def _first_word(path: str) -> str | None:
    with open_ndjson(path) as file:
        for line in file:
            # As the workers parse, so that what they need is compiled once, before there are any.
            if words := ndjson.parse_lines(line).words:
                return words[0]
    return None


# ---- First pass: drawings into buckets ----


def drawing_keys(seed: int, split: int, class_index: int) -> np.random.BitGenerator:
    """The stream of the drawings' keys; raw bits, which NumPy promises not to change."""
    return np.random.PCG64(np.random.SeedSequence([seed, split, class_index]))


def convert_category(job: Job, category: Category) -> Category:
    """Appends a file's drawings to the buckets, up to the number asked for.

    Returns:
      The category with what became of its lines filled in.
    """
    spool = Spool(job, category.class_index)
    done = dataclasses.replace(category, used={split.name: 0 for split in job.splits})
    skipped = collections.Counter()
    rows, strokes = [], []  # of the drawings used
    open_splits = [
        (number, split, drawing_keys(job.seed, number, category.class_index))
        for number, split in enumerate(job.splits)
        if split.drawings_per_class
    ]
    with open_ndjson(category.path) as file:
        while open_splits and (text := file.read(BLOCK_BYTES) + file.readline()):
            parsed = ndjson.parse_lines(text, recognized_only=job.recognized_only)
            ours = parsed
            if parsed.words.count(category.word) < len(parsed.words):
                ours = parsed.select(
                    np.array([word == category.word for word in parsed.words], bool)
                )
            taken = 0
            while open_splits and taken < len(ours.words):
                number, split, keys = open_splits[0]
                wanted = split.drawings_per_class - done.used[split.name]
                end = min(taken + wanted, len(ours.words))
                splits = ours.row_splits[taken : end + 1]
                spool.add(
                    number,
                    keys.random_raw(end - taken),
                    ours.ink[splits[0] : splits[-1]],
                    np.diff(splits),
                )
                done.used[split.name] += end - taken
                taken = end
                if done.used[split.name] == split.drawings_per_class:
                    del open_splits[0]
            if not done.sample and ours.words:
                done.sample = ours.ink[: ours.row_splits[1]].tobytes()
            # Lines past the last one needed are not looked at.
            last = parsed.num_lines if open_splits else int(ours.line_numbers[taken - 1]) + 1
            rows.append(np.diff(ours.row_splits[: taken + 1]))
            strokes.append(ours.num_strokes[:taken])
            skipped.update(reason for line, reason in parsed.errors if line < last)
            others = int(np.searchsorted(parsed.line_numbers, last)) - taken
            if others:
                skipped[f"a word other than the file's, {category.word!r}"] += others
            done.read += last
    spool.flush()
    done.skipped = dict(skipped)
    done.points = _histogram([count + 1 for count in rows])
    done.strokes = _histogram(strokes)
    return done


def _histogram(parts: Sequence[np.ndarray]) -> dict[int, int]:
    """How often each number occurs."""
    values, counts = np.unique(np.concatenate([[], *parts]).astype(int), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist()))


class Spool:
    """Appends drawings to bucket files, some megabytes at a time.

    A bucket holds the drawings of a split whose keys lie in one of `num_shards *
    buckets_per_shard` equal ranges. Each process writes files of its own.
    """

    def __init__(self, job: Job, class_index: int):
        self._job = job
        self._class_index = class_index
        self._num_buckets = job.num_shards * job.buckets_per_shard
        self._parts = collections.defaultdict(list)  # (keys, ink, lengths), by split
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
            kernels.gather(ink_rows, starts, lengths, gathered)
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


# ---- Second pass: buckets into shards ----


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
    ends = np.cumsum(np.concatenate([chunk[3] for chunk in chunks])) * INK_ROW_BYTES
    starts = np.concatenate([[0], ends[:-1]])
    order = np.argsort(keys, kind="stable")
    places = (starts[order].tolist(), ends[order].tolist(), class_indices[order].tolist())
    for start, end, class_index in zip(*places):
        yield input_pipeline.encode_record(payload[start:end], class_index)


# ---- The conversion ----


def convert(
    ndjson_path: str,
    output_path: str,
    *,
    splits: Sequence[Split],
    num_shards: int,
    seed: int,
    num_workers: int,
    only: Sequence[str] = (),
    recognized_only: bool = False,
    describe: Callable[[str, Sequence[Category]], None] | None = None,
) -> list[Category]:
    """Converts a folder; files appear in `output_path` only when all are complete.

    Args:
      ndjson_path: folder of ndjson files.
      output_path: folder to write to.
      splits: what to take from each file, in this order.
      num_shards: files a split is spread over.
      seed: of the order of the records.
      num_workers: processes.
      only: categories to take; none for all.
      recognized_only: whether to leave out what the game did not recognise.
      describe: called with a folder and the categories when all records are written; what it
        writes there appears beside the records.

    Returns:
      The categories, with what became of their lines.

    Raises:
      ValueError: nothing useful would come out.
      OSError, tf.errors.OpError: a file cannot be read or written.
    """
    categories = find_categories(ndjson_path, only=only)
    with staging.staging_folder(output_path) as folder, _name_folder(output_path):
        job = Job(
            splits=tuple(splits),
            num_shards=num_shards,
            buckets_per_shard=_buckets_per_shard(categories, splits, num_shards),
            seed=seed,
            recognized_only=recognized_only,
            staging=folder,
        )
        with workers.worker_pool(num_workers) as pool:
            converted = _convert_categories(pool, job, categories)
            if not any(category.used[splits[0].name] for category in converted):
                raise ValueError(f"{ndjson_path}: no usable drawing for {splits[0].name}")
            _write_shards(pool, job)
        classes = [category.word for category in converted]
        for split in splits:
            input_pipeline.write_classes(
                os.path.join(folder, f"{split.name}.tfrecord.classes"), classes
            )
        if describe:
            describe(folder, converted)
        staging.publish(folder, output_path, splits=SPLITS)
    return converted


@contextlib.contextmanager
def _name_folder(output_path: str) -> Iterator[None]:
    """A failing write, on a full disk for example, does not say where it was."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or output_path
        raise


def _buckets_per_shard(
    categories: Sequence[Category], splits: Sequence[Split], num_shards: int
) -> int:
    """So many that a bucket of the largest split stays below BUCKET_BYTES."""
    file_bytes = [tf.io.gfile.stat(category.path).length for category in categories]
    largest = 0
    for split in splits:
        by_count = split.drawings_per_class * RECORD_BYTES
        by_size = (
            size * (10 if category.path.endswith(".gz") else RECORD_BYTES_PER_LINE_BYTE)
            for category, size in zip(categories, file_bytes)
        )
        largest = max(largest, sum(min(by_count, size) for size in by_size))
    return int(largest / (num_shards * BUCKET_BYTES)) + 1


def _convert_categories(
    pool: concurrent.futures.Executor, job: Job, categories: Sequence[Category]
) -> list[Category]:
    progress = console.Progress("Converting", len(categories))
    started = time.monotonic()
    futures = workers.submit(pool, convert_category, [(job, category) for category in categories])
    drawings = 0
    for done, future in enumerate(concurrent.futures.as_completed(futures), start=1):
        drawings += sum(future.result().used.values())
        rate = drawings / (time.monotonic() - started)
        progress.update(
            done, f"{done}/{len(futures)} categories, {drawings:,} drawings, {rate:,.0f}/s"
        )
    return [future.result() for future in futures]


def _write_shards(pool: concurrent.futures.Executor, job: Job) -> None:
    shards = list(itertools.product([job], range(len(job.splits)), range(job.num_shards)))
    progress = console.Progress("Shuffling", len(shards))
    futures = workers.submit(pool, write_shard, shards)
    for done, future in enumerate(concurrent.futures.as_completed(futures), start=1):
        future.result()
        progress.update(done, f"{done}/{len(shards)} shards")
