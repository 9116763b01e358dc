"""An exported model in Python: load it once, then ask it what drawings show.

    classifier = Classifier("runs/2026-11-22-174400")
    house = [[[0, 0, 100, 100], [100, 40, 40, 100]], [[0, 50, 100], [40, 0, 40]]]
    for word, probability in classifier.classify(house):
        print(f"{word}: {probability:.0%}")

A drawing is a list of strokes; a stroke is the list of its points' x and that of their y, which
grows downwards, and may have a third list, the points' times, which are not looked at. Drawings
as a mouse or a pen makes them, in any unit, are simplified as the training data was.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from drawings import ink

# Drawings the network takes at once; of those given together, the ones of about one length.
BATCH_SIZE = 64

# Where a model's folder holds its exports, and the file that makes a folder an export.
EXPORT_FOLDER = os.path.join("export", "drawing_classifier")
SAVED_MODEL = "saved_model.pb"


class Guess(NamedTuple):
    word: str
    probability: float


class Classifier:
    """Tells what drawings show. Loading takes a moment, a drawing some milliseconds.

    Attributes:
      folder: the export that was loaded.
    """

    def __init__(self, path: str):
        """Loads an export.

        Args:
          path: the export's folder, or the `--model_dir` of train_model.py, whose newest is taken.

        Raises:
          ValueError: there is none.
        """
        self.folder = find_export(path)
        graph = tf.Graph()
        with graph.as_default():
            self._session = tf.compat.v1.Session()
            try:
                loaded = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], self.folder
                )
                signature = loaded.signature_def["serving_default"]
                self._inputs = {name: signature.inputs[name].name for name in ("points", "lengths")}
                self._outputs = [
                    signature.outputs[name].name for name in ("classes", "probabilities")
                ]
            except (RuntimeError, OSError, KeyError, tf.errors.OpError) as error:
                message = str(error).splitlines()[0]
                raise ValueError(
                    f"{self.folder}: not an export of train_model.py, or a damaged one: {message}"
                ) from None

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
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            lengths = [len(drawings[i]) for i in batch]
            points = np.zeros((len(batch), lengths[-1], 3), np.float32)
            for row, i in enumerate(batch):
                points[row, : lengths[row]] = drawings[i]
            classes, probabilities = self._session.run(
                self._outputs, {self._inputs["points"]: points, self._inputs["lengths"]: lengths}
            )
            for row, i in enumerate(batch):
                words = (word.decode() for word in classes[row])
                guesses[i] = [*map(Guess, words, probabilities[row].tolist())]
        return guesses


def prepare(strokes: Sequence[ink.Stroke]) -> np.ndarray:
    """Prepares a drawing's points as the model takes them, simplified if they are not.

    Returns:
      float32 [points, 3], x, y and pen-up.

    Raises:
      ValueError: the strokes are not a usable drawing; the message is the reason.
    """
    points = ink.strokes_to_points(strokes)
    # The published simplified drawings have no times, and whole numbers up to 255.
    xy = points[:, :2]
    if (
        ink.is_raw(strokes)
        or not ((xy >= 0) & (xy <= ink.SIMPLIFIED_SIZE) & (xy == xy.round())).all()
    ):
        points = ink.strokes_to_points(ink.simplify(strokes))
    return points


def find_export(path: str) -> str:
    """Finds the newest export in a folder: itself, or a version below it, or below a model's
    folder.

    Raises:
      ValueError: there is none; the message says what was looked for.
    """
    looked_for = [os.path.join(path, SAVED_MODEL)]
    if tf.io.gfile.exists(looked_for[0]):
        return path
    for folder in (path, os.path.join(path, EXPORT_FOLDER)):
        looked_for.append(os.path.join(folder, "<number>", SAVED_MODEL))
        names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
        versions = [int(name.rstrip("/")) for name in names if name.rstrip("/").isdigit()]
        for version in sorted(versions, reverse=True):
            export = os.path.join(folder, str(version))
            if tf.io.gfile.exists(os.path.join(export, SAVED_MODEL)):
                return export
    remedy = "train_model.py writes one when it ends"
    if tf.io.gfile.exists(os.path.join(path, "checkpoint")):
        remedy = "there are checkpoints: train_model.py with that --model_dir exports the best"
    raise ValueError(
        f"{path}: no exported model there, neither {', nor '.join(looked_for)}; {remedy}"
    )
