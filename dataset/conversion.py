"""From ndjson files to shuffled TFRecord shards, on all cores and in bounded memory.

Two passes do it: the first reads each file and appends its ink to buckets of neighbouring keys,
the second sorts each bucket and writes it out (see dataset/shuffle.py).
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from common import files, terminal
from common.errors import UserError
from dataset import staging, workers
from dataset.categories import Category, find_categories, other_word
from dataset.shuffle import Job, Split, Spool, drawing_keys, write_shard
from drawings import ndjson
from drawings.ndjson_files import is_gzip, open_ndjson
from records import class_list

# The names of all splits: a conversion replaces those of an earlier one that it does not make.
SPLITS = ("training", "eval", "test")

# Text parsed by one call, about 500 lines: larger blocks leave the processor's cache (measured).
BLOCK_BYTES = 256 << 10

# What a bucket should hold at most, so that a worker can sort it in memory.
BUCKET_BYTES = 32 << 20

# Estimates of a record's size, for the number of buckets: on real drawings 660 bytes, and 1.1
# times its simplified line.
RECORD_BYTES = 800
RECORD_BYTES_PER_LINE_BYTE = 1.3


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
      UserError: nothing useful would come out.
      OSError, tf.errors.OpError: a file cannot be read or written.
    """
    if not any(split.drawings_per_class for split in splits):
        raise UserError(
            "no split is to have a drawing: give one of --train_observations_per_class, "
            "--eval_observations_per_class and --test_observations_per_class above 0"
        )
    files.check_output_folder(output_path, flag="--output_path")
    categories = find_categories(ndjson_path, only=only)
    # No more processes than there are files to read or shards to write.
    num_workers = min(num_workers, max(len(categories), num_shards * len(splits)))
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
            wanted = next(split for split in splits if split.drawings_per_class)
            if not any(category.used[wanted.name] for category in converted):
                raise UserError(f"{ndjson_path}: no usable drawing for {wanted.name}")
            _write_shards(pool, job)
        classes = [category.word for category in converted]
        for split in splits:
            class_list.write_classes(
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
    file_bytes = [files.size(category.path) for category in categories]
    largest = 0.0
    for split in splits:
        by_count = split.drawings_per_class * RECORD_BYTES
        by_size = (
            size * (10 if is_gzip(category.path) else RECORD_BYTES_PER_LINE_BYTE)
            for category, size in zip(categories, file_bytes)
        )
        largest = max(largest, sum(min(by_count, size) for size in by_size))
    return int(largest / (num_shards * BUCKET_BYTES)) + 1


def _convert_categories(
    pool: concurrent.futures.Executor, job: Job, categories: Sequence[Category]
) -> list[Category]:
    progress = terminal.Progress("Converting", len(categories))
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
    progress = terminal.Progress("Shuffling", len(shards))
    futures = workers.submit(pool, write_shard, shards)
    for done, future in enumerate(concurrent.futures.as_completed(futures), start=1):
        future.result()
        progress.update(done, f"{done}/{len(shards)} shards")


def convert_category(job: Job, category: Category) -> Category:
    """Appends a file's drawings to the buckets, up to the number asked for.

    Returns:
      The category with what became of its lines filled in.
    """
    conversion = _CategoryConversion(job, category)
    with open_ndjson(category.path) as file:
        while not conversion.is_full and (text := file.read(BLOCK_BYTES) + file.readline()):
            conversion.add_lines(text)
    return conversion.finish()


class _CategoryConversion:
    """One file on its way to the buckets, block by block."""

    def __init__(self, job: Job, category: Category):
        self._job = job
        self._spool = Spool(job, category.class_index)
        self._open_splits = [
            (number, split, drawing_keys(job.seed, number, category.class_index))
            for number, split in enumerate(job.splits)
            if split.drawings_per_class
        ]
        self._done = dataclasses.replace(category, used={split.name: 0 for split in job.splits})
        self._skipped: collections.Counter[str] = collections.Counter()
        self._rows: list[np.ndarray] = []  # of the drawings used
        self._strokes: list[np.ndarray] = []

    @property
    def is_full(self) -> bool:
        """Whether all splits have as many drawings as were asked for."""
        return not self._open_splits

    def add_lines(self, text: bytes) -> None:
        """Spools a block's drawings of the category, and counts its lines."""
        parsed = ndjson.parse_lines(text, recognized_only=self._job.recognized_only)
        drawings = parsed
        if parsed.words.count(self._done.word) < len(parsed.words):
            is_of_word = [word == self._done.word for word in parsed.words]
            drawings = parsed.select(np.array(is_of_word, bool))
        taken = self._spool_drawings(drawings)
        if not self._done.sample and drawings.words:
            self._done.sample = drawings.ink[: drawings.row_splits[1]].tobytes()
        self._rows.append(np.diff(drawings.row_splits[: taken + 1]))
        self._strokes.append(drawings.num_strokes[:taken])
        self._done.simplified += int(drawings.simplified[:taken].sum())
        # Lines past the last one needed are not looked at.
        end = int(drawings.line_numbers[taken - 1]) + 1 if self.is_full else parsed.num_lines
        self._skipped.update(reason for line, reason in parsed.errors if line < end)
        others = int(np.searchsorted(parsed.line_numbers, end)) - taken
        if others:
            self._skipped[other_word(self._done.word)] += others
        self._done.read += end

    def _spool_drawings(self, drawings: ndjson.ParsedLines) -> int:
        """Fills one split after the other; returns how many of the drawings there was room for."""
        taken = 0
        while self._open_splits and taken < len(drawings.words):
            number, split, keys = self._open_splits[0]
            wanted = split.drawings_per_class - self._done.used[split.name]
            end = min(taken + wanted, len(drawings.words))
            splits = drawings.row_splits[taken : end + 1]
            ink = drawings.ink[splits[0] : splits[-1]]
            self._spool.add(number, keys.random_raw(end - taken), ink, np.diff(splits))
            self._done.used[split.name] += end - taken
            taken = end
            if self._done.used[split.name] == split.drawings_per_class:
                del self._open_splits[0]
        return taken

    def finish(self) -> Category:
        """Writes what is still spooled; returns the category with what became of its lines."""
        self._spool.flush()
        self._done.skipped = dict(self._skipped)
        self._done.points = _histogram([count + 1 for count in self._rows])
        self._done.strokes = _histogram(self._strokes)
        return self._done


def _histogram(parts: Sequence[np.ndarray]) -> dict[int, int]:
    """Returns how often each number occurs."""
    values, counts = np.unique(np.concatenate([[], *parts]).astype(int), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist()))
