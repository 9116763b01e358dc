import dataclasses
import json
import os
import re
import resource
import shlex
import signal

import pytest
from absl import flags
from absl.testing import flagsaver
from helpers import (
    CLASSES,
    ROOT,
    TINY,
    global_step,
    in_tf_config,
    run_new_process,
    run_program,
    start_program,
    train,
    train_model_args,
)

import model
import train_model
from common import locks, settings
from network import hardware
from records import class_list
from training import computation
from training.run import Execution, Run

SMALL = {"num_layers": 1, "num_nodes": 4, "num_conv": "[4, 5]", "conv_len": "3,3"}


def test_the_tutorials_command_works_and_says_where_it_writes(data, tmp_path):
    done = run_program(*train_model_args(data, **SMALL, steps=3), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model_dir = re.search(r"Model: +(\S+)", done.stdout)[1]
    assert global_step(tmp_path / model_dir) == 3
    assert f"tensorboard --logdir={model_dir}" in done.stdout
    assert "num_conv=4,5" in done.stdout and "Parameters: " in done.stdout
    export = tmp_path / re.search(r"Exported: +(\S+)", done.stdout)[1]
    assert (export / "saved_model.pb").exists()
    assert export.relative_to(tmp_path / model_dir).parts[:2] == ("export", "drawing_classifier")
    assert re.search(r"^step 3/3  loss \d+\.\d{4}  [\d,]+ drawings/s  0 s left$", done.stdout, re.M)
    assert re.search(r"^evaluation at step 3: accuracy .*18 drawings$", done.stdout, re.M)
    assert "Temperature: 1, not calibrated: 18 drawings are fewer than 30" in done.stdout
    assert done.stderr == ""  # nothing of TensorFlow's


def test_verbosity_lets_tensorflow_speak(data, tmp_path):
    done = run_new_process(*train_model_args(data, **SMALL, steps=1, verbosity=0), cwd=tmp_path)
    assert "Saving checkpoints for 0 into" in done.stderr


@pytest.fixture
def run_of(data):
    """Makes the `Run` of the tutorial's command with other flags, in this process."""

    def make(**changes):
        with flagsaver.flagsaver():
            flags.FLAGS(train_model_args(data, **changes))
            return train_model.run_from_flags()

    return make


SETTINGS = {**settings.rules(model.HParams), **settings.rules(Run)}

FILES = {
    "training_data": "{data}/training.tfrecord-00001*",
    "eval_data": "{data}/eval.tfrecord-00001*",
    "classes_file": "{data}/training.tfrecord.classes",
    "model_dir": "{data}/m",
    "warm_start_from": "elsewhere",
}

# Where not any other value will do: there are as many lengths as filters, and no cluster.
OTHER_VALUES = {
    "num_conv": (9, 8),
    "conv_len": (4, 3),
    "cell_type": "block_lstm",
    "distribution": "none",
}


def other_value(name: str, default):
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    if isinstance(default, bool):
        return not default
    if isinstance(default, str):
        return next(choice for choice in SETTINGS[name].choices if choice != default)
    return default + 1 if isinstance(default, int) else default / 2 or 0.25


def test_every_flag_reaches_the_run(run_of, data, monkeypatch):
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)  # on which `auto` is another cell type
    defined = {flag.name for flag in flags.FLAGS.get_flags_for_module(train_model)}
    assert defined == {*FILES, *SETTINGS}
    expected = {}
    for cls in (model.HParams, Run):
        for name in settings.rules(cls):
            expected[name] = other_value(name, getattr(cls, name))
    given = {name: settings.flag_value(value) for name, value in expected.items()}
    run = run_of(**{name: value.format(data=data) for name, value in FILES.items()}, **given)
    reached = {**dataclasses.asdict(run), **dataclasses.asdict(run.params)}
    assert {name: reached[name] for name in expected} == expected
    assert run.params.decay_steps == expected["steps"]  # of the cosine schedule
    assert (run.model_dir, run.warm_start_from) == (f"{data}/m", "elsewhere")
    assert run.training_files == [f"{data}/training.tfrecord-00001-of-00002"]
    assert run.eval_files == [f"{data}/eval.tfrecord-00001-of-00002"]
    assert run.classes == CLASSES and run.task.is_chief
    # The flags as TensorBoard shows them are a file for --flagfile.
    assert "--num_conv=9,8" in run.flagfile and "--learning_rate=5e-05" in run.flagfile


def test_flags_that_are_not_given_are_the_tutorials(run_of):
    run = run_of()
    assert dataclasses.replace(run.params, cell_type="auto") == model.HParams(num_classes=3)
    assert (run.steps, run.batch_size, run.warm_start_from) == (100000, 8, "")
    assert run.model_dir.startswith("runs/20")


def test_a_run_is_values_and_nothing_else(run_of):
    run = run_of(model_dir="m")
    assert run == run_of(model_dir="m") != run_of(model_dir="n")
    described = json.loads(json.dumps(dataclasses.asdict(run)))
    assert (described["steps"], described["params"]["num_nodes"]) == (100000, 128)


