r"""How fast is the conversion, next to one that works the tutorial's way?

    python benchmarks/bench_create_dataset.py --ndjson_path=rnn_tutorial_data

They convert real drawings alternately: the baseline in the tutorial's way, by one process that
reads a line at a time, with `json`, NumPy for one drawing and a `tf.train.Example` built feature by
feature; ours by all cores. Below them what parsing alone costs, by `orjson` in as many processes.
Before that, the peak memory of all processes together while millions of drawings are converted.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import glob
import json
import math
import multiprocessing
import os
import random
import statistics
import tempfile
import time

import numpy as np
import orjson
from absl import flags

import shared
from common import programs
from dataset import conversion

_NDJSON_PATH = flags.DEFINE_string("ndjson_path", None, "Folder of real drawings.", required=True)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Rounds; the median counts.")
_DRAWINGS = flags.DEFINE_integer("drawings", 20000, "Drawings for the baseline.")
_REPEATS = flags.DEFINE_integer("repeats", 10, "How often ours converts the folder, as copies.")
_MILLIONS = flags.DEFINE_float("millions", 2.0, "Drawings for the memory figure.")


def baseline(files: list[str], count: int, folder: str) -> None:
    """Converts as the tutorial's program does: lines of random files, into ten shards.

    Files are read and written through TensorFlow, a drawing's features are built one by one.
    """
    handles = [tf.io.gfile.GFile(path, "r") for path in files]
    paths = [os.path.join(folder, f"baseline-{i:05d}-of-00010") for i in range(10)]
    writers = [tf.io.TFRecordWriter(path) for path in paths]
    order = list(range(len(handles))) * (count // len(handles))
    random.Random(0).shuffle(order)
    classes = []
    for number in order:
        ink, word = baseline_ink(handles[number].readline())
        if word not in classes:
            classes.append(word)
        features = {
            "class_index": tf.train.Feature(
                int64_list=tf.train.Int64List(value=[classes.index(word)])
            ),
            "ink": tf.train.Feature(float_list=tf.train.FloatList(value=ink.flatten())),
            "shape": tf.train.Feature(int64_list=tf.train.Int64List(value=ink.shape)),
        }
        example = tf.train.Example(features=tf.train.Features(feature=features))
        random.choice(writers).write(example.SerializeToString())
    for writer in writers:
        writer.close()


def baseline_ink(line: str) -> tuple[np.ndarray, str]:
    sample = json.loads(line)
    strokes = sample["drawing"]
    points = np.zeros((sum(len(stroke[0]) for stroke in strokes), 3), np.float32)
    start = 0
    for stroke in strokes:
        end = start + len(stroke[0])
        for axis in (0, 1):
            points[start:end, axis] = stroke[axis]
        points[end - 1, 2] = 1
        start = end
    lower, upper = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    scale = upper - lower
    scale[scale == 0] = 1
    points[:, :2] = (points[:, :2] - lower) / scale
    points[1:, :2] -= points[:-1, :2]
    return points[1:], sample["word"]


def parse_only(path: str) -> int:
    with open(path, "rb") as file:
        return sum(1 for line in file if orjson.loads(line))


def convert(ndjson_path: str, folder: str, count: int) -> int:
    """Ours; returns the number of drawings."""
    splits = [conversion.Split("training", count)]
    categories = conversion.convert(
        ndjson_path, folder, splits=splits, num_shards=10, seed=0, num_workers=shared.NUM_CORES
    )
    return sum(category.used["training"] for category in categories)


def write_copies(paths: list[str], folder: str, repeats: int) -> str:
    """Writes every file with its lines several times over; returns the copies' folder."""
    copies = os.path.join(folder, "ndjson")
    os.mkdir(copies)
    for path in paths:
        with open(path, "rb") as file:
            content = file.read()
        with open(os.path.join(copies, os.path.basename(path)), "wb") as file:
            for _ in range(repeats):
                file.write(content)
    return copies


def seconds(function, *args) -> float:
    started = time.perf_counter()
    function(*args)
    return time.perf_counter() - started


def count_lines(path: str) -> int:
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def peak_memory(paths: list[str], repeats: int) -> tuple[int, int]:
    """Converts that many copies; returns the number of drawings, and the bytes in use at most."""
    with tempfile.TemporaryDirectory() as folder:
        copies = write_copies(paths, folder, repeats)
        with shared.PeakMemory(os.getpid()) as memory:
            total = convert(copies, os.path.join(folder, "out"), 10**9)
    return total, memory.bytes


def main() -> None:
    originals = sorted(glob.glob(os.path.join(_NDJSON_PATH.value, "*.ndjson")))
    lines = [count_lines(path) for path in originals]
    # First of all, before the baseline leaves memory behind.
    millions, peak = peak_memory(originals, math.ceil(_MILLIONS.value * 1e6 / sum(lines)))
    rates: dict[str, list[float]] = {"baseline": [], "ours": [], "parsing alone": []}
    with tempfile.TemporaryDirectory() as folder:
        copies = write_copies(originals, folder, _REPEATS.value)
        paths = sorted(glob.glob(os.path.join(copies, "*")))
        count = min(_DRAWINGS.value, len(paths) * min(lines) * _REPEATS.value)
        count -= count % len(paths)  # as many of each file
        for _ in range(_ROUNDS.value):
            rates["baseline"].append(count / seconds(baseline, paths, count, folder))
            started = time.perf_counter()
            total = convert(copies, os.path.join(folder, "out"), 10**9)
            rates["ours"].append(total / (time.perf_counter() - started))
            with multiprocessing.get_context("fork").Pool(shared.NUM_CORES) as pool:
                rates["parsing alone"].append(total / seconds(pool.map, parse_only, paths, 1))
    median = {name: statistics.median(values) for name, values in rates.items()}
    print(f"\n{shared.NUM_CORES} cores, {total:,} drawings\n")
    print("| | drawings/s | × baseline |\n|---|---|---|")
    for name, rate in median.items():
        print(f"| {name} | {rate:,.0f} | {rate / median['baseline']:.1f} |")
    print(f"\nPeak memory for {millions:,} drawings: {peak / 2**20:,.0f} MiB")


if __name__ == "__main__":
    programs.run(main)
