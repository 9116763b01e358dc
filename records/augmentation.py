"""Drawings as other hands might have drawn them: the variety that training adds to its batches.

A network that trains long on few drawings learns them by heart. Here each is a little different
every time. A distortion changes its shape: it is bent, turned, sheared and shaken, and now and then
loses a stroke. A stroke variation changes how its strokes come about: from end to start, in another
order, a little larger or elsewhere. What hands do not do, such as mirroring, is left out, and what
the encoding takes out anyway: position and size. The other variety is in time: beginnings, as the
game and the drawing page show them to the network. See Simard and others, "Best Practices for
Convolutional Neural Networks Applied to Visual Document Analysis", 2003, for why distortions of
this kind help.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

Features = dict[str, tf.Tensor]

# What a distortion of 1 does, as standard deviations of normal distributions that are cut off at
# twice that; all measured in the drawing's unit square.
BEND = 0.05  # of the middle, along an axis; along the other, half of it
TURN = 5 * math.pi / 180  # radians
SHEAR = 0.1  # in x a unit of y
SHAKE = 0.005  # of a point

# Share of a drawing's strokes that a distortion of 1 leaves out, and the fewest that it may have.
OMITTED = 0.1
FEWEST_STROKES = 3
FEWEST_POINTS = 4

# What a stroke variation of 1 does to each stroke: the share that is drawn from end to start, and
# standard deviations of normal distributions that are cut off at twice that.
REVERSED = 0.2
REORDERED = 0.5  # of its place among the strokes
MOVED = 0.03  # along each axis, in the drawing's unit square
RESIZED = 0.1  # of its size

# Share of the drawings that are distorted, or whose strokes vary, at all.
DISTORTED = 0.75

# The least share of the strokes that a beginning has.
SHORTEST_BEGINNING = 0.15


def vary(
    features: Features,
    *,
    distortion: float,
    stroke_variation: float,
    beginnings: float,
    seed: tf.Tensor,
) -> Features:
    """Changes a batch's drawings as another hand, or an earlier moment, would have.

    Args:
      features: `ink` float32 [B, T, 3] and `lengths` int64 [B]; whatever else there is stays.
      distortion: how much, in units of the constants above; 0 for none.
      stroke_variation: how much strokes change, each by itself, in units of the constants above.
      beginnings: share of the drawings that end after some of their strokes.
      seed: int64 [2]; the same seed changes the same drawings in the same way.

    Returns:
      The features with ink of the changed drawings, scaled to their own unit square.
    """
    seeds = iter(tf.unstack(tf.random.experimental.stateless_split(seed, 8)))
    batch = tf.shape(features["ink"])[0]
    if beginnings > 0:
        shares = _random_shares(batch, beginnings, seeds=(next(seeds), next(seeds)))
        features = beginning_of(features, shares)
    points, mask = _points(features)  # [B, T + 1, 3], [B, T + 1]
    is_distorted = tf.random.stateless_uniform([batch], next(seeds)) < DISTORTED  # [B]
    if distortion > 0:
        mask = _omit_strokes(
            points, mask, is_distorted, share=distortion * OMITTED, seed=next(seeds)
        )
    kept = tf.ragged.boolean_mask(points, mask)
    points, lengths = kept.to_tensor(), kept.row_lengths()
    mask = tf.sequence_mask(lengths)[:, :, tf.newaxis]  # [B, T + 1, 1]
    xy, pen_up = _to_unit_square(points[:, :, :2], mask), points[:, :, 2:]
    amount = tf.cast(is_distorted, tf.float32)[:, tf.newaxis, tf.newaxis]  # [B, 1, 1]
    if stroke_variation > 0:
        varied = _vary_strokes(
            xy, pen_up, lengths, stroke_variation * amount, (next(seeds), next(seeds))
        )
        xy, pen_up = _to_unit_square(varied[:, :, :2], mask), varied[:, :, 2:]
    if distortion > 0:
        distorted = _distort(xy, distortion * amount, (next(seeds), next(seeds)))
        xy = _to_unit_square(distorted, mask)
    ink = tf.concat([xy[:, 1:] - xy[:, :-1], pen_up[:, 1:]], axis=2)
    return {**features, "ink": tf.where(mask[:, 1:], ink, 0.0), "lengths": lengths - 1}


def beginning_of(features: Features, share: float | tf.Tensor) -> Features:
    """Returns what a batch's drawings were when a share of their strokes was drawn.

    A drawing of n strokes is left with the first ceil(share * n) of them, scaled to fill the
    unit square: the ink of a drawing that ended there.

    Args:
      features: `ink` float32 [B, T, 3] and `lengths` int64 [B].
      share: above 0, up to 1; one for all, or float32 [B].
    """
    ink, lengths = features["ink"], features["lengths"]
    mask = tf.sequence_mask(lengths, tf.shape(ink)[1])  # [B, T]
    pen_up = tf.cast(mask & (ink[:, :, 2] > 0.5), tf.float32)
    wanted = tf.maximum(tf.math.ceil(share * tf.reduce_sum(pen_up, axis=1)), 1.0)  # [B]
    ended = tf.cumsum(pen_up, axis=1, exclusive=True)  # [B, T], strokes before the row's
    kept = (mask & (ended < wanted[:, tf.newaxis]))[:, :, tf.newaxis]  # [B, T, 1]
    at = tf.where(kept, tf.cumsum(ink[:, :, :2], axis=1), 0.0)  # [B, T, 2]
    # The first point, from which the first row leads to the second, is the origin.
    upper = tf.maximum(tf.reduce_max(at, axis=1, keepdims=True), 0.0)  # [B, 1, 2]
    lower = tf.minimum(tf.reduce_min(at, axis=1, keepdims=True), 0.0)
    extent = tf.where(upper > lower, upper - lower, tf.ones_like(upper))
    ink = tf.where(kept, tf.concat([ink[:, :, :2] / extent, ink[:, :, 2:]], axis=2), 0.0)
    lengths = tf.math.count_nonzero(kept, axis=[1, 2])
    return {**features, "ink": ink[:, : tf.reduce_max(lengths)], "lengths": lengths}


def _points(features: Features) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the points, x, y and pen-up, from the origin on, and which are a drawing's own."""
    steps = tf.pad(features["ink"], [[0, 0], [1, 0], [0, 0]])
    points = tf.concat([tf.cumsum(steps[:, :, :2], axis=1), steps[:, :, 2:]], axis=2)
    return points, tf.sequence_mask(features["lengths"] + 1, tf.shape(points)[1])


