"""What the tests share: drawings made up on the spot, records of them, and programs run."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import script_process
import tensorflow as tf
from hypothesis import strategies as st

import model
from common import estimators
from dataset import conversion
from drawings import ink
from records import class_list, tfrecords
from training import run as training_run

ROOT = pathlib.Path(__file__).resolve().parent.parent

PROGRAMS = (
    "download_drawings",
    "create_dataset",
    "train_model",
    "evaluate_model",
    "classify_drawings",
)


def random_strokes(rng: np.random.Generator, *, max_strokes: int = 5) -> list[list[list[int]]]:
    """Strokes of 2 to 12 points each with whole coordinates from 0 to 255."""
    lengths = rng.integers(2, 13, rng.integers(1, max_strokes + 1))
    return [rng.integers(0, 256, (2, length)).tolist() for length in lengths]


def resampled(strokes, spacing: float) -> list[list[list[float]]]:
    """Strokes with the same lines and a point every `spacing`, as a mouse would give them."""
    dense = []
    for stroke in strokes:
        xs, ys = np.float64(stroke[:2])
        length = np.cumsum([0, *np.hypot(np.diff(xs), np.diff(ys))])
        at = np.linspace(0, length[-1], int(length[-1] / spacing) + 2)
        dense.append([np.interp(at, length, values).tolist() for values in (xs, ys)])
    return dense


def ndjson_line(word: str, strokes, **fields) -> bytes:
    return json.dumps({"word": word, "drawing": strokes, **fields}).encode() + b"\n"


def write_ndjson(folder: pathlib.Path, word: str, count: int, *, seed: int = 0) -> pathlib.Path:
    """A file of `count` usable drawings of a word."""
    rng = np.random.default_rng([seed, *word.encode()])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{word}.ndjson"
    path.write_bytes(b"".join(ndjson_line(word, random_strokes(rng)) for _ in range(count)))
    return path


def write_records(path: pathlib.Path, serialized: list[bytes]) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in serialized:
            writer.write(record)
    return str(path)


def read_records(path) -> list[bytes]:
    return list(tfrecords.read_records(str(path)))


def random_records(count: int, *, num_classes: int = 3, seed: int = 0) -> list[bytes]:
    """Records of random ink of 1 to 59 rows."""
    rng = np.random.default_rng(seed)
    encoded = []
    for _ in range(count):
        drawing = ink.strokes_to_ink(random_strokes(rng))
        encoded.append(tfrecords.encode_record(drawing.tobytes(), int(rng.integers(num_classes))))
    return encoded


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


def _command(args) -> list[str]:
    return [str(ROOT / args[0]), *map(str, args[1:])]


def _environment(script: str, changes=None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    if os.path.dirname(script):  # what scripts/setup.sh does in .venv; the programs need nothing
        kept["PYTHONPATH"] = str(ROOT)
    return {**kept, **(changes or {})}


def run_program(*args, environment=None, cwd=".") -> subprocess.CompletedProcess:
    """Runs one of the project's programs; its output is text."""
    return script_process.run(
        _command(args), folder=str(cwd), environment=_environment(args[0], environment), timeout=300
    )


def run_new_process(*args, **options) -> subprocess.CompletedProcess:
    """Runs one as a shell does; `options` are those of `subprocess.run`."""
    return subprocess.run(
        [sys.executable, *_command(args)],
        env=_environment(args[0]),
        text=True,
        capture_output=True,
        timeout=300,
        **options,
    )


