"""The network that comes with the project: small files that every program takes for a model.

A folder like an export's, without the SavedModel and with weights of 16 bits:

    variables/variables.*      checkpoint, float16, of the network's variables and the global step
    assets.extra/              hparams.json, with the temperature, and classes.txt
    drawing_classifier.onnx    what `Classifier` loads; its weights are the checkpoint's
    README.md                  what it is, how it was trained, how good it is

scripts/make_starter.py writes it, and its drawing page as docs/draw.html. On the command line its
name is `pretrained`.
"""

from __future__ import annotations

import os
import pathlib

import numpy as np
import tensorflow as tf

from model_folder import checkpoints, models
from serving import exporting, weights


def write(folder: pathlib.Path, network: models.Model) -> None:
    """Writes the folder's files except README.md.

    Args:
      folder: is made where there is none.
      network: its checkpoint is float32.
    """
    values = weights.read(network.checkpoint, params=network.params)
    exporting.write_network(str(folder), network, values, half=True)
    step = np.array(checkpoints.global_step(network.checkpoint), np.int64)
    stored: dict[str, np.ndarray] = {
        name: value.astype(np.float16) for name, value in values.items()
    }
    stored[tf.compat.v1.GraphKeys.GLOBAL_STEP] = step
    checkpoints.write(stored, os.path.join(folder, models.EXPORT_CHECKPOINT))
