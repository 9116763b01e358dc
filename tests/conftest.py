"""Fixtures of the tests.

All tests run in one process, as the programs do without eager execution; those that try a
program as a user does start it as a process of its own.
"""

from __future__ import annotations

from common.quiet_tensorflow import tf  # isort: skip  (first, see common/startup.py)

import gc
import os
import pathlib
import signal

import pytest
from helpers import Trained, train, write_data, write_ndjson

import model
from dataset import conversion
from model_folder import models
from serving import exporting

tf.compat.v1.disable_eager_execution()
tf.get_logger().setLevel("ERROR")


@pytest.fixture(autouse=True, scope="module")
def few_objects_to_look_through():
    """As the programs do with what they import: each evaluation looks for garbage, which takes
    the longer the more objects the tests before have left."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    classes = ["ant", "bee", "cat", "dog", "elk", "кот"]
    lines = []
    for word in classes:
        lines += write_ndjson(folder / "in", word, 24).read_bytes().splitlines()[16:]
    conversion.convert(
        str(folder / "in"),
        str(folder / "records"),
        splits=(conversion.Split("training", 16), conversion.Split("eval", 8)),
        num_shards=2,
        seed=0,
        num_workers=1,
    )
    params = model.HParams(
        num_classes=6, num_layers=1, num_nodes=6, num_conv=(6,), conv_len=(3,), learning_rate=0.02
    )
    train(
        folder / "records",
        folder / "model",
        params=params,
        classes=classes,
        steps=60,
        batch_size=8,
        save_checkpoints_steps=30,
    )
    saved = models.find_model(str(folder / "model"))
    export = exporting.export(str(folder / "model"), saved)
    return Trained(
        model_dir=folder / "model",
        export=pathlib.Path(export),
        eval_data=f"{folder}/records/eval.tfrecord-*-of-*",
        lines=lines,
        classes=classes,
    )


@pytest.fixture
def data(tmp_path) -> pathlib.Path:
    """A folder of 80 training and 18 evaluation records of three classes, two files each."""
    return write_data(tmp_path / "data")


@pytest.fixture
def quickdraw_data() -> pathlib.Path:
    """The folder of real drawings and of the tutorial's own output."""
    if "QUICKDRAW_DATA" not in os.environ:
        pytest.skip("QUICKDRAW_DATA names no folder of real drawings")
    return pathlib.Path(os.environ["QUICKDRAW_DATA"])


@pytest.fixture
def source(tmp_path) -> pathlib.Path:
    """A folder of ndjson files of three categories, 30 drawings each."""
    folder = tmp_path / "ndjson"
    for word in ("zebra", "ant", "mouse"):
        write_ndjson(folder, word, 30)
    return folder


@pytest.fixture
def kept_signals():
    """Puts back what the test sets for signals."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
