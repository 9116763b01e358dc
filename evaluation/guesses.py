"""What an evaluation saw, drawing by drawing: for pictures and reports."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from common import estimators
from network import batch_guesses

# Drawings whose embeddings are kept, for TensorBoard's projector: as many as a browser moves with
# ease. Batches come in a random order (see input_pipeline.py): the first ones are of all lengths.
KEPT_EMBEDDINGS = 4096


@dataclasses.dataclass(frozen=True)
class Guesses:
    """The drawings of an evaluation, in the order in which they were read, and the guesses.

    Attributes:
      labels, predictions: int64 [D], class indices.
      probability: float32 [D], that of the guess.
      lengths: int64 [D], rows of the ink.
      inks: float32 [rows, 3] each, of the first drawings.
      embeddings: float32 [E, 2N], of the first drawings.
    """

    labels: np.ndarray
    predictions: np.ndarray
    probability: np.ndarray
    lengths: np.ndarray
    inks: list[np.ndarray]
    embeddings: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """bool [D]."""
        return self.labels == self.predictions

    def confusion(self, num_classes: int) -> np.ndarray:
        """int64 [K, K]: how many drawings of a class (row) were taken for which (column)."""
        cells = np.bincount(
            self.labels * num_classes + self.predictions, minlength=num_classes * num_classes
        )
        return cells.reshape(num_classes, num_classes)


class CollectGuesses(estimators.SessionRunHook):
    """Keeps what the network made of each drawing of an evaluation."""

    def __init__(self, *, kept_inks: int):
        self._kept_inks = kept_inks

    def begin(self) -> None:
        self._tensors = batch_guesses.published()._asdict()
        self._batches: list[dict[str, np.ndarray]] = []
        self._inks: list[np.ndarray] = []
        self._num_embeddings = 0

    def after_create_session(self, session, coord) -> None:
        self._started = time.monotonic()

    def before_run(self, run_context) -> estimators.SessionRunArgs:
        return estimators.SessionRunArgs(self._tensors)

    def after_run(self, run_context, run_values) -> None:
        batch = dict(run_values.results)
        for ink, length in zip(batch.pop("ink"), batch["lengths"]):
            if len(self._inks) == self._kept_inks:
                break
            self._inks.append(ink[:length].copy())
        batch["embedding"] = batch["embedding"][: KEPT_EMBEDDINGS - self._num_embeddings]
        self._num_embeddings += len(batch["embedding"])
        self._batches.append(batch)
        self.seconds = time.monotonic() - self._started  # since the evaluation's start

    def guesses(self) -> Guesses:
        """Returns the guesses of the last evaluation."""

        def joined(name: str) -> np.ndarray:
            return np.concatenate([batch[name] for batch in self._batches])

        return Guesses(
            labels=joined("labels"),
            predictions=joined("predictions"),
            probability=joined("probability"),
            lengths=joined("lengths"),
            inks=self._inks,
            embeddings=joined("embedding"),
        )
