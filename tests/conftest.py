"""What the tests share: drawings made up on the spot, and records of them.

All tests run in one process, as the programs do without eager execution; those that try a
program as a user does start it as a process of its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402

import conversion  # noqa: E402
import exporting  # noqa: E402
import ink  # noqa: E402
import input_pipeline  # noqa: E402
import model  # noqa: E402
import model_dirs  # noqa: E402
import train_model  # noqa: E402

tf.compat.v1.disable_eager_execution()
tf.get_logger().setLevel("ERROR")


def random_strokes(rng: np.random.Generator, *, max_strokes: int = 5) -> list[list[list[int]]]:
    """Strokes of 2 to 12 points each with whole coordinates from 0 to 255."""
    lengths = rng.integers(2, 13, rng.integers(1, max_strokes + 1))
    return [rng.integers(0, 256, (2, length)).tolist() for length in lengths]


def ndjson_line(word: str, strokes, **fields) -> bytes:
    return json.dumps({"word": word, "drawing": strokes, **fields}).encode() + b"\n"


def write_ndjson(folder: pathlib.Path, word: str, count: int, *, seed: int = 0) -> pathlib.Path:
    """A file of `count` usable drawings of a word."""
    rng = np.random.default_rng([seed, *word.encode()])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{word}.ndjson"
    path.write_bytes(b"".join(ndjson_line(word, random_strokes(rng)) for _ in range(count)))
    return path


def write_records(path: pathlib.Path, records: list[bytes]) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return str(path)


def read_records(path) -> list[bytes]:
    return list(input_pipeline.read_records(str(path)))


def random_records(count: int, *, num_classes: int = 3, seed: int = 0) -> list[bytes]:
    """Records of random ink of 1 to 59 rows."""
    rng = np.random.default_rng(seed)
    records = []
    for _ in range(count):
        drawing = ink.strokes_to_ink(random_strokes(rng))
        records.append(
            input_pipeline.encode_record(drawing.tobytes(), int(rng.integers(num_classes)))
        )
    return records


def run_dataset(dataset_fn) -> list:
    """All elements of the dataset that a function makes, as NumPy arrays."""
    elements = []
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        element = tf.compat.v1.data.make_one_shot_iterator(dataset_fn()).get_next()
        while True:
            try:
                elements.append(session.run(element))
            except tf.errors.OutOfRangeError:
                return elements


def _program(args) -> dict:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, str(ROOT / args[0]), *map(str, args[1:])]
    return {"args": command, "env": environment, "text": True}


def run_program(*args, environment=None, **options) -> subprocess.CompletedProcess:
    """Runs one of the project's programs; its output is text."""
    options = {**_program(args), **options}
    options["env"] = {**options["env"], **(environment or {})}
    return subprocess.run(**options, capture_output=True, timeout=300)


def start_program(*args, stdin_pipe: bool = False) -> subprocess.Popen:
    """Starts one, with both outputs in one pipe, to be sent signals."""
    return subprocess.Popen(
        **_program(args),
        stdin=subprocess.PIPE if stdin_pipe else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Where the tests run in the background, Ctrl-C may be switched off for their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


CLASSES = ["ant", "bee", "cat"]
TINY = model.HParams(
    num_classes=3, num_layers=1, num_nodes=4, num_conv=(4,), conv_len=(3,), learning_rate=0.01
)


def train(folder, model_dir, *, params=TINY, classes=CLASSES, steps=6, **changes):
    """Trains on the records in a folder; `changes` are fields of `train_model.Run`."""
    arguments = {
        "training_files": sorted(map(str, folder.glob("training.tfrecord-*"))),
        "eval_files": sorted(map(str, folder.glob("eval.tfrecord-*"))),
        "batch_size": 4,
        "save_checkpoints_steps": 3,
        "keep_checkpoint_max": 5,
        "eval_throttle_secs": 0,
        "seed": 0,
    }
    run = train_model.Run(
        classes=classes, params=params, model_dir=str(model_dir), steps=steps,
        **{**arguments, **changes},
    )  # fmt: skip
    return train_model.train(run)


@dataclasses.dataclass(frozen=True)
class Trained:
    """A tiny model that was trained, evaluated and exported, and its data.

    Attributes:
      model_dir: what train_model.py left.
      export: the exported model's folder.
      eval_data: pattern of the records of the evaluation.
      lines: the ndjson lines that they were made of.
      classes: the class list.
    """

    model_dir: pathlib.Path
    export: pathlib.Path
    eval_data: str
    lines: list[bytes]
    classes: list[str]


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
        folder / "records", folder / "model", params=params, classes=classes, steps=60,
        batch_size=8, save_checkpoints_steps=30,
    )  # fmt: skip
    checkpoint = model_dirs.best_checkpoint(str(folder / "model"))
    export = exporting.export(
        str(folder / "model"), checkpoint=checkpoint, params=params, classes=classes
    )
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
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(2):
        write_records(folder / f"training.tfrecord-{i:05d}-of-00002", random_records(40, seed=i))
        write_records(folder / f"eval.tfrecord-{i:05d}-of-00002", random_records(9, seed=i + 2))
    input_pipeline.write_classes(str(folder / "training.tfrecord.classes"), CLASSES)
    return folder


@pytest.fixture
def quickdraw_data() -> pathlib.Path:
    """The folder of real drawings and of the tutorial's own output."""
    if "QUICKDRAW_DATA" not in os.environ:
        pytest.skip("QUICKDRAW_DATA names no folder of real drawings")
    return pathlib.Path(os.environ["QUICKDRAW_DATA"])
