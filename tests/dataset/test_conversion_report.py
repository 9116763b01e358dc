import numpy as np
from helpers import convert, ndjson_line

from dataset import conversion_report


def test_report_counts_every_line_and_measures_the_drawings(tmp_path):
    (tmp_path / "in").mkdir()
    lengths = [2, 3, 3, 5, 9]
    lines = [
        ndjson_line("cat", [[list(range(n)), [n * (i % 2) for i in range(n)]]]) for n in lengths
    ]
    lines += [ndjson_line("cat", [[list(range(20)), list(range(20))]])]  # two points would do
    lines += [ndjson_line("cat", [[[1, 2], [3, 4]], [[5], [6]]]), b"nonsense\n"]
    (tmp_path / "in/cat.ndjson").write_bytes(b"".join(lines))
    categories = convert(tmp_path / "in", tmp_path / "out")
    report = conversion_report.make_report(categories, settings={"seed": 0})
    assert report["total"] == report["categories"]["cat"]
    assert report["total"] == {
        "files": [str(tmp_path / "in/cat.ndjson")],
        "lines_read": 8,
        "drawings": {"training": 7, "eval": 0},
        "simplified": 1,
        "skipped": {"malformed JSON": 1},
        "points_per_drawing": {
            "median": 3,
            "percentile_95": 9,
            "percentile_99": 9,
            "maximum": 9,
        },
        "strokes_per_drawing": {
            "median": 1,
            "percentile_95": 2,
            "percentile_99": 2,
            "maximum": 2,
        },
    }


def test_quantiles_are_numpys_by_nearest_rank():
    values = np.random.default_rng(0).integers(1, 60, 500)
    counts = dict(zip(*(a.tolist() for a in np.unique(values, return_counts=True))))
    expected = np.percentile(values, [50, 95, 99, 100], method="inverted_cdf")
    assert list(conversion_report.quantiles(counts).values()) == expected.tolist()
    assert conversion_report.quantiles({}) == {}
