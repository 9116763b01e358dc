import errno
import multiprocessing

from common import locks

import pytest


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


def test_a_folder_without_locks_is_written_to_with_a_warning(tmp_path, monkeypatch, capsys):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with locks.only_writer(str(tmp_path), busy="somebody is there"):
        pass
    assert "cannot be locked" in capsys.readouterr().err
