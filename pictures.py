"""Drawings as pictures: ink rendered as anti-aliased strokes, alone or many on a sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import ink as ink_module

# Pixels of a drawing's box on a sheet, of the space around it, and of the line of text under it.
CELL_SIZE = 88
MARGIN = 8
TEXT_HEIGHT = 16
FONT_SIZE = 11

# A stroke's width as a share of the picture's.
STROKE_WIDTH = 0.025

# Strokes are drawn so many times larger and scaled down, which smooths their edges.
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


def sheet(drawings: Sequence[tuple[np.ndarray, str]], *, columns: int = 0) -> Image.Image:
    """A grid of drawings with a line of text under each.

    Args:
      drawings: (ink, text) of each.
      columns: drawings side by side; 0 for a sheet about as wide as high.

    Returns:
      A greyscale picture.
    """
    columns = columns or max(1, math.ceil(math.sqrt(len(drawings))))
    rows = max(1, math.ceil(len(drawings) / columns))
    step_x, step_y = CELL_SIZE + 2 * MARGIN, CELL_SIZE + TEXT_HEIGHT + 2 * MARGIN
    picture = Image.new("L", (columns * step_x, rows * step_y), 255)
    canvas = ImageDraw.Draw(picture)
    font = ImageFont.load_default(FONT_SIZE)
    for i, (ink, text) in enumerate(drawings):
        left, top = (i % columns) * step_x, (i // columns) * step_y
        picture.paste(draw_ink(ink, CELL_SIZE), (left + MARGIN, top + MARGIN))
        while text and canvas.textlength(text, font) > step_x - 4:
            text = text[:-2].rstrip() + "…" if not text.endswith("…") else text[:-2] + "…"
        middle = left + step_x / 2
        canvas.text((middle, top + step_y - MARGIN), text, fill=0, font=font, anchor="ms")
    return picture
