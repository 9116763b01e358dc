"""The trained network as a SavedModel, which needs none of this program to classify drawings.

It lies in `<model_dir>/export/drawing_classifier/<version>/`, as TensorFlow Serving wants it, runs
on a CPU whatever the network was trained on, and has two signatures:

    serving_default   points float32 [B, T, 3]: x and y in any unit, y downwards, and 1 at the last
                      point of each stroke, else 0; lengths int64 [B]: points of each drawing,
                      what follows them is ignored
    examples          examples string [B]: records as create_dataset.py writes them

Both return, for k the smaller of 5 and the number of classes:

    classes           string [B, k], likeliest first
    probabilities     float32 [B, k]
    embedding         float32 [B, 2N]: the summed outputs of the last LSTM layer

Beside it lies the same network as an ONNX file, see onnx_network.py, which `Classifier` loads.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

import model
from common import estimators, files
from model_folder import description, models
from records import tfrecords
from serving import classifier, onnx_network
from serving import weights as network_weights
from serving.weights import Weights

UNFINISHED = "unfinished-"


def export(model_dir: str, network: models.Model, *, weights: Weights | None = None) -> str:
    """Writes a new version; it appears under its name when it is complete.

    Args:
      model_dir: under whose `export` it is written.
      network: what is exported.
      weights: those of its checkpoint where they have been read already.

    Returns:
      The version's folder.
    """
    versions = os.path.join(model_dir, classifier.EXPORT_FOLDER)
    files.make_folder(versions)
    for name in files.list_folder(versions):
        if re.fullmatch(rf"{UNFINISHED}\d+", name):  # by an export that was killed
            files.remove_folder(os.path.join(versions, name))
    # Above all others, since the largest is the one that is loaded: a clock may have run ahead.
    others = [int(name) for name in files.list_folder(versions) if name.isdigit()]
    version = max([int(time.time()), *(other + 1 for other in others)])
    folder = os.path.join(versions, str(version))
    unfinished = os.path.join(versions, f"{UNFINISHED}{version}")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.train.create_global_step()  # so that an export says how long it was trained
        signatures = build_signatures(network)
        tf.compat.v1.train.Saver().restore(session, network.checkpoint)
        builder = tf.compat.v1.saved_model.Builder(unfinished)
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            signature_def_map=signatures,
            strip_default_attrs=True,  # so that releases that do not know them load it
        )
        builder.save()
    weights = weights or network_weights.read(network.checkpoint, params=network.params)
    write_network(unfinished, network, weights)
    files.rename(unfinished, folder)
    return folder


def write_network(
    folder: str, network: models.Model, weights: Weights, *, half: bool = False
) -> None:
    """Writes the ONNX file, and what says which network it is.

    Args:
      folder: is made where there is none.
      network: what is written.
      weights: those of its checkpoint.
      half: whether the file's weights are float16.
    """
    assets = os.path.join(folder, models.EXPORT_ASSETS)
    files.make_folder(assets)
    description.write_description(
        assets,
        params=network.params,
        classes=network.classes,
        temperature=network.temperature,
    )
    onnx = onnx_network.build(
        weights,
        params=network.params,
        temperature=network.temperature,
        classes=network.classes,
        half=half,
    )
    files.write_whole(os.path.join(folder, classifier.ONNX_FILE), onnx)


def build_signatures(network: models.Model) -> dict:
    """Builds the graph of both signatures over one set of variables; their `SignatureDef`s."""
    params = dataclasses.replace(network.params, cell_type="block_lstm", mixed_precision=False)
    network = dataclasses.replace(network, params=params)
    points = tf.compat.v1.placeholder(tf.float32, [None, None, 3], "points")
    lengths = tf.compat.v1.placeholder(tf.int64, [None], "lengths")
    examples = tf.compat.v1.placeholder(tf.string, [None], "examples")
    with tf.name_scope("points_to_ink"):
        from_points = points_to_ink(points, lengths)
    with tf.name_scope("parse_examples"), tf.control_dependencies([_some(examples)]):
        ink = tfrecords.parse_ink(tf.identity(examples))
        from_examples = ink.to_tensor(), ink.row_lengths()
    return {
        tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: _signature(
            {"points": points, "lengths": lengths}, *from_points, network=network
        ),
        "examples": _signature({"examples": examples}, *from_examples, network=network),
    }


def _signature(
    inputs: dict[str, tf.Tensor],
    ink: tf.Tensor,
    lengths: tf.Tensor,
    *,
    network: models.Model,
) -> meta_graph_pb2.SignatureDef:
    scope = tf.compat.v1.get_variable_scope()
    with tf.compat.v1.variable_scope(scope, reuse=tf.compat.v1.AUTO_REUSE):
        features = {"ink": ink, "lengths": lengths}
        spec = model.model_fn(
            features,
            None,
            estimators.ModeKeys.PREDICT,
            network.params,
            temperature=network.temperature,
        )
    probabilities, indices = tf.math.top_k(
        spec.predictions["probabilities"], k=min(onnx_network.TOP_K, len(network.classes))
    )  # [B, k]
    outputs = {
        "classes": tf.gather(tf.constant(network.classes), indices),
        "probabilities": probabilities,
        "embedding": spec.predictions["embedding"],
    }
    return tf.compat.v1.saved_model.predict_signature_def(inputs, outputs)


def _some(drawings: tf.Tensor) -> tf.Operation:
    return tf.debugging.assert_positive(tf.shape(drawings)[0], "no drawing was given")


def points_to_ink(points: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Encodes drawings as `ink.strokes_to_ink` does, in the same order of operations.

    Args:
      points: float32 [B, T, 3], x, y and pen-up.
      lengths: int64 [B], points of each drawing.

    Returns:
      ink: float32 [B, T - 1, 3], zeros past a drawing's own rows.
      lengths: int64 [B], rows of each drawing.

    Raises (when the graph runs):
      tf.errors.InvalidArgumentError: a drawing has a single point, a length beyond its points,
        a coordinate that is no number, or two that are too far apart; or there is no drawing.
    """
    max_length = tf.shape(points, tf.int64)[1]
    with tf.control_dependencies(
        [
            _some(lengths),
            tf.debugging.assert_greater(
                lengths, tf.constant(1, tf.int64), "a drawing needs at least two points"
            ),
            tf.debugging.assert_less_equal(lengths, max_length, "lengths beyond the points"),
        ]
    ):
        mask = tf.sequence_mask(lengths, max_length)[:, :, tf.newaxis]  # [B, T, 1]
    points = tf.where(mask, points, tf.zeros_like(points))
    points = tf.debugging.check_numerics(points, "points hold NaN or infinity")
    xy, pen_up = points[:, :, :2], points[:, :, 2:]
    lower = tf.reduce_min(tf.where(mask, xy, xy.dtype.max), axis=1, keepdims=True)  # [B, 1, 2]
    extent = tf.reduce_max(tf.where(mask, xy, xy.dtype.min), axis=1, keepdims=True) - lower
    extent = tf.debugging.check_numerics(extent, "points too far apart for float32")
    extent = tf.where(extent > 0, extent, tf.ones_like(extent))
    unit = (xy - lower) / extent
    ink = tf.concat([unit[:, 1:] - unit[:, :-1], pen_up[:, 1:]], axis=2)
    return tf.where(mask[:, 1:], ink, tf.zeros_like(ink)), lengths - 1
