import errno
import fcntl
import multiprocessing
import os

import pytest

from common import locks


def hold(folder, held, let_go):
    with locks.only_writer(folder, busy="a child is there"):
        held.set()
        let_go.wait()


def test_one_program_at_a_time(tmp_path):
    folder = str(tmp_path / "new")
    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    child = context.Process(target=hold, args=(folder, held, let_go))
    child.start()
    assert held.wait(60)
    with (
        pytest.raises(ValueError, match="new: the child is there$"),
        locks.only_writer(folder, busy="the child is there"),
    ):
        pass
    let_go.set()
    with locks.only_writer(folder, busy="still there", patience_secs=60):
        pass
    child.join()


def test_a_folder_that_is_in_use_is_not_waited_for_unless_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: pytest.fail("waits"))
    with (
        locks.only_writer(str(tmp_path), busy="we are here"),
        pytest.raises(ValueError, match="we are here$"),
        locks.only_writer(str(tmp_path), busy="we are here"),
    ):
        pass


def test_a_folder_made_for_work_that_was_refused_is_gone(tmp_path):
    with pytest.raises(KeyError), locks.only_writer(str(tmp_path / "new"), busy="x"):
        raise KeyError
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with locks.only_writer(str(tmp_path / "old"), busy="x"):
        pass
    assert (tmp_path / "old").exists()


def test_a_folder_is_removed_before_another_program_can_lock_it(tmp_path, monkeypatch):
    folder, seen = str(tmp_path / "new"), []

    def rmdir(path):
        descriptor = os.open(path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
        seen.append(path)

    with monkeypatch.context() as patched, locks.only_writer(folder, busy="x"):
        patched.setattr(locks.os, "rmdir", rmdir)
    assert seen == [folder]


@pytest.mark.parametrize("made_anew", [False, True])
def test_the_lock_of_a_folder_that_was_removed_meanwhile_is_none(tmp_path, monkeypatch, made_anew):
    folder, flock = tmp_path / "new", fcntl.flock

    def removed_first(descriptor, operation):
        monkeypatch.setattr(locks.fcntl, "flock", flock)
        folder.rmdir()
        if made_anew:
            (tmp_path / "other").mkdir()  # takes the place that the removed one had on the disk
            folder.mkdir()
        flock(descriptor, operation)

    monkeypatch.setattr(locks.fcntl, "flock", removed_first)
    with locks.only_writer(str(folder), busy="x"):
        assert folder.is_dir()
        with (
            pytest.raises(ValueError, match="new: here$"),
            locks.only_writer(str(folder), busy="here"),
        ):
            pass


def test_a_folder_without_locks_is_written_to_with_a_warning(tmp_path, monkeypatch, capsys):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with locks.only_writer(str(tmp_path), busy="somebody is there"):
        pass
    assert "cannot be locked" in capsys.readouterr().err


def test_a_remote_folder_is_nothing_to_lock(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with locks.only_writer("gs://bucket/runs", busy="x"):
        assert not list(tmp_path.iterdir())
