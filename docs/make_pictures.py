r"""Draws the pictures of how_it_works.md.

    python docs/make_pictures.py --model=runs/2026-11-22-174400 \
        --training_data="rnn_tutorial_data/training.tfrecord-?????-of-?????"

The model should know the word of the drawing, coffee cup.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import math
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import flags
from PIL import Image, ImageDraw, ImageFont

import input_pipeline
import model
from common import programs
from common.errors import UserError
from drawings import ink, ndjson, pictures
from model_folder import models
from serving import classifier

_MODEL = flags.DEFINE_string("model", None, "--model_dir of train_model.py.", required=True)
_TRAINING_DATA = flags.DEFINE_string(
    "training_data", None, "Pattern of the records that it was trained on.", required=True
)

DOCS = pathlib.Path(__file__).resolve().parent
DRAWING = DOCS / "coffee_cup.ndjson"
PICTURES = DOCS / "pictures"

# Pixels: of a drawing that is shown large, around it, and of letters.
SIZE = 360
MARGIN = 24
FONT_SIZE = 14

BLUE, RED, GREY, BLACK = (31, 90, 190), (192, 0, 0), (215, 215, 215), (0, 0, 0)

# Batches of 64 that the picture of padding shows, each drawing a line of pixels.
SHOWN_BATCHES = 3
BATCH_SIZE = 64

tf1 = tf.compat.v1


def canvas(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (width, height), "white")
    return picture, ImageDraw.Draw(picture)


def write(text: str, at: tuple[float, float], draw: ImageDraw.ImageDraw, colour=BLACK) -> None:
    draw.text(at, text, fill=colour, font=ImageFont.load_default(FONT_SIZE))


def points_picture(strokes: Sequence[ink.Stroke]) -> Image.Image:
    """Draws the drawing's points, as the pen made them and after they were simplified."""
    picture, draw = canvas(2 * SIZE + 3 * MARGIN, SIZE + 2 * MARGIN + 20)
    for column, (title, shown, colour) in enumerate(
        (("as it was drawn", strokes, BLUE), ("simplified", ink.simplify(strokes), RED))
    ):
        xs = np.concatenate([stroke[0] for stroke in shown]).astype(float)
        ys = np.concatenate([stroke[1] for stroke in shown]).astype(float)
        scale = SIZE / max(np.ptp(xs), np.ptp(ys))
        left = MARGIN + column * (SIZE + MARGIN) + (SIZE - scale * np.ptp(xs)) / 2
        for stroke in shown:
            at = [
                (left + scale * (x - xs.min()), MARGIN + 20 + scale * (y - ys.min()))
                for x, y in zip(*stroke[:2])
            ]
            draw.line(at, fill=GREY, width=3)
            for x, y in at:
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
        text = f"{title}: {len(xs)} points"
        write(text, (MARGIN + column * (SIZE + MARGIN), 8), draw)
    return picture


def padding_picture(files: Sequence[str], num_classes: int) -> Image.Image:
    """Batches whose drawings come as they stand in the records, and sorted by length."""
    lengths = batch_lengths(files, num_classes)
    rng = np.random.default_rng(0)
    mixed = rng.permutation(np.concatenate(lengths))[: SHOWN_BATCHES * BATCH_SIZE]
    sorts = (
        ("drawings as they come", mixed.reshape(SHOWN_BATCHES, BATCH_SIZE)),
        ("our batches", np.array(lengths[:SHOWN_BATCHES])),
    )
    height = SHOWN_BATCHES * (2 * BATCH_SIZE + MARGIN)
    picture, draw = canvas(2 * SIZE + 3 * MARGIN, height + 2 * MARGIN)
    widest = max(batch.max() for _, batch in sorts)
    for column, (title, batches) in enumerate(sorts):
        left = MARGIN + column * (SIZE + MARGIN)
        padded = sum(batch.max() * len(batch) for batch in batches)
        share = 1 - batches.sum() / padded
        write(f"{title}: {share:.0%} of the rows are padding", (left, 8), draw)
        for number, batch in enumerate(batches):
            top = MARGIN + 12 + number * (2 * BATCH_SIZE + MARGIN)
            right = left + SIZE * batch.max() / widest
            draw.rectangle((left, top, right, top + 2 * BATCH_SIZE - 1), fill=GREY)
            for row, length in enumerate(batch):
                y = top + 2 * row
                draw.rectangle((left, y, left + SIZE * length / widest, y), fill=BLUE)
    return picture