RECIPES = sorted(os.listdir(os.path.join(ROOT, "recipes")))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_be_run(run_of, name, monkeypatch):
    # Where nothing multiplies faster, --mixed_precision is refused.
    monkeypatch.setattr(hardware, "cpu_has_bfloat16", lambda: True)
    run = run_of(flagfile=os.path.join(ROOT, "recipes", name))
    plain = run_of()
    # The tutorial's is what happens without flags; the others change something.
    same = (run.params, run.steps, run.batch_size) == (plain.params, plain.steps, plain.batch_size)
    assert same == (name == "tutorial.flags")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"training_data": "nowhere/*"}, "--training_data=nowhere/. matches no file"),
        ({"classes_file": "nowhere"}, "nowhere: no such class list"),
        ({"classes_file": "{data}/reversed"}, "--classes_file=.*reversed is for another class"),
        ({"num_conv": "4,5,6", "conv_len": "3,3"}, "give one length for each number of filters"),
        ({"num_conv": "[4, x]"}, "expected integers such as 48,64,96"),
        ({"num_conv": "48,,64,96"}, "expected integers such as 48,64,96"),
        ({"batch_size": 0}, "batch_size"),
        ({"cell_type": "gru"}, "cell_type"),
        ({"cell_type": "cudnn_lstm"}, "needs a GPU, and TensorFlow sees none here; block_lstm"),
        ({"mixed_precision": True, "cell_type": "lstm"}, "--mixed_precision "),
        ({"gradient_clipping_norm": "inf"}, "gradient_clipping_norm=inf: expected a number that"),
        ({"gradient_clipping_norm": "1e39"}, "gradient_clipping_norm=1e.39: expected a number"),
        ({"learning_rate": "nan"}, "learning_rate=nan: expected a number that float32 holds"),
        ({"learning_rate": "inf"}, "learning_rate=inf"),
        ({"dropout": "nan"}, "dropout=nan"),
        ({"distortion": "nan"}, "distortion=nan: expected a number that float32 holds"),
        ({"distortion": 4.5}, "distortion=4.5: expected at least 0 and at most 4"),
        ({"beginnings": 1.5}, "beginnings=1.5: expected at least 0 and at most 1"),
        ({"class_balance": -1}, "class_balance=-1.0: expected at least 0 and at most 1"),
        ({"accept_threshold": "-inf"}, "accept_threshold=-inf"),
        ({"model_dir": "runs/a [1]"}, "--model_dir=runs/a .1.: TensorFlow takes . . in a folder"),
        ({"model_dir": "runs/x*"}, "for a pattern"),
        ({"model_dir": "runs/b\\c"}, "for a pattern"),
        ({"model_dir": "{data}/reversed"}, "--model_dir=.*reversed is a file, not a folder"),
        ({"model_dir": "{data}/reversed/below"}, "--model_dir=.*reversed is a file, not a folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_built(
    run_of, data, tmp_path, monkeypatch, changes, message
):
    monkeypatch.chdir(tmp_path)
    class_list.write_classes(str(data / "reversed"), CLASSES[::-1])
    changes = {name: str(value).format(data=data) for name, value in changes.items()}
    with pytest.raises((ValueError, flags.Error), match=message):
        run_of(**changes)
    assert not (tmp_path / "runs").exists()


def test_files_that_are_trained_and_evaluated_on_are_warned_of(run_of, data, capsys):
    run_of()
    assert capsys.readouterr().err == ""
    run_of(training_data=f"{data}/*.tfrecord-*", eval_data=f"{data}/../data/eval.tfrecord-*")
    assert "2 of 2 files of --eval_data are in --training_data too" in capsys.readouterr().err


def test_a_list_of_one_class_is_warned_of(run_of, data, tmp_path, capsys):
    class_list.write_classes(str(tmp_path / "one"), ["ant"])
    (data / "training.tfrecord.classes").unlink(missing_ok=True)
    run_of(classes_file=tmp_path / "one")
    assert "names one class, 'ant': a model of it is always right" in capsys.readouterr().err


def in_cluster(monkeypatch, kind: str) -> None:
    for name, value in in_tf_config(kind, 0, {"chief": ["a:1"], "worker": ["b:1"]}).items():
        monkeypatch.setenv(name, value)


def test_early_stopping_in_a_cluster_is_refused(run_of, tmp_path, monkeypatch):
    in_cluster(monkeypatch, "chief")
    settings = {"distribution": "multi_worker", "model_dir": tmp_path / "m"}
    with pytest.raises(ValueError, match="--early_stopping_evals works on one machine"):
        run_of(**settings, early_stopping_evals=3)
    with pytest.raises(ValueError, match="a cluster needs --model_dir"):
        run_of(distribution="multi_worker")


