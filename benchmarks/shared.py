"""What the scripts of this folder share."""

from __future__ import annotations

import os
import pathlib
import threading

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent

NUM_CORES = os.cpu_count() or 1

# Seconds between two looks at the memory.
SAMPLING_SECONDS = 0.1

POINTS_A_STROKE = 10

# A made-up category's drawings repeat themselves after that many.
DIFFERENT_DRAWINGS = 50


class PeakMemory:
    """Samples the memory of a process and its descendants, shared pages split between them.

    Attributes:
      bytes: the most that was in use at once.
    """

    def __init__(self, process: int):
        self._process = process

    def __enter__(self) -> PeakMemory:
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLING_SECONDS):
            self.bytes = max(self.bytes, _proportional(self._process))


def _proportional(process: int) -> int:
    total = 0
    try:
        with open(f"/proc/{process}/smaps_rollup") as file:
            total = sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
        for children in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
            total += sum(map(_proportional, map(int, children.read_text().split())))
    except OSError:  # ended meanwhile
        pass
    return total


def write_drawings(folder: pathlib.Path, *, categories: int, drawings: int, points: int) -> None:
    """Writes a folder of made-up drawings, an ndjson file for each category.

    Args:
      folder: to be made.
      categories: how many.
      drawings: of all of them together.
      points: of each drawing.
    """
    folder.mkdir()
    rng = np.random.default_rng(0)
    strokes = max(1, points // POINTS_A_STROKE)
    count = drawings // categories
    for number in range(categories):
        lines = [
            f'{{"word":"word {number}","drawing":{drawing.tolist()}}}\n'.replace(" [", "[")
            for drawing in rng.integers(0, 256, (DIFFERENT_DRAWINGS, strokes, 2, points // strokes))
        ]
        with open(folder / f"word {number}.ndjson", "w") as file:
            for start in range(0, count, len(lines)):
                file.writelines(lines[: count - start])
