import gzip
import os

import pytest
from helpers import convert, write_ndjson


def test_damaged_compressed_file_is_named(tmp_path):
    path = write_ndjson(tmp_path / "in", "cat", 30)
    damaged = tmp_path / "in/cat.ndjson.gz"
    damaged.write_bytes(gzip.compress(path.read_bytes())[:-200])
    path.unlink()
    with pytest.raises(ValueError, match="cat.ndjson.gz: the compressed file is damaged"):
        convert(tmp_path / "in", tmp_path / "out")


def test_file_without_a_usable_drawing_is_left_out(source, tmp_path, capsys):
    (source / "empty.ndjson").touch()
    (source / "bad.ndjson").write_text("nonsense\n")
    assert [category.word for category in convert(source, tmp_path / "out")] == [
        "ant",
        "mouse",
        "zebra",
    ]
    warnings = capsys.readouterr().err
    assert "empty.ndjson: holds no usable drawing" in warnings
    assert "bad.ndjson: holds no usable drawing" in warnings


def test_nothing_useful_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        convert(tmp_path / "missing", tmp_path / "out")
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match="no .ndjson file in it"):
        convert(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/empty.ndjson").touch()
    with pytest.raises(ValueError, match="none of its files holds a usable drawing"):
        convert(tmp_path / "in", tmp_path / "out")


def test_two_files_of_one_category_are_refused(source, tmp_path):
    (source / "mouse (1).ndjson").write_bytes((source / "mouse.ndjson").read_bytes())
    with pytest.raises(ValueError, match="hold the same category 'mouse'"):
        convert(source, tmp_path / "out")


def test_only_the_categories_asked_for(source, tmp_path):
    found = convert(source, tmp_path / "out", only=["zebra", "ant"])
    assert [(c.word, c.class_index) for c in found] == [("ant", 0), ("zebra", 1)]
    with pytest.raises(ValueError, match="--categories: no file of 'dog' in"):
        convert(source, tmp_path / "out", only=["dog", "ant"])


def test_what_only_has_the_name_of_a_file_is_left_out(source, tmp_path, capsys):
    os.mkfifo(source / "pipe.ndjson")  # reading it would wait for ever
    (source / "folder.ndjson").mkdir()
    (source / "gone.ndjson.gz").symlink_to(tmp_path / "nowhere")
    found = convert(source, tmp_path / "out")
    assert [category.word for category in found] == ["ant", "mouse", "zebra"]
    warnings = capsys.readouterr().err
    for name in ("pipe.ndjson", "folder.ndjson", "gone.ndjson.gz"):
        assert f"{name}: not a file; left out" in warnings
