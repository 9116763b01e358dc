import os
import resource
import signal

import pytest

from common import files


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


def test_a_file_that_cannot_be_written_leaves_nothing_and_is_named(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as refused:
        files.write_whole(str(tmp_path / "folder"), "x")
    assert refused.value.filename == str(tmp_path / "folder")
    # A limit on a file's size fails a write as a full disk does.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OSError, match="File too large") as refused:
            files.write_whole(str(tmp_path / "page"), "x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.filename == str(tmp_path / "page")
    assert files.list_folder(str(tmp_path)) == ["folder"]


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_files_and_folders_are_treated_alike_wherever_they_lie(tmp_path, kind):
    """TensorFlow's file system in memory stands for the remote ones."""
    root = str(tmp_path) if kind == "local" else "ram://test_alike"
    for _ in range(2):  # the second time it is there
        files.make_folder(f"{root}/a/b")
    assert files.is_folder(f"{root}/a/b") and not files.is_folder(f"{root}/a/c")
    files.write_whole(f"{root}/a/one", b"\xff123")
    files.write_whole(f"{root}/a/b/two", "кот")
    assert (files.size(f"{root}/a/one"), files.size(f"{root}/a/b/two")) == (4, 6)
    files.copy(f"{root}/a/one", f"{root}/a/b/copy")
    assert files.read_bytes(f"{root}/a/b/copy") == b"\xff123"
    files.write_whole(f"{root}/a/three", "3")
    files.rename(f"{root}/a/three", f"{root}/a/one")
    assert files.read_bytes(f"{root}/a/one") == b"3" and not files.exists(f"{root}/a/three")
    assert files.match(f"{root}/a/o?e") == [f"{root}/a/one"]
    assert files.list_folder(f"{root}/a") == ["b", "one"]
    files.remove(f"{root}/a/one")
    files.remove_folder(f"{root}/a/b")
    assert files.list_folder(f"{root}/a") == []
    for missing in (files.remove, files.size, files.read_bytes):
        with pytest.raises(FileNotFoundError):
            missing(f"{root}/a/one")


def test_a_file_is_copied_from_here_to_elsewhere(tmp_path):
    (tmp_path / "here").write_bytes(b"cat")
    files.copy(str(tmp_path / "here"), "ram://test_copied")
    assert files.read_bytes("ram://test_copied") == b"cat"


def test_where_no_file_can_be_is_refused_by_its_flag(tmp_path):
    with pytest.raises(ValueError, match=f"--output={tmp_path} is a folder; give the name of a f"):
        files.check_output_file(str(tmp_path), flag="--output")
    with pytest.raises(ValueError, match=f"there is no folder {tmp_path}/missing; make it first"):
        files.check_output_file(f"{tmp_path}/missing/x.html", flag="--output")
    files.check_output_file(f"{tmp_path}/x.html", flag="--output")


def test_a_link_to_nothing_is_named_as_such(tmp_path):
    (tmp_path / "runs").symlink_to("gone")
    for path in ("runs", "runs/1"):
        with pytest.raises(ValueError, match="/runs is a link to gone, which is not there"):
            files.check_output_folder(str(tmp_path / path), flag="--model_dir")
