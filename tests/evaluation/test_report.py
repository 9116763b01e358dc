import html.parser
import json
import re

import numpy as np
import pytest

from drawings import ink
from evaluation import report
from evaluation.guesses import Guesses

CLASSES = ["a & b", "<c>", "d"]
DRAWING = ink.strokes_to_ink([[[0, 3, 9], [0, 5, 1]], [[4, 4], [0, 9]]])


def guesses(labels, predictions, probability=None, lengths=None) -> Guesses:
    count = len(labels)
    return Guesses(
        labels=np.array(labels),
        predictions=np.array(predictions),
        probability=np.array([0.9] * count if probability is None else probability),
        lengths=np.array([4] * count if lengths is None else lengths),
        inks=[DRAWING] * count,
        embeddings=np.zeros((count, 2), np.float32),
    )


def test_classes_and_what_they_are_taken_for():
    seen = guesses([0, 0, 0, 0, 2, 2], [0, 1, 2, 2, 2, 2])
    confusion = seen.confusion(3)
    assert confusion.tolist() == [[1, 1, 2], [0, 0, 0], [0, 0, 2]]
    assert report.class_rows(confusion, CLASSES) == [
        {
            "class": "a & b",
            "count": 4,
            "accuracy": 0.25,
            "taken_for": [{"class": "d", "count": 2}, {"class": "<c>", "count": 1}],
        },
        {"class": "d", "count": 2, "accuracy": 1.0, "taken_for": []},
    ]
    assert report.confused_pairs(confusion) == [(0, 2, 2), (0, 1, 1)]


def test_reliability_of_probabilities():
    seen = guesses([0] * 6, [0, 0, 1, 1, 0, 0], [0.91, 0.95, 0.99, 0.42, 0.48, 1.0])
    rows, error = report.reliability(seen)
    assert [(row["from"], row["count"]) for row in rows] == [(0.4, 2), (0.9, 4)]
    assert [row["accuracy"] for row in rows] == [0.5, 0.75]
    assert [row["probability"] for row in rows] == pytest.approx([0.45, 0.9625])
    assert error == pytest.approx((2 * 0.05 + 4 * 0.2125) / 6)


def test_accuracy_by_length_covers_every_drawing():
    lengths = np.random.default_rng(0).integers(1, 200, 1000)
    rows = report.by_length(guesses([0] * 1000, lengths > 100, lengths=lengths))
    assert len(rows) == 10 and sum(row["count"] for row in rows) == 1000
    assert rows[0]["from"] == 2 and rows[-1]["to"] == lengths.max() + 1  # points, not rows of ink
    for before, row in zip(rows, rows[1:]):
        assert before["to"] < row["from"]
    right = sum(row["accuracy"] * row["count"] for row in rows)
    assert right == pytest.approx((lengths <= 100).sum())
    (only,) = report.by_length(guesses([0, 1], [0, 0]))
    assert only == {"from": 5, "to": 5, "count": 2, "accuracy": 0.5}


class Page(html.parser.HTMLParser):
    """What a browser would be asked to load, and the text."""

    def __init__(self, text: str):
        super().__init__()
        self.sources, self.text, self.depth = [], "", 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def write(folder, seen, *, title="x", classes=CLASSES) -> str:
    """Writes a report whose measures are all a half; its page."""
    metrics = dict.fromkeys(report.METRIC_NAMES, 0.5)
    report.write(
        str(folder),
        title=title,
        metrics={**metrics, "drawings": len(seen.labels)},
        beginnings=[{"stroke_share": 1.0, **metrics}],
        seen=seen,
        classes=classes,
        accept_threshold=0.5,
    )
    return (folder / "report.html").read_text()


@pytest.mark.parametrize("mistakes", [True, False])
def test_the_page_stands_alone(tmp_path, mistakes):
    seen = guesses([0, 0, 1, 2], [0, 1, 0, 2] if mistakes else [0, 0, 1, 2])
    text = write(tmp_path / "out", seen, title="<script>alert(1)</script>")
    page = Page(text)
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert len(page.sources) == (4 if mistakes else 1)  # two pairs, the mistakes, the matrix
    assert "<script" not in text and "a & b" in page.text and "<c>" in page.text
    assert json.loads((tmp_path / "out/report.json").read_text())["metrics"]["drawings"] == 4


def test_the_page_is_for_phones_the_dark_and_those_who_cannot_see(tmp_path):
    text = write(tmp_path, guesses([0, 0, 1, 2], [0, 1, 0, 2]))
    assert '<meta name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme: dark" in text or "color-scheme: light dark" in text

    class Checker(html.parser.HTMLParser):
        depth = count = 0

        def handle_starttag(self, tag, attributes):
            attributes = dict(attributes)
            self.depth += tag == "div" and attributes.get("class") == "scroll"
            if tag == "img":
                assert attributes["alt"].strip()
            if tag in ("table", "img"):
                Checker.count += 1
                assert self.depth, f"a {tag} that does not scroll in itself"

        def handle_endtag(self, tag):
            self.depth -= tag == "div" and self.depth > 0

    Checker().feed(text)
    assert Checker.count > 5
    assert re.search(r"\.scroll\s*{[^}]*overflow:\s*auto", text)