def _random_shares(
    batch: tf.Tensor, beginnings: float, *, seeds: tuple[tf.Tensor, tf.Tensor]
) -> tf.Tensor:
    """Draws how much of each drawing is there, float32 [B]: 1 where it is no beginning."""
    shares = tf.random.stateless_uniform([batch], seeds[0], minval=SHORTEST_BEGINNING)
    chosen = tf.random.stateless_uniform([batch], seeds[1]) < beginnings
    return tf.where(chosen, shares, 1.0)


def _omit_strokes(
    points: tf.Tensor, mask: tf.Tensor, is_distorted: tf.Tensor, *, share: float, seed: tf.Tensor
) -> tf.Tensor:
    """Returns which points stay when distorted drawings of many strokes lose a share of them."""
    stroke = tf.cumsum(tf.cast(points[:, :, 2] > 0.5, tf.int32), axis=1, exclusive=True)  # number
    count = 1 + tf.reduce_max(tf.where(mask, stroke, 0), axis=1)  # [B]
    shape = [tf.shape(points)[0], tf.reduce_max(stroke) + 1]
    omitted = tf.random.stateless_uniform(shape, seed) < share
    omitted &= (is_distorted & (count >= FEWEST_STROKES))[:, tf.newaxis]
    left = mask & ~tf.gather(omitted, stroke, batch_dims=1)
    enough = tf.math.count_nonzero(left, axis=1) >= FEWEST_POINTS
    return tf.where(enough[:, tf.newaxis], left, mask)


