"""An exported model in Python: load it once, then ask it what drawings show.

    classifier = Classifier("runs/2026-11-22-174400")
    house = [[[0, 0, 100, 100], [100, 40, 40, 100]], [[0, 50, 100], [40, 0, 40]]]
    for word, probability in classifier.classify(house):
        print(f"{word}: {probability:.0%}")

A drawing is a list of strokes; a stroke is the list of its points' x and that of their y, which
grows downwards, and may have a third list, the points' times, which are not looked at. Drawings
as a mouse or a pen makes them, in any unit, are simplified as in training, see `ink.prepare`.

ONNX Runtime computes the network: it starts in a tenth of TensorFlow's time, and a drawing takes
less than half.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np
import onnxruntime

from common import files
from common.errors import UserError
from drawings import ink

# Drawings the network takes at once, of those given together the ones of about one length: 4 to 32
# take about as long each. And points of them, about 10 KB each: only drawings of more than 2,048
# points are fewer.
BATCH_SIZE = 16
BATCH_POINTS = 16 * 2048

# Where a model's folder holds its exports, and the file in an export that is loaded.
EXPORT_FOLDER = os.path.join("export", "drawing_classifier")
ONNX_FILE = "drawing_classifier.onnx"

# All that onnxruntime raises; its errors share no class but Exception.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = tuple(
    error
    for error in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    if isinstance(error, type) and issubclass(error, Exception)
)


class Guess(NamedTuple):
    word: str
    probability: float


class Classifier:
    """Tells what drawings show. Loading takes a moment, a drawing some milliseconds.

    Several threads may use one at the same time.

    Attributes:
      folder: the export that was loaded.
      words: the class list.
    """

    def __init__(self, path: str):
        """Loads an export.

        Args:
          path: the export's folder, or the `--model_dir` of train_model.py, whose newest is taken;
            `pretrained` is the network that comes with the project.

        Raises:
          ValueError: there is none.
        """
        self.folder = find_export(path)
        try:
            self._network = files.read_bytes(os.path.join(self.folder, ONNX_FILE))
            metadata = self._alone.get_modelmeta().custom_metadata_map
            self.words: list[str] = json.loads(metadata["classes"])
        except _RUNTIME_ERRORS + (ValueError, OSError, KeyError) as error:
            message = str(error).splitlines()[0]
            raise UserError(
                f"{self.folder}: not an export of train_model.py, or a damaged one: {message}"
            ) from None

    @functools.cached_property
    def _alone(self) -> onnxruntime.InferenceSession:
        """For one drawing, which all cores compute together."""
        return _session(self._network, num_threads=_num_cores())

    @functools.cached_property
    def _side_by_side(self) -> onnxruntime.InferenceSession:
        """For several: each core has a batch of its own, and does not wait for another."""
        return _session(self._network, num_threads=1)

    @functools.cached_property
    def _pool(self) -> futures.ThreadPoolExecutor:
        return futures.ThreadPoolExecutor(_num_cores())

    def classify(self, strokes: Sequence[ink.Stroke]) -> list[Guess]:
        """Returns the five likeliest words for a drawing, or all if there are fewer, likeliest
        first.

        Raises:
          ValueError: the strokes are not a usable drawing; the message is the reason.
        """
        return self.classify_points([prepare(strokes)])[0]

    def classify_points(self, drawings: Sequence[np.ndarray]) -> list[list[Guess]]:
        """Guesses many drawings at once, each as `prepare` returns it."""
        order = sorted(range(len(drawings)), key=lambda i: len(drawings[i]))
        guesses: list[list[Guess]] = [[] for _ in drawings]

        def guess(session: onnxruntime.InferenceSession, batch: Sequence[int]) -> None:
            lengths = [len(drawings[i]) for i in batch]
            points = np.zeros((len(batch), lengths[-1], 3), np.float32)
            for row, i in zip(points, batch):
                row[: len(drawings[i])] = drawings[i]
            indices, probabilities = session.run(
                ["indices", "probabilities"], {"points": points, "lengths": np.array(lengths)}
            )
            for i, classes, likely in zip(batch, indices.tolist(), probabilities.tolist()):
                guesses[i] = [Guess(self.words[k], p) for k, p in zip(classes, likely)]

        most = min(BATCH_SIZE, -(-len(order) // _num_cores()))
        batches = []  # the longest first: none of them is left to wait for in the end
        while order:
            size = max(1, min(most, BATCH_POINTS // len(drawings[order[-1]])))
            batches.append(order[-size:])
            del order[-size:]
        if len(drawings) == 1:
            guess(self._alone, batches[0])
        else:
            for _ in self._pool.map(functools.partial(guess, self._side_by_side), batches):
                pass
        return guesses


def prepare(strokes: Sequence[ink.Stroke]) -> np.ndarray:
    """Prepares a drawing's points as the model takes them, simplified where they are not, as the
    conversion does.

    Returns:
      float32 [points, 3], x, y and pen-up.

    Raises:
      ValueError: the strokes are not a usable drawing; the message is the reason.
    """
    return ink.drawing_to_points(strokes)


def find_export(path: str) -> str:
    """Finds the newest export in a folder: itself, or a version below it, or below a model's
    folder.

    Raises:
      ValueError: there is none; the message says what was looked for.
    """
    path = files.model_folder(path)
    looked_for = [os.path.join(path, ONNX_FILE)]
    if files.exists(looked_for[0]):
        return path
    for folder in (path, os.path.join(path, EXPORT_FOLDER)):
        looked_for.append(os.path.join(folder, "<number>", ONNX_FILE))
        versions = [int(name) for name in files.list_folder(folder) if name.isdigit()]
        for version in sorted(versions, reverse=True):
            export = os.path.join(folder, str(version))
            if files.exists(os.path.join(export, ONNX_FILE)):
                return export
    remedy = "train_model.py writes one when it ends"
    if files.exists(os.path.join(path, "checkpoint")):
        remedy = "there are checkpoints: train_model.py with that --model_dir exports the best"
    raise UserError(
        f"{path}: no exported model there, neither {', nor '.join(looked_for)}; {remedy}"
    )


def _session(network: bytes, *, num_threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def _num_cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