def test_an_evaluator_need_not_be_able_to_train(run_of, data, tmp_path, monkeypatch, capsys):
    params = dataclasses.replace(TINY, cell_type="lstm")
    train(data, tmp_path / "m", params=params, steps=6)
    settings = {
        "distribution": "multi_worker",
        "model_dir": tmp_path / "m",
        "mixed_precision": True,
        "steps": 6,
        **{name: getattr(params, name) for name in ("num_layers", "num_nodes", "cell_type")},
        **{"num_conv": 4, "conv_len": 3, "learning_rate": 0.01},
    }
    in_cluster(monkeypatch, "worker")
    with pytest.raises(ValueError, match="--mixed_precision"):
        run_of(**settings)
    in_cluster(monkeypatch, "evaluator")
    assert train_model.train_and_export(run_of(**settings), Execution()) is None
    assert "has done 6 steps already" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--nonsense=1", "Unknown command line flag 'nonsense'"),
        ("--training_data=nowhere", "--training_data=nowhere matches no file"),
    ],
)
def test_program_refuses_without_a_traceback(data, tmp_path, flag, message):
    done = run_program(*train_model_args(data, **SMALL), flag, cwd=tmp_path)
    assert done.returncode == 1
    assert f"train_model.py: error: {message}" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_mixed_precision_needs_hardware_for_it(monkeypatch):
    mixed = model.HParams(num_classes=2, cell_type="block_lstm", mixed_precision=True)
    monkeypatch.setattr(hardware, "cpu_has_bfloat16", lambda: True)
    assert computation.resolve(mixed) == mixed
    assert computation.describe(mixed) == "block_lstm, products in bfloat16"
    single = dataclasses.replace(mixed, mixed_precision=False)
    assert computation.describe(single).endswith("--mixed_precision may be faster on this CPU")
    with pytest.raises(ValueError, match="is for block_lstm, not --cell_type=lstm"):
        computation.resolve(dataclasses.replace(mixed, cell_type="lstm"))
    monkeypatch.setattr(hardware, "cpu_has_bfloat16", lambda: False)
    with pytest.raises(ValueError, match="needs a GPU or a CPU that multiplies bfloat16"):
        computation.resolve(mixed)
    assert computation.describe(single) == "block_lstm"
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    assert computation.resolve(mixed) == mixed
    assert computation.describe(mixed) == "block_lstm, products in float16"


def test_full_disk_ends_training_with_a_message(data, run_of, tmp_path):
    # A limit on a file's size fails a write as a full disk does, without one to fill.
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    args = train_model_args(data, **SMALL, steps=3, model_dir=tmp_path / "m")
    done = run_new_process(*args, preexec_fn=limit)
    assert done.returncode == 1
    assert "File too large" in done.stderr and "Traceback" not in done.stderr
    run = run_of(**SMALL, steps=3, model_dir=tmp_path / "m")
    assert train_model.train_and_export(run, Execution())  # with room again


def wait_for_line(process, text: str) -> None:
    for line in process.stdout:
        if text in line:
            return


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_stopped_training_goes_on(data, run_of, tmp_path, number):
    flags = {**SMALL, "model_dir": tmp_path / "m", "save_checkpoints_steps": 20}
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where nohup runs the tests
    process = start_program(
        *train_model_args(data, **flags, steps=1000000, eval_throttle_secs=10000)
    )
    signal.signal(signal.SIGHUP, inherited)
    wait_for_line(process, "step 1/")
    if number == signal.SIGHUP:  # a terminal that closes takes the output along
        process.stdout.close()
    os.kill(process.pid, number)
    if number == signal.SIGHUP:
        output = ""
        process.wait(timeout=60)
    else:
        output = process.communicate(timeout=60)[0]
    assert "Traceback" not in output
    stopped_at = global_step(tmp_path / "m")
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert stopped_at % 20 == 0
    else:
        assert process.returncode == 128 + number
        assert stopped_at >= 1
        assert output == "" or f"--model_dir={tmp_path}/m goes on from here" in output
    assert train_model.train_and_export(run_of(**flags, steps=stopped_at + 2), Execution())
    assert global_step(tmp_path / "m") == stopped_at + 2


def test_a_model_is_not_exported_when_its_records_were_replaced(
    data, run_of, tmp_path, monkeypatch
):
    def replace(run, execution):
        class_list.write_classes(f"{data}/training.tfrecord.classes", ["ant", "bee", "zebra"])

    run = run_of(model_dir=tmp_path / "m")
    monkeypatch.setattr(train_model, "train", replace)
    with pytest.raises(ValueError, match="the model is for another class list: it also had 'cat'"):
        train_model.train_and_export(run, Execution())
    assert not (tmp_path / "m").exists()


def test_a_second_run_in_the_same_folder_refuses(data, tmp_path):
    with locks.only_writer(str(tmp_path / "m"), busy="the test is there"):
        done = run_program(*train_model_args(data, steps=1, model_dir=tmp_path / "m"))
    assert done.returncode == 1
    assert f"{tmp_path}/m: another run is training there" in done.stderr
    with locks.only_writer(str(tmp_path / "m"), busy="the test is there"):
        pass  # free again


def test_printed_commands_quote_their_paths(capsys):
    train_model.print_results("runs/my run", exported="runs/my run/export/drawing_classifier/1")
    commands = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert shlex.split(commands["Look at it"]) == ["tensorboard", "--logdir=runs/my run"]
    assert shlex.split(commands["Draw"]) == ["open", "runs/my run/draw.html"]
    assert "--model=runs/my run" in shlex.split(commands["Use it"])