def _vary_strokes(
    xy: tf.Tensor,
    pen_up: tf.Tensor,
    lengths: tf.Tensor,
    amount: tf.Tensor,
    seeds: tuple[tf.Tensor, tf.Tensor],
) -> tf.Tensor:
    """Turns strokes round, reorders, moves and resizes them, each by itself.

    Args:
      xy: float32 [B, T, 2], in the unit square.
      pen_up: float32 [B, T, 1], 1 at a stroke's last point.
      lengths: int64 [B], points of each drawing.
      amount: float32 [B, 1, 1], in units of the constants.
      seeds: for the directions, and for all else.

    Returns:
      float32 [B, T, 3]: x, y and pen-up of the changed points.
    """
    batch, length = tf.unstack(tf.shape(xy)[:2])
    index = tf.tile(tf.range(length)[tf.newaxis], [batch, 1])  # [B, T]
    # What follows a drawing's last point, its padding, is one more stroke.
    is_end = (pen_up[:, :, 0] > 0.5) | (index == tf.cast(lengths, tf.int32)[:, tf.newaxis] - 1)
    number = tf.cumsum(tf.cast(is_end, tf.int32), axis=1, exclusive=True)  # [B, T]
    per_drawing = 1 + tf.reduce_max(number)
    stroke = number + per_drawing * tf.range(batch)[:, tf.newaxis]  # [B, T], in the batch
    count = batch * per_drawing

    def of_strokes(reduce: Callable, values: tf.Tensor) -> tf.Tensor:
        """Gives each point, of values [B, T, ...], what the values of its stroke reduce to."""
        return tf.gather(reduce(values, stroke, count), stroke)

    first, last, middle = (
        of_strokes(tf.math.unsorted_segment_min, index),  # [B, T]
        of_strokes(tf.math.unsorted_segment_max, index),  # [B, T]
        of_strokes(tf.math.unsorted_segment_mean, xy),  # [B, T, 2]
    )
    is_reversed = tf.gather(tf.random.stateless_uniform([count], seeds[0]), stroke)
    is_reversed = is_reversed < REVERSED * amount[:, :, 0]  # [B, T]
    random = tf.gather(tf.random.stateless_truncated_normal([count, 4], seeds[1]), stroke)
    move, resize, reorder = tf.split(amount * random, [2, 1, 1], axis=2)
    xy = middle + (1 + RESIZED * resize) * (xy - middle) + MOVED * move
    xy = tf.gather(xy, tf.where(is_reversed, first + last - index, index), batch_dims=1)
    place = tf.cast(number, tf.float32) + REORDERED * reorder[:, :, 0]
    place = tf.where(tf.sequence_mask(lengths, length), place, place.dtype.max)
    order = tf.argsort(place, axis=1, stable=True)  # [B, T]
    return tf.gather(tf.concat([xy, pen_up], axis=2), order, batch_dims=1)


def _distort(xy: tf.Tensor, amount: tf.Tensor, seeds: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Bends, turns, shears and shakes points of the unit square, each drawing as one.

    Bends are parabolas: each coordinate moves by an amount that is greatest in the middle of the
    square and none at its edges, along that coordinate and along the other.

    Args:
      xy: float32 [B, T, 2].
      amount: float32 [B, 1, 1], in units of the constants.
      seeds: for the drawings, and for their points.
    """
    batch = tf.shape(xy)[0]
    random = amount * tf.random.stateless_truncated_normal([batch, 1, 6], seeds[0])
    *bends, angle, shear = tf.split(random, 6, axis=2)  # [B, 1, 1] each
    angle, shear = TURN * angle, SHEAR * shear
    x, y = tf.split(xy - 0.5, 2, axis=2)  # [B, T, 1]
    in_x, in_y = 1 - 4 * tf.square(x), 1 - 4 * tf.square(y)  # 1 in the middle, 0 at the edges
    bent_x = x + BEND * (bends[0] * in_x + bends[1] * in_y / 2)
    bent_y = y + BEND * (bends[2] * in_y + bends[3] * in_x / 2)
    turned_x = tf.cos(angle) * bent_x - tf.sin(angle) * bent_y + shear * bent_y
    turned_y = tf.sin(angle) * bent_x + tf.cos(angle) * bent_y
    shaken = SHAKE * amount * tf.random.stateless_truncated_normal(tf.shape(xy), seeds[1])
    return tf.concat([turned_x, turned_y], axis=2) + shaken


def _to_unit_square(xy: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Moves and scales each drawing, float32 [B, T, 2], to the unit square, each axis by itself."""
    lower = tf.reduce_min(tf.where(mask, xy, xy.dtype.max), axis=1, keepdims=True)
    upper = tf.reduce_max(tf.where(mask, xy, xy.dtype.min), axis=1, keepdims=True)
    extent = tf.where(upper > lower, upper - lower, 1.0)
    return (xy - lower) / extent
