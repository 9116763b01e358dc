import numpy as np
import pytest
from PIL import ImageDraw

from drawings import ink, pictures


def test_strokes_are_drawn_where_they_are():
    # A square's left side, then its right one.
    drawing = ink.strokes_to_ink([[[0, 0], [0, 100]], [[100, 100], [100, 0]]])
    pixels = np.asarray(pictures.draw_ink(drawing, 100))
    assert pixels.shape == (100, 100)
    assert (pixels[5:95, 2] < 60).all() and (pixels[5:95, -3] < 60).all()
    assert (pixels[:, 10:90] == 255).all()  # the pen was up between them


def test_edges_are_smooth():
    pixels = np.asarray(pictures.draw_ink(ink.strokes_to_ink([[[0, 100], [0, 37]]]), 100))
    assert len(np.unique(pixels)) > 8  # two without smoothing


def test_a_sheet_has_a_cell_for_each_drawing():
    drawing = ink.strokes_to_ink([[[0, 10, 5], [0, 0, 9]]])
    texts = ["cat", "кот", "a name far too long for its little cell", ""]
    picture = pictures.sheet([(drawing, text) for text in texts], columns=3)
    assert picture.size == (3 * (88 + 2 * 8), 2 * (88 + 16 + 2 * 8))
    pixels = np.asarray(picture)
    width, height = picture.width // 3, picture.height // 2
    cells = [
        pixels[y : y + height, x : x + width]
        for y in (0, height)
        for x in range(0, 3 * width, width)
    ]
    drawn = [int((cell[: pictures.CELL_SIZE] < 128).sum()) for cell in cells]
    assert len(set(drawn[:4])) == 1 and drawn[0] > 100 and drawn[4:] == [0, 0]
    lettered = [bool((cell[-20:] < 128).any()) for cell in cells]
    assert lettered == [True, True, True, False, False, False]


@pytest.mark.parametrize("length", [3000, 100_000])
def test_a_name_is_cut_before_it_is_measured(length, monkeypatch):
    measured = []
    textlength = ImageDraw.ImageDraw.textlength

    def measure(canvas, text, *arguments, **options):
        measured.append(len(text))
        return textlength(canvas, text, *arguments, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "textlength", measure)
    drawing = ink.strokes_to_ink([[[0, 10, 5], [0, 0, 9]]])
    assert pictures.sheet([(drawing, "i" * length)]).width < 200
    matrix = pictures.confusion_matrix(np.eye(2, dtype=int), ["w" * length, "cat"])
    assert matrix.width < 400
    assert 0 < max(measured) < 200 and len(measured) < 400


def test_a_sheet_is_about_as_wide_as_high():
    drawing = ink.strokes_to_ink([[[0, 10, 5], [0, 0, 9]]])
    assert pictures.sheet([(drawing, "x")] * 7).size == (3 * 104, 3 * 120)


def test_a_confusion_matrix_has_a_name_beside_each_row():
    matrix = pictures.confusion_matrix(np.array([[3, 1], [0, 4]]), ["cat", "dog"])
    pixels = np.asarray(matrix.convert("L"))
    head = matrix.width - 2 * 24 - 8
    beside = [pixels[head + 24 * i : head + 24 * i + 24, : head - 2] for i in (0, 1)]
    above = [pixels[: head - 2, head + 24 * i : head + 24 * i + 24] for i in (0, 1)]
    assert all((part < 128).sum() > 10 for part in (*beside, *above))
    assert pixels[head + 36, head + 36] < pixels[head + 12, head + 12] < 128  # 4 of 4, 3 of 4
    assert pixels[head + 36, head + 12] == 255 > pixels[head + 12, head + 36]  # 0 of 4, 1 of 4


def test_of_many_classes_a_confusion_matrix_shows_those_with_mistakes(monkeypatch):
    monkeypatch.setattr(pictures, "CONFUSION_CLASSES", 3)
    confusion = np.diag([5, 5, 5, 5, 5])
    confusion[4, 1], confusion[3, 1] = 2, 1  # classes 1, 3 and 4 have to do with mistakes
    picture = pictures.confusion_matrix(confusion, ["a", "b", "c", "d", "e"])
    shares = np.array([[5 / 5, 0, 0], [1 / 6, 5 / 6, 0], [2 / 7, 0, 5 / 7]])
    monkeypatch.undo()
    expected = pictures.confusion_matrix(np.rint(shares * 4200).astype(int), ["b", "d", "e"])
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))