def start_program(*args, stdin_pipe: bool = False, environment=None) -> subprocess.Popen:
    """Starts one, with both outputs in one pipe, to be sent signals."""
    return subprocess.Popen(
        [sys.executable, *_command(args)],
        env=_environment(args[0], environment),
        text=True,
        stdin=subprocess.PIPE if stdin_pipe else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Where the tests run in the background, Ctrl-C may be switched off for their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


# Strokes of whole and other coordinates.
COORDINATES = st.lists(st.integers(-1000, 1000) | st.floats(-1e6, 1e6), min_size=1, max_size=6)
STROKES = st.lists(
    COORDINATES.flatmap(
        lambda xs: st.tuples(
            st.just(xs), st.lists(st.integers(0, 255), min_size=len(xs), max_size=len(xs))
        ).map(list)
    ),
    min_size=1,
    max_size=4,
)

CLASSES = ["ant", "bee", "cat"]
TINY = model.HParams(
    num_classes=3, num_layers=1, num_nodes=4, num_conv=(4,), conv_len=(3,), learning_rate=0.01
)


def plain_session(**options) -> tf.compat.v1.ConfigProto:
    """A session's options without the optimiser of graphs."""
    config = tf.compat.v1.ConfigProto(**options)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config


def write_data(folder: pathlib.Path) -> pathlib.Path:
    """Writes 80 training and 18 evaluation records of three classes, two files each."""
    folder.mkdir()
    for i in range(2):
        write_records(folder / f"training.tfrecord-{i:05d}-of-00002", random_records(40, seed=i))
        write_records(folder / f"eval.tfrecord-{i:05d}-of-00002", random_records(9, seed=i + 2))
    class_list.write_classes(str(folder / "training.tfrecord.classes"), CLASSES)
    return folder


def train(
    folder,
    model_dir,
    *,
    params=TINY,
    classes=CLASSES,
    steps=6,
    strategy=None,
    session_config=None,
    **changes,
):
    """Trains on the records in a folder; `changes` are fields of `Run`.

    Saves and evaluates at the end alone, and leaves out TensorFlow's optimiser of graphs, which
    takes longer than such a training; what is run as a process has it.
    """
    arguments = {
        "training_files": sorted(map(str, folder.glob("training.tfrecord-*"))),
        "eval_files": sorted(map(str, folder.glob("eval.tfrecord-*"))),
        "batch_size": 4,
        "save_checkpoints_steps": 1000,
        "eval_throttle_secs": 0,
    }
    run = training_run.Run(
        classes=classes,
        params=params,
        model_dir=str(model_dir),
        steps=steps,
        **{**arguments, **changes},
    )
    execution = training_run.Execution(strategy, session_config or plain_session())
    return training_run.train(run, execution)


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


def decode(record: bytes) -> tuple[np.ndarray, int]:
    """Reads a record through protobuf's own code."""
    feature = tf.train.Example.FromString(record).features.feature
    shape = list(feature["shape"].int64_list.value)
    values = np.array(feature["ink"].float_list.value, np.float32)
    return values.reshape(shape), feature["class_index"].int64_list.value[0]


def train_model_args(data, **flags) -> list[str]:
    """The command that trains on the records in a folder."""
    defaults = {
        "training_data": f"{data}/training.tfrecord-?????-of-?????",
        "eval_data": f"{data}/eval.tfrecord-?????-of-?????",
        "classes_file": f"{data}/training.tfrecord.classes",
    }
    return ["train_model.py", *(f"--{k}={v}" for k, v in {**defaults, **flags}.items())]


SPLITS = (conversion.Split("training", 20), conversion.Split("eval", 5))


def convert(source, target, *, splits=SPLITS, num_shards=3, seed=0, num_workers=2, **options):
    """Converts a folder; `options` are those of `conversion.convert`."""
    return conversion.convert(
        str(source),
        str(target),
        splits=splits,
        num_shards=num_shards,
        seed=seed,
        num_workers=num_workers,
        **options,
    )


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def global_step(model_dir) -> int:
    """Of the last checkpoint."""
    return tf.train.load_variable(str(model_dir), "global_step")


CLUSTER = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}


def in_tf_config(kind, index=0, cluster=None) -> dict[str, str]:
    """The environment of a task of a cluster."""
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster or CLUSTER, "task": task})}


# Networks of every kind, as changes of TINY, for what computes them without TensorFlow.
NETWORKS = [
    {},
    {"batch_norm": True, "num_conv": (5, 6, 3), "conv_len": (4, 1, 3), "num_layers": 2},
    {"num_conv": (), "conv_len": (), "num_nodes": 7, "num_classes": 9},
    {"num_classes": 1},
    {"positions": True},
    {"num_conv": (), "conv_len": (), "positions": True},
]


def random_weights(params, *, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = model.variable_shapes(params)
    weights = {name: rng.normal(0, 0.3, shape) for name, shape in shapes.items()}
    for name in weights:
        if name.endswith("variance"):
            weights[name] = 0.5 + weights[name] ** 2
    return {name: value.astype(np.float32) for name, value in weights.items()}


def by_tensorflow(weights, inks, *, params, temperature: float) -> list[dict[str, np.ndarray]]:
    """What the network with such weights predicts of each drawing, one at a time."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        rows = tf.compat.v1.placeholder(tf.float32, [1, None, 3])
        features = {"ink": rows, "lengths": tf.shape(rows, tf.int64)[1:2]}
        spec = model.model_fn(
            features, None, estimators.ModeKeys.PREDICT, params, temperature=temperature
        )
        for variable in tf.compat.v1.global_variables():
            variable.load(weights[variable.op.name], session)
        predicted = [session.run(spec.predictions, {rows: one[np.newaxis]}) for one in inks]
    return [{name: values[0] for name, values in one.items()} for one in predicted]


def spoil_weights(checkpoint, value: float) -> None:
    """Writes a checkpoint again with one weight of the last layer that is such a number."""
    reader = tf.train.load_checkpoint(str(checkpoint))
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    values["dense/kernel"][0, 0] = value
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = [tf.compat.v1.get_variable(name, initializer=values[name]) for name in values]
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(variables).save(
            session, str(checkpoint), write_meta_graph=False, write_state=False
        )