def batch_lengths(files: Sequence[str], num_classes: int) -> list[np.ndarray]:
    """Returns the lengths of the drawings of some training batches."""
    input_fn = input_pipeline.training_input_fn(
        files, batch_size=BATCH_SIZE, num_classes=num_classes, seed=0
    )
    with tf.Graph().as_default(), tf1.Session() as session:
        features, _ = tf1.data.make_one_shot_iterator(input_fn()).get_next()
        return [session.run(features["lengths"]) for _ in range(20)]


def strokes_picture(strokes: Sequence[ink.Stroke], known: classifier.Classifier) -> Image.Image:
    """Draws the drawing after each of its strokes, with the guesses for it."""
    cells = []
    for count in range(1, len(strokes) + 1):
        guesses = known.classify(strokes[:count])[:3]
        texts = [f"{guess.word} {guess.probability:.0%}" for guess in guesses]
        cells.append((ink.drawing_to_ink(strokes[:count]), "\n".join(texts)))
    return pictures.sheet(cells, columns=len(cells))


def contributions_picture(drawing: np.ndarray, trained: models.Model, word: str) -> Image.Image:
    """Draws the drawing, each step of the pen in the colour of what it adds to its word's logit."""
    shares = contributions(drawing, trained, word)
    picture, draw = canvas(2 * SIZE + 3 * MARGIN, SIZE + 2 * MARGIN)
    at = np.concatenate([np.zeros((1, 2)), np.cumsum(drawing[:, :2], axis=0)])
    at = MARGIN + (at - at.min(axis=0)) * SIZE
    strongest = np.abs(shares).max()
    pen_was_up = False
    for start, end, share, pen_up in zip(at, at[1:], shares, drawing[:, 2]):
        if not pen_was_up:
            strength = math.sqrt(abs(share) / strongest)
            colour = tuple(
                round(g + strength * (c - g)) for g, c in zip(GREY, RED if share < 0 else BLUE)
            )
            draw.line([tuple(start), tuple(end)], fill=colour, width=6)
        pen_was_up = pen_up > 0.5
    left = SIZE + 2 * MARGIN
    write("for its word: blue, against: red", (left, MARGIN), draw)
    total = np.concatenate([[0], np.cumsum(shares)])
    xs = left + SIZE * np.arange(len(total)) / (len(total) - 1)
    low, high = min(total.min(), 0), total.max()
    ys = MARGIN + 40 + (SIZE - 60) * (high - total) / (high - low)
    draw.line([*zip(xs, ys)], fill=BLUE, width=3)
    zero = MARGIN + 40 + (SIZE - 60) * high / (high - low)
    draw.line([(left, zero), (left + SIZE, zero)], fill=GREY)
    write(f"the sum up to each step, {total[-1]:.1f} at the end", (left, SIZE + 4), draw)
    return picture


def contributions(drawing: np.ndarray, trained: models.Model, word: str) -> np.ndarray:
    """Computes what each row of the ink adds to the logit of a word, float32 [rows]."""
    with tf.Graph().as_default(), tf1.Session() as session:
        batch = tf.constant(drawing[np.newaxis])
        lengths = tf.constant([len(drawing)], tf.int64)
        mask = model.length_mask(lengths, tf.shape(batch)[1])
        channels = model.conv_layers(batch, mask, params=trained.params, training=False)
        time_major = tf.transpose(channels, [1, 0, 2])
        hidden = model.lstm_layers(time_major, lengths, params=trained.params, training=False)
        tf1.train.Saver().restore(session, trained.checkpoint)
        outputs = session.run(hidden)[:, 0]  # [rows, 2N]
    kernel = tf.train.load_variable(trained.checkpoint, "dense/kernel")
    return outputs @ kernel[:, trained.classes.index(word)]


def make_pictures(trained: models.Model) -> None:
    document = ndjson.parse_document(DRAWING.read_bytes())
    strokes, word = document["drawing"], document["word"]
    if word not in trained.classes:
        raise UserError(f"--model={_MODEL.value}: it does not know the word {word!r}")
    files = input_pipeline.match_files(_TRAINING_DATA.value, flag="--training_data")
    drawing = ink.drawing_to_ink(strokes)
    PICTURES.mkdir(exist_ok=True)
    for name, picture in (
        ("points", points_picture(strokes)),
        ("padding", padding_picture(files, len(trained.classes))),
        ("strokes", strokes_picture(strokes, classifier.Classifier(_MODEL.value))),
        ("contributions", contributions_picture(drawing, trained, word)),
    ):
        path = PICTURES / f"{name}.png"
        picture.save(path, optimize=True)
        print(path)


def main() -> None:
    tf1.disable_eager_execution()
    with models.copied_model(_MODEL.value) as (_, trained):
        make_pictures(trained)


if __name__ == "__main__":
    programs.run(main)
