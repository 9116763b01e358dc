import gzip
import os
import re
import zipfile

import pytest
from helpers import contents, convert, ndjson_line, write_ndjson


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
    assert "empty.ndjson: left out, is empty" in warnings
    assert "bad.ndjson: left out, holds no usable drawing. Line 1: malformed JSON (" in warnings


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
    categories = convert(source, tmp_path / "out", only=["zebra", "ant"])
    assert [(c.word, c.class_index) for c in categories] == [("ant", 0), ("zebra", 1)]
    with pytest.raises(ValueError, match="--categories: no file of 'dog' in"):
        convert(source, tmp_path / "out", only=["dog", "ant"])


def test_whatever_a_file_is_called_or_compressed_by_it_is_read_or_named(source, tmp_path, capsys):
    expected = contents(convert_to(source, tmp_path / "plain"))
    ant, mouse = source / "ant.ndjson", source / "mouse.ndjson"
    (source / "ANT.NDJSON.GZ").write_bytes(ant.read_bytes())  # not compressed
    mouse.write_bytes(gzip.compress(mouse.read_bytes()))
    zebra = source / "zebra.ndjson"
    zebra.write_bytes(zebra.read_text().encode("utf-16"))
    ant.unlink()
    with zipfile.ZipFile(source / "dog.ndjson", "w") as archive:
        archive.writestr("dog.ndjson", "x")
    for name in ("notes.csv", "eval.tfrecord-00000-of-00010", ".hidden", "x.ndjson.part"):
        (source / name).touch()
    (source / "folder").mkdir()
    assert contents(convert_to(source, tmp_path / "other")) == expected
    warnings = capsys.readouterr().err
    assert "dog.ndjson: left out, is a zip archive; unpack it" in warnings
    assert "left out 'notes.csv', not named .ndjson or .ndjson.gz" in warnings


def convert_to(source, target):
    convert(source, target)
    return target


@pytest.mark.parametrize(
    "drawing, reason",
    [
        ([{"x": 1, "y": 2}], "a stroke is not .*objects with 'x', 'y'"),
        ([[[0, 0], [9, 0], [9, 9], [0, 9]]], r"are these \[x, y\] points\?"),
        ("M0 0 L9 9", "not a list of strokes .*a text such as 'M0 0 L9 9'"),
    ],
)
def test_the_reason_names_the_form_that_was_found(source, tmp_path, capsys, drawing, reason):
    (source / "other.ndjson").write_bytes(b"\n" + ndjson_line("other", drawing))
    convert(source, tmp_path / "out")
    assert re.search(rf"other.ndjson: left out, .* Line 2: .*{reason}", capsys.readouterr().err)


def test_a_word_that_is_no_text_is_a_reason(source, tmp_path, capsys):
    (source / "seven.ndjson").write_bytes(ndjson_line(7, [[[0, 9], [0, 9]]]))
    convert(source, tmp_path / "out")
    assert "seven.ndjson: left out, holds no usable drawing. Line 1: the word is not a text" in (
        capsys.readouterr().err
    )


def test_a_merged_file_and_a_single_category_are_warned_about(tmp_path, capsys):
    lines = [write_ndjson(tmp_path, word, 20).read_bytes().splitlines() for word in ("ant", "bee")]
    (tmp_path / "in").mkdir()
    merged = tmp_path / "in/all.ndjson"
    merged.write_bytes(b"\n".join(line for pair in zip(*lines) for line in pair))
    convert(tmp_path / "in", tmp_path / "out")
    warnings = capsys.readouterr().err
    assert "all.ndjson: its first drawings are of several words, 'ant', 'bee'." in warnings
    assert "'ant' is the only category" in warnings


def test_words_that_differ_in_case_or_blanks_alone_are_warned_about(source, tmp_path, capsys):
    for number, word in enumerate(("star", "Star", "star ")):
        (source / f"{number}.ndjson").write_bytes(ndjson_line(word, [[[0, 9], [0, 9]]]))
    assert len(convert(source, tmp_path / "out")) == 6
    warnings = capsys.readouterr().err
    assert "'Star', 'star', 'star ' become different classes" in warnings
    assert "only category" not in warnings and "'zebra'" not in warnings


def test_folders_with_brackets_in_their_names(source, tmp_path):
    folder = tmp_path / "old [1], new*"
    source.rename(folder)
    convert(folder, folder / "rec")
    convert(folder, folder / "rec", seed=1)  # in the place of the first
    assert len(list((folder / "rec").iterdir())) == 8


def test_what_only_has_the_name_of_a_file_is_left_out(source, tmp_path, capsys):
    os.mkfifo(source / "pipe.ndjson")  # reading it would wait for ever
    (source / "folder.ndjson").mkdir()
    (source / "gone.ndjson.gz").symlink_to(tmp_path / "nowhere")
    categories = convert(source, tmp_path / "out")
    assert [category.word for category in categories] == ["ant", "mouse", "zebra"]
    warnings = capsys.readouterr().err
    for name in ("pipe.ndjson", "folder.ndjson", "gone.ndjson.gz"):
        assert f"{name}: not a file; left out" in warnings
