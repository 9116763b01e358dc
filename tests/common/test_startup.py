import gc
import importlib.util
import os
import runpy
import sys

import pytest
from helpers import ROOT

from common import startup


@pytest.mark.parametrize(
    ("script", "expected"), [("train_model.py", False), ("somewhere/notebook.py", True)]
)
def test_no_program_looks_for_garbage_while_it_imports(monkeypatch, script, expected):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "argv", [str(ROOT / script)])
    source = importlib.util.spec_from_file_location("imported_again", startup.__file__)
    try:
        source.loader.exec_module(importlib.util.module_from_spec(source))
        assert gc.isenabled() == expected
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("cores", "own", "expected"), [(8, None, "4"), (1, None, "1"), (8, "3", "3")]
)
def test_an_operation_takes_half_of_the_cores_unless_told_otherwise(
    monkeypatch, cores, own, expected
):
    name = "TF_NUM_INTRAOP_THREADS"
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    # First set, so that whatever the module sets is taken back after the test.
    monkeypatch.setenv(name, own or "")
    if own is None:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # which the module sets too
    runpy.run_path(startup.__file__)
    assert os.environ[name] == expected


def test_ctrl_c_before_a_program_has_begun_is_no_traceback(capsys):
    assert sys.excepthook is not sys.__excepthook__
    startup._on_uncaught(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "\nInterrupted.\n"
    startup._on_uncaught(TypeError, TypeError("a bug"), None)
    assert "TypeError: a bug" in capsys.readouterr().err
