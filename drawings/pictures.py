"""Drawings as pictures: ink rendered as anti-aliased strokes, alone or many on a sheet."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from drawings import ink as ink_module

# Pixels of a drawing's box on a sheet, of the space around it, and of the line of text under it.
CELL_SIZE = 88
MARGIN = 8
TEXT_HEIGHT = 16
FONT_SIZE = 11

# The colour of text under a drawing that was taken for another class.
WRONG_COLOUR = "#c00000"

# A confusion matrix: pixels of a cell, at most and at least, and of the whole where cells can
# still shrink; and the colour of a share of 1, reached from white.
CONFUSION_CELL_SIZES = (8, 24)
CONFUSION_SIZE = 720
CONFUSION_COLOUR = (8, 48, 107)

# Classes that it shows at most: a picture of 3,000 would take gigabytes and show nothing.
CONFUSION_CLASSES = 400

# A stroke's width as a share of the picture's.
STROKE_WIDTH = 0.025

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

# Strokes are drawn this many times larger and scaled down, which smooths their edges.
OVERSAMPLING = 4


def decode_ink(data: bytes) -> np.ndarray:
    """float32 [rows, 3] of the bytes that a record's ink is made of."""
    return np.frombuffer(data, np.float32).reshape(-1, 3)


def draw_ink(ink: np.ndarray, size: int) -> Image.Image:
    """Renders a drawing in black on white.

    Args:
      ink: float [rows, 3]. Both sides of its box are 1 (see ink.py), so it fills a square.
      size: width and height in pixels.

    Returns:
      A greyscale picture.
    """
    large = size * OVERSAMPLING
    width = max(1, round(large * STROKE_WIDTH))
    picture = Image.new("L", (large, large), 255)
    canvas = ImageDraw.Draw(picture)
    for stroke in ink_module.ink_to_strokes(ink):
        points = [tuple(point) for point in width + stroke * (large - 2 * width - 1)]
        if len(points) > 1:
            canvas.line(points, fill=0, width=width, joint="curve")
        for x, y in (points[0], points[-1]):
            radius = width / 2
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def sheet(
    drawings: Sequence[tuple[np.ndarray, str]],
    *,
    columns: int = 0,
    wrong: Sequence[bool] = (),
) -> Image.Image:
    """Draws a grid of drawings with text under each.

    Args:
      drawings: (ink, text) of each; the text's lines that are too long are cut.
      columns: drawings side by side; 0 for a sheet about as wide as high.
      wrong: whose text is red.

    Returns:
      A picture in colour.
    """
    columns = columns or max(1, math.ceil(math.sqrt(len(drawings))))
    rows = max(1, math.ceil(len(drawings) / columns))
    lines = max((text.count("\n") + 1 for _, text in drawings), default=1)
    step_x, step_y = CELL_SIZE + 2 * MARGIN, CELL_SIZE + lines * TEXT_HEIGHT + 2 * MARGIN
    picture = Image.new("RGB", (columns * step_x, rows * step_y), "white")
    canvas = ImageDraw.Draw(picture)
    font = ImageFont.load_default(FONT_SIZE)
    for i, (ink, text) in enumerate(drawings):
        left, top = (i % columns) * step_x, (i // columns) * step_y
        picture.paste(draw_ink(ink, CELL_SIZE), (left + MARGIN, top + MARGIN))
        colour = WRONG_COLOUR if i < len(wrong) and wrong[i] else "black"
        for number, line in enumerate(text.split("\n"), start=1):
            at = left + step_x / 2, top + CELL_SIZE + MARGIN + number * TEXT_HEIGHT
            line = _fit(line, step_x - 4, canvas, font)
            canvas.text(at, line, fill=colour, font=font, anchor="ms")
    return picture


def _fit(text: str, width: int, canvas: ImageDraw.ImageDraw, font: Font) -> str:
    """Returns the text, or as much of it as is that many pixels wide, and an ellipsis."""
    # No letter is narrower than a pixel: what is cut off first could not be seen.
    shown = text[:width]
    while shown and canvas.textlength(shown + "…" * (shown != text), font) > width:
        shown = shown[:-1].rstrip()
    return shown if shown == text else shown + "…"


def sprites(inks: Sequence[np.ndarray], size: int) -> Image.Image:
    """Drawings edge to edge, row by row, in a square that has room for all of them."""
    columns = math.ceil(math.sqrt(len(inks)))
    picture = Image.new("L", (columns * size, columns * size), 255)
    for i, ink in enumerate(inks):
        picture.paste(draw_ink(ink, size), (i % columns * size, i // columns * size))
    return picture


def confusion_matrix(confusion: np.ndarray, classes: Sequence[str]) -> Image.Image:
    """Renders a confusion matrix; the darker a cell, the larger its share of its row.

    A cell's colour goes with the square root of the share, so that rare confusions show too.

    Args:
      confusion: int [K, K], drawings of a class (row) that were taken for which (column).
      classes: K names, written beside the rows and, from top to bottom, over the columns. Of more
        than CONFUSION_CLASSES those are shown that have most to do with mistakes.
    """
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    if len(classes) > CONFUSION_CLASSES:
        mistakes = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * confusion.diagonal()
        shown = np.sort(np.argsort(-mistakes, kind="stable")[:CONFUSION_CLASSES])
        share, classes = share[np.ix_(shown, shown)], [classes[i] for i in shown]
    smallest, largest = CONFUSION_CELL_SIZES
    cell = min(largest, max(smallest, CONFUSION_SIZE // len(classes)))
    font = ImageFont.load_default(min(FONT_SIZE, cell))
    names = [_fit(name, 160, ImageDraw.Draw(Image.new("L", (1, 1))), font) for name in classes]
    head = round(max(font.getlength(name) for name in names)) + 2 * MARGIN
    strength = np.sqrt(share)[:, :, np.newaxis]
    colours = np.rint(255 + strength * (np.array(CONFUSION_COLOUR) - 255)).astype(np.uint8)
    size = len(classes) * cell
    cells = Image.fromarray(colours).resize((size, size), Image.Resampling.NEAREST)
    picture = Image.new("RGB", (head + size + MARGIN, head + size + MARGIN), "white")
    picture.paste(cells, (head, head))
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((head - 1, head - 1, head + size, head + size), outline="#a0a0a0")
    above = Image.new("RGB", (head, size), "white")  # the columns' names, before it is turned
    sideways = ImageDraw.Draw(above)
    for i, name in enumerate(names):
        middle = (i + 0.5) * cell
        canvas.text((head - MARGIN, head + middle), name, fill="black", font=font, anchor="rm")
        sideways.text((MARGIN, middle), name, fill="black", font=font, anchor="lm")
    picture.paste(above.transpose(Image.Transpose.ROTATE_90), (head, 0))
    return picture


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
