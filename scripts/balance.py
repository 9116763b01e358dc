"""Raises the last layer's bias for the words that a trained network recognises least.

Training maximises the accuracy over all drawings. A word that looks like another one may hardly
ever be guessed: the other one's drawings would suffer. Here such a word's logit is raised until at
least 54% of its own drawings are recognised. These are training drawings, changed at random and
with dropout as in training. Otherwise the network recognises them too well to show which words are
difficult.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import input_pipeline
import model
from serving import weights
from training import last_layer

BATCH_SIZE = 64
# Drawings looked at: about 650 of each of 345 words. With 100, chance makes more words need it.
DRAWINGS = 225_280

# Share of a word's own drawings that are to be recognised. It costs whole drawings nothing and
# beginnings 0.7 points of accuracy. With 0.575, the ten least recognised words gain one or two
# points more, and beginnings lose 1.2.
TARGET = 0.54
STEP = 0.02
MAX_STEPS = 200


def lift_bias(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns what to add to the logits of each class, float32 [K]: 0 for most.

    Args:
      logits: float [M, K].
      labels: int [M], each class at least once.
    """
    num_classes = logits.shape[1]
    counts = np.bincount(labels, minlength=num_classes)
    bias = np.zeros(num_classes, np.float32)
    for _ in range(MAX_STEPS):
        is_right = (logits + bias).argmax(axis=1) == labels
        is_low = np.bincount(labels, is_right, num_classes) < TARGET * counts
        if not is_low.any():
            break
        bias[is_low] += STEP
    return bias


def lifted_bias(
    files: Sequence[str],
    checkpoint: str,
    *,
    params: model.HParams,
    distortion: float,
    stroke_variation: float,
) -> np.ndarray:
    """Returns a network's bias of the last layer, float32 [K], with `lift_bias` added.

    Args:
      files: TFRecord files of the training drawings.
      checkpoint: of the network, in float32.
      params: of the network.
      distortion, stroke_variation: of the drawings, as in its training.
    """
    input_fn = input_pipeline.training_input_fn(
        files,
        batch_size=BATCH_SIZE,
        num_classes=params.num_classes,
        seed=0,
        distortion=distortion,
        stroke_variation=stroke_variation,
    )
    embeddings, labels = last_layer.embed(
        lambda: input_fn().take(DRAWINGS // BATCH_SIZE), checkpoint, params=params, training=True
    )
    network = weights.read(checkpoint, params=params)
    bias = network["dense/bias"]
    return bias + lift_bias(embeddings @ network["dense/kernel"] + bias, labels)
