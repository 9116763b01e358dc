r"""Turns ndjson files of Quick, Draw! drawings into sharded TFRecords of ink.

    python create_dataset.py \
        --ndjson_path=rnn_tutorial_data --output_path=rnn_tutorial_data

writes training.tfrecord-00000-of-00010 and so on, eval.tfrecord-..., and the class lists
training.tfrecord.classes and eval.tfrecord.classes. See input_pipeline.py for the records.
"""

from __future__ import annotations

import collections
import json
import os
import time
from collections.abc import Sequence

from common import console

import tensorflow as tf
from absl import flags

from dataset import conversion
from drawings import pictures

_NDJSON_PATH = flags.DEFINE_string(
    "ndjson_path", None, "Folder of .ndjson or .ndjson.gz files, one category each.", required=True
)
_OUTPUT_PATH = flags.DEFINE_string(
    "output_path", None, "Folder to write the records to; made if missing.", required=True
)
_TRAIN = flags.DEFINE_integer(
    "train_observations_per_class", 10000,
    "Training takes the first that many usable drawings of each file.", lower_bound=1,
)  # fmt: skip
_EVAL = flags.DEFINE_integer(
    "eval_observations_per_class", 1000, "Evaluation takes the next that many.", lower_bound=0
)
_OUTPUT_SHARDS = flags.DEFINE_integer(
    "output_shards", 10, "Files a split is spread over.", lower_bound=1, upper_bound=99999
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of the shuffle: same seed, same bytes.", lower_bound=0, allow_override=True
)
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Processes; 0 for one a core. The records do not depend on it.", lower_bound=0
)
_TEST = flags.DEFINE_integer(
    "test_observations_per_class", 0,
    "A third split, test.tfrecord-..., takes the next that many.", lower_bound=0,
)  # fmt: skip
_CATEGORIES = flags.DEFINE_list(
    "categories", [], "Categories to take, separated by commas; by default all.",
    allow_override=True,
)  # fmt: skip
_RECOGNIZED_ONLY = flags.DEFINE_boolean(
    "recognized_only", False, "Leave out drawings that the game did not recognise."
)

REPORT_FILE = "conversion_report.json"
PICTURE_FILE = "conversion_samples.png"

# Flags that decide what the records are; the report names them.
REPORTED_FLAGS = (
    "ndjson_path", "train_observations_per_class", "eval_observations_per_class",
    "test_observations_per_class", "output_shards", "seed", "categories", "recognized_only",
)  # fmt: skip

# Drawings on the picture: of every category, up to so many.
MAX_SAMPLES = 400


# ---- The report ----


def make_report(
    categories: Sequence[conversion.Category], *, settings: dict[str, object]
) -> dict[str, object]:
    """What became of every line, and how long and how intricate the drawings are."""
    return {
        "settings": settings,
        "total": _describe(categories),
        "categories": {category.word: _describe([category]) for category in categories},
    }


def _describe(categories: Sequence[conversion.Category]) -> dict[str, object]:
    sums = {name: collections.Counter() for name in ("used", "skipped", "points", "strokes")}
    for category in categories:
        for name, counts in sums.items():
            counts.update(getattr(category, name))
    return {
        "files": [category.path for category in categories],
        "lines_read": sum(category.read for category in categories),
        "drawings": dict(sums["used"]),
        "skipped": dict(sums["skipped"].most_common()),
        "points_per_drawing": quantiles(sums["points"]),
        "strokes_per_drawing": quantiles(sums["strokes"]),
    }


def quantiles(counts: dict[int, int]) -> dict[str, int]:
    """Median, 95th and 99th percentile and maximum of values that occur so many times.

    By nearest rank: the smallest value that no smaller share of all values reaches.
    """
    total = sum(counts.values())
    if not total:
        return {}
    shares = {"median": 50, "percentile_95": 95, "percentile_99": 99, "maximum": 100}
    result, reached, values = {}, 0, iter(sorted(counts))
    for name, percent in shares.items():
        while reached * 100 < percent * total:
            value = next(values)
            reached += counts[value]
        result[name] = value
    return result


def write_report(
    folder: str, categories: Sequence[conversion.Category], *, settings: dict[str, object]
) -> None:
    """Writes the report and the picture of sample drawings."""
    with open(os.path.join(folder, REPORT_FILE), "w", encoding="utf-8") as file:
        json.dump(make_report(categories, settings=settings), file, indent=1, ensure_ascii=False)
    step = -(-len(categories) // MAX_SAMPLES)
    shown = [category for category in categories if category.sample][::step]
    picture = pictures.sheet(
        [(pictures.decode_ink(category.sample), category.word) for category in shown]
    )
    picture.save(os.path.join(folder, PICTURE_FILE))


# ---- What the user sees ----


def print_summary(
    categories: Sequence[conversion.Category],
    splits: Sequence[conversion.Split],
    *,
    output_path: str,
    num_shards: int,
) -> None:
    print(f"\n{len(categories)} categories.")
    skipped = collections.Counter()
    for category in categories:
        skipped.update(category.skipped)
    if skipped:
        print(f"Skipped {sum(skipped.values()):,} lines:")
        for reason, count in skipped.most_common():
            print(f"  {count:9,}  {reason}")
    for split in splits:
        total = sum(category.used[split.name] for category in categories)
        short = [c for c in categories if c.used[split.name] < split.drawings_per_class]
        print(f"{split.name}: {total:,} drawings in")
        print(f"  {os.path.join(output_path, split.name)}.tfrecord-?????-of-{num_shards:05d}")
        if short:
            short.sort(key=lambda category: category.used[split.name])
            names = ", ".join(f"{c.word} ({c.used[split.name]:,})" for c in short[:5])
            more = f" and {len(short) - 5:,} more" if len(short) > 5 else ""
            print(
                f"  fewer than the {split.drawings_per_class:,} asked for in {len(short):,} "
                f"categories: {names}{more}"
            )
        if not total and split.drawings_per_class:
            console.warn(
                f"no drawing was left for {split.name}: every file ends before its turn. Lower "
                "--train_observations_per_class, or get more drawings"
            )
    print(f"Class list: {os.path.join(output_path, splits[0].name)}.tfrecord.classes")
    print(f"Report: {os.path.join(output_path, REPORT_FILE)}, and a drawing of each category in")
    print(f"  {os.path.join(output_path, PICTURE_FILE)}")


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
        only=_CATEGORIES.value,
        recognized_only=_RECOGNIZED_ONLY.value,
        describe=lambda folder, found: write_report(folder, found, settings=settings),
    )
    print_summary(
        categories, splits, output_path=_OUTPUT_PATH.value, num_shards=_OUTPUT_SHARDS.value
    )
    print(f"Done in {console.duration(time.monotonic() - started)}.")


if __name__ == "__main__":
    console.run(main, errors=(tf.errors.OpError,))
