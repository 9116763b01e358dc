import os

from common import files

import pytest


@pytest.mark.parametrize("name", ["file", "file/below", "file/far/below"])
def test_an_output_folder_that_is_a_file_is_refused_by_its_flag(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=f"--output_path=.*{name}: .*/file is a file, not a fol"):
        files.check_output_folder(str(tmp_path / name), flag="--output_path")
    files.check_output_folder(str(tmp_path / "new/folder"), flag="--output_path")
    files.check_output_folder("gs://bucket/folder", flag="--output_path")


def test_an_output_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as root one may write anywhere
    with pytest.raises(ValueError, match=f"--model_dir=x: {tmp_path} cannot be written to"):
        monkeypatch.chdir(tmp_path)
        files.check_output_folder("x", flag="--model_dir")


@pytest.mark.parametrize("character", list("*?[]\\"))
def test_names_that_tensorflow_takes_for_patterns_are_refused(character):
    with pytest.raises(ValueError, match="--model_dir=runs/a.1: TensorFlow takes .* for a pattern"):
        files.check_no_pattern(f"runs/a{character}1", flag="--model_dir")
    files.check_no_pattern("runs/a (1) кот, {x}", flag="--model_dir")


def test_a_file_is_written_whole_and_a_folder_listed(tmp_path):
    files.write_whole(str(tmp_path / "b"), "кот\n")
    files.write_whole(str(tmp_path / "a"), "")
    assert (tmp_path / "b").read_text("utf-8") == "кот\n"
    assert files.list_folder(str(tmp_path)) == ["a", "b"]
    assert files.list_folder(str(tmp_path / "missing")) == []


def test_a_remote_file_is_read_as_a_local_one(tmp_path):
    for folder in (str(tmp_path), "ram://test_files"):
        path = f"{folder}/word"
        assert not files.exists(path)
        files.write_whole(path, "кот\n")
        assert files.exists(path) and files.read_bytes(path).decode() == "кот\n"
        assert files.list_folder(folder) == ["word"]


def test_what_a_remote_file_system_says_is_an_error_of_files():
    with pytest.raises(OSError):
        files.read_bytes("ram://nowhere/at/all")
    with pytest.raises(OSError, match="File system scheme 'nosuchsystem' not implemented"):
        files.exists("nosuchsystem://nowhere")
