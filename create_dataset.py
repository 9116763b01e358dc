r"""Turns ndjson files of Quick, Draw! drawings into sharded TFRecords of ink.

    python create_dataset.py \
        --ndjson_path=rnn_tutorial_data --output_path=rnn_tutorial_data

writes training.tfrecord-00000-of-00010 and so on, eval.tfrecord-..., and the class lists
training.tfrecord.classes and eval.tfrecord.classes. See records/tfrecords.py for the records.
"""

from __future__ import annotations

from common import quiet_tensorflow  # noqa: F401  # isort: skip  (first, see common/startup.py)

import collections
import os
import time
from collections.abc import Sequence

from absl import flags

from common import programs, terminal
from dataset import conversion, conversion_report
from dataset.categories import Category, other_word

_NDJSON_PATH = flags.DEFINE_string(
    "ndjson_path", None, "Folder of .ndjson or .ndjson.gz files, one category each.", required=True
)
_OUTPUT_PATH = flags.DEFINE_string(
    "output_path", None, "Folder to write the records to; made if missing.", required=True
)
_TRAIN = flags.DEFINE_integer(
    "train_observations_per_class",
    10000,
    "Training takes the first that many usable drawings of each file.",
    lower_bound=0,
)
_EVAL = flags.DEFINE_integer(
    "eval_observations_per_class", 1000, "Evaluation takes the next that many.", lower_bound=0
)
_OUTPUT_SHARDS = flags.DEFINE_integer(
    "output_shards", 10, "Files a split is spread over.", lower_bound=1, upper_bound=99999
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Decides the shuffle: same seed, same bytes.", lower_bound=0
)
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Processes; 0 for one a core. The records do not depend on it.", lower_bound=0
)
_TEST = flags.DEFINE_integer(
    "test_observations_per_class",
    0,
    "A third split, test.tfrecord-..., takes the next that many.",
    lower_bound=0,
)
_CATEGORIES = flags.DEFINE_list(
    "categories",
    [],
    "Categories to take, separated by commas; by default all.",
)
_RECOGNIZED_ONLY = flags.DEFINE_boolean(
    "recognized_only", False, "Leave out drawings that the game did not recognise."
)

# Flags that decide what the records are; the report names them.
REPORTED_FLAGS = (
    "ndjson_path",
    "train_observations_per_class",
    "eval_observations_per_class",
    "test_observations_per_class",
    "output_shards",
    "seed",
    "categories",
    "recognized_only",
)


def print_summary(
    categories: Sequence[Category],
    splits: Sequence[conversion.Split],
    *,
    output_path: str,
    num_shards: int,
) -> None:
    print(f"\n{len(categories)} categories.")
    print_skipped(categories)
    simplified = sum(category.simplified for category in categories)
    if simplified:
        print(f"Simplified {simplified:,} drawings, which had times or more points than they need.")
    for split in splits:
        total = sum(category.used[split.name] for category in categories)
        print(f"{split.name}: {total:,} drawings in")
        print(f"  {os.path.join(output_path, split.name)}.tfrecord-?????-of-{num_shards:05d}")
        print_short(categories, split)
        if not total and split.drawings_per_class:
            terminal.warn(
                f"no drawing was left for {split.name}: every file ends before its turn. Lower "
                "--train_observations_per_class, or get more drawings"
            )
    print(f"Class list: {os.path.join(output_path, splits[0].name)}.tfrecord.classes")
    report, picture = conversion_report.REPORT_FILE, conversion_report.PICTURE_FILE
    print(f"Report: {os.path.join(output_path, report)}, and a drawing of each category in")
    print(f"  {os.path.join(output_path, picture)}")


def print_skipped(categories: Sequence[Category]) -> None:
    """Says how many lines were skipped and why, and which files mix several words."""
    skipped: collections.Counter[str] = collections.Counter()
    for category in categories:
        skipped.update(category.skipped)
    if skipped:
        print(f"Skipped {sum(skipped.values()):,} lines:")
        for reason, count in skipped.most_common():
            print(f"  {count:9,}  {reason}")
    for category in categories:
        others = category.skipped.get(other_word(category.word), 0)
        if others > sum(category.used.values()):
            terminal.warn(
                f"{category.path}: {others:,} of its drawings have another word than the first, "
                f"{category.word!r}, and were skipped; a file is one category: split it"
            )


def print_short(categories: Sequence[Category], split: conversion.Split) -> None:
    """Says which categories have fewer drawings in a split than were asked for."""
    short = [c for c in categories if c.used[split.name] < split.drawings_per_class]
    if short:
        short.sort(key=lambda category: category.used[split.name])
        names = ", ".join(f"{c.word} ({c.used[split.name]:,})" for c in short[:5])
        more = f" and {len(short) - 5:,} more" if len(short) > 5 else ""
        print(
            f"  fewer than the {split.drawings_per_class:,} asked for in {len(short):,} "
            f"categories: {names}{more}"
        )


def main() -> None:
    splits = [
        conversion.Split("training", _TRAIN.value),
        conversion.Split("eval", _EVAL.value),
    ]
    if _TEST.value:
        splits.append(conversion.Split("test", _TEST.value))
    settings = {name: flags.FLAGS[name].value for name in REPORTED_FLAGS}
    started = time.monotonic()
    categories = conversion.convert(
        _NDJSON_PATH.value,
        _OUTPUT_PATH.value,
        splits=splits,
        num_shards=_OUTPUT_SHARDS.value,
        seed=_SEED.value,
        num_workers=_WORKERS.value or os.cpu_count() or 1,
        only=programs.flag_items(_CATEGORIES),
        recognized_only=_RECOGNIZED_ONLY.value,
        describe=lambda folder, categories: conversion_report.write_report(
            folder, categories, settings=settings
        ),
    )
    print_summary(
        categories, splits, output_path=_OUTPUT_PATH.value, num_shards=_OUTPUT_SHARDS.value
    )
    print(f"Done in {terminal.duration(time.monotonic() - started)}.")


if __name__ == "__main__":
    programs.run(main)
