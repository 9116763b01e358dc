import dataclasses
import os
import re
import resource
import signal

import numpy as np
import pytest
import tensorflow as tf
from helpers import (
    CLASSES,
    TINY,
    random_records,
    read_records,
    run_program,
    start_program,
    train,
    train_model_args,
    write_records,
)
from PIL import Image

import input_pipeline
import model
import train_model
from network import lstm
from training import model_dirs


def global_step(model_dir) -> int:
    return tf.train.load_variable(str(model_dir), "global_step")


def summaries(folder) -> dict[str, list[int]]:
    """Steps of each summary, by tag."""
    steps = {}
    for path in sorted(folder.glob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                steps.setdefault(value.tag, []).append(event.step)
    return steps


def test_trains_evaluates_everything_and_resumes(data, tmp_path, capsys):
    result = train(data, tmp_path / "m")
    assert result["global_step"] == 6
    assert result["drawings"] == 18
    again = train(data, tmp_path / "m")  # nothing left to train
    assert again["loss"] == pytest.approx(result["loss"], rel=1e-6)
    assert "has done 6 steps already" in capsys.readouterr().out
    assert train(data, tmp_path / "m", steps=8)["global_step"] == 8


def test_training_repeats_with_the_seed_and_resuming_goes_on(data, tmp_path):
    first = train(data, tmp_path / "a")
    assert train(data, tmp_path / "b")["loss"] == pytest.approx(first["loss"], rel=1e-5)
    assert train(data, tmp_path / "c", seed=1)["loss"] != pytest.approx(first["loss"], rel=1e-5)


def test_learns_what_can_be_learnt(tmp_path):
    # Classes that differ in the number of pen-ups alone.
    records = []
    rng = np.random.default_rng(0)
    for i in range(120):
        ink = rng.normal(scale=0.1, size=(12, 3)).astype(np.float32)
        ink[:, 2] = 0
        ink[: 4 * (i % 3), 2] = 1
        records.append(input_pipeline.encode_record(ink.tobytes(), i % 3))
    write_records(tmp_path / "training.tfrecord-0", records[:90])
    write_records(tmp_path / "eval.tfrecord-0", records[90:])
    params = dataclasses.replace(TINY, num_nodes=8, dropout=0.0, learning_rate=0.02)
    result = train(tmp_path, tmp_path / "m", params=params, steps=120, save_checkpoints_steps=120)
    assert result["accuracy"] > 0.9


def test_summaries_show_what_the_design_lists(data, tmp_path):
    train(data, tmp_path / "m")
    tags = summaries(tmp_path / "m")
    kernel = "rnn_classification/cell_0/bidirectional_rnn/fw/basic_lstm_cell/kernel"
    for tag in (
        "loss",
        "accuracy",
        "learning_rate",
        "global_norm/gradient_norm",
        "global_norm/clipped_gradient_norm",
        "gradient_norm/dense/bias",
        f"gradient_norm/{kernel}",
        f"gradients/{kernel}",
        "gradients/conv1d_0/kernel",
    ):
        assert tags[tag], tag
    evaluated = summaries(tmp_path / "m" / "eval")
    assert evaluated["accuracy"] == evaluated["loss"] == [3, 6]


def test_pictures_text_and_hyperparameters_are_shown(data, tmp_path):
    train(data, tmp_path / "m", flagfile="--steps=6")
    tags = summaries(tmp_path / "m")
    assert tags["guesses"] == [1]
    assert {"top_3_accuracy", "map_3", "padding_share"} <= set(tags)
    assert {"flags/text_summary", "classes/text_summary"} <= set(tags)
    assert {tag for tag in tags if tag.startswith("_hparams_/")} == {
        "_hparams_/experiment",
        "_hparams_/session_start_info",
    }
    evaluated = summaries(tmp_path / "m" / "eval")
    for tag in ("guesses", "confusion_matrix", "mean_class_accuracy", "drawings_per_second"):
        assert evaluated[tag] == [3, 6], tag


def test_the_projector_has_a_row_a_word_and_a_picture_for_each_drawing(data, tmp_path):
    train(data, tmp_path / "m")
    files = tmp_path / "m" / "projector"
    embeddings = np.loadtxt(files / "embeddings.tsv", delimiter="\t")
    assert embeddings.shape == (18, 8)
    head, *rows = (files / "labels.tsv").read_text().splitlines()
    assert head.split("\t") == ["word", "guess", "result"] and len(rows) == 18
    drawings = [
        record for path in sorted(data.glob("eval.tfrecord-*")) for record in read_records(path)
    ]
    indices = [
        tf.train.Example.FromString(d).features.feature["class_index"].int64_list.value[0]
        for d in drawings
    ]
    assert sorted(row.split("\t")[0] for row in rows) == sorted(CLASSES[i] for i in indices)
    with Image.open(files / "drawings.png") as picture:
        assert picture.size == (5 * 32, 5 * 32)
    assert "projector/drawings.png" in (tmp_path / "m/projector_config.pbtxt").read_text()


def test_the_best_checkpoint_is_kept_and_all_evaluations_are_recorded(data, tmp_path, monkeypatch):
    seen = []
    for accuracy, loss in ((0.5, 2.0), (0.7, 1.0), (0.6, 0.5), (0.7, 1.5), (0.7, 0.9)):
        result = {"accuracy": np.float32(accuracy), "loss": np.float32(loss)}
        step = len(seen)
        for ending in ("index", "data-00000-of-00001", "meta"):
            (tmp_path / f"model.ckpt-{step}.{ending}").write_text(f"{step} {ending}")
        checkpoint = str(tmp_path / f"model.ckpt-{step}")
        since = model_dirs.add_evaluation(str(tmp_path), result, checkpoint=checkpoint)
        best = model_dirs.best_checkpoint(str(tmp_path))
        seen.append((since, best.rpartition("-")[2]))
    assert seen == [(0, "0"), (0, "1"), (1, "1"), (2, "1"), (0, "4")]
    assert (tmp_path / "best/model.ckpt-4.index").read_text() == "4 index"
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        "checkpoint",
        "model.ckpt-4.data-00000-of-00001",
        "model.ckpt-4.index",
    ]
    recorded = model_dirs.read_evaluations(str(tmp_path))
    assert [round(line["loss"], 3) for line in recorded] == [2.0, 1.0, 0.5, 1.5, 0.9]


def test_training_stops_when_evaluations_bring_nothing_better(data, tmp_path):
    params = dataclasses.replace(TINY, learning_rate=1e-12)  # which changes nothing
    train(
        data, tmp_path / "m", params=params, steps=100, save_checkpoints_steps=2,
        early_stopping_evals=3,
    )  # fmt: skip
    assert global_step(tmp_path / "m") in (8, 10)  # the first evaluation, and three after it
    assert len(model_dirs.read_evaluations(str(tmp_path / "m"))) in (4, 5)


def test_keeps_as_many_checkpoints_as_asked(data, tmp_path):
    train(data, tmp_path / "m", steps=10, save_checkpoints_steps=2, keep_checkpoint_max=2)
    assert len(list((tmp_path / "m").glob("model.ckpt-*.index"))) == 2


def test_model_dir_describes_itself(data, tmp_path):
    train(data, tmp_path / "m")
    text = (tmp_path / "m/hparams.json").read_text()
    assert model.HParams.from_json(text) == TINY
    assert input_pipeline.read_classes(str(tmp_path / "m/classes.txt")) == CLASSES


def test_resuming_with_other_settings_is_refused(data, tmp_path):
    train(data, tmp_path / "m", steps=3)
    with pytest.raises(ValueError, match=r"num_nodes=4 \(now 5\), dropout=0.3 \(now 0.1\)"):
        train(data, tmp_path / "m", params=dataclasses.replace(TINY, num_nodes=5, dropout=0.1))
    with pytest.raises(ValueError, match="it also had 'cat'; it did not have 'dog'"):
        train(data, tmp_path / "m", classes=["ant", "bee", "dog"])
    with pytest.raises(ValueError, match="the order differs"):
        train(data, tmp_path / "m", classes=["ant", "cat", "bee"])
    assert global_step(tmp_path / "m") == 3


def test_resuming_with_another_kernel_is_fine(data, tmp_path):
    train(data, tmp_path / "m", steps=3, params=dataclasses.replace(TINY, cell_type="lstm"))
    params = dataclasses.replace(TINY, cell_type="block_lstm")
    assert train(data, tmp_path / "m", params=params)["global_step"] == 6


def test_warm_start_takes_the_weights_and_counts_from_zero(data, tmp_path):
    first = train(data, tmp_path / "a")
    result = train(
        data, tmp_path / "b", warm_start_from=str(tmp_path / "a"), steps=1,
        params=dataclasses.replace(TINY, learning_rate=1e-12),
    )  # fmt: skip
    assert result["global_step"] == 1
    assert result["loss"] == pytest.approx(first["loss"], rel=1e-5)


def test_warm_start_with_other_classes_leaves_the_last_layer_new(data, tmp_path):
    train(data, tmp_path / "a")
    classes = [*CLASSES, "dog"]
    train(
        data, tmp_path / "b", warm_start_from=str(tmp_path / "a"), steps=1, classes=classes,
        params=dataclasses.replace(TINY, num_classes=4, learning_rate=1e-12),
    )  # fmt: skip
    for name in ("conv1d_0/kernel", "dense/kernel"):
        a, b = (tf.train.load_variable(str(tmp_path / folder), name) for folder in "ab")
        assert (name == "dense/kernel") != (a.shape == b.shape and np.allclose(a, b))


def test_warm_start_from_another_network_is_refused(data, tmp_path):
    train(data, tmp_path / "a", steps=1)
    with pytest.raises(ValueError, match=r"cell_0.* has shape \[8, 16\], this network's \[9, 20\]"):
        train(
            data, tmp_path / "b", warm_start_from=str(tmp_path / "a"),
            params=dataclasses.replace(TINY, num_nodes=5),
        )  # fmt: skip
    with pytest.raises(ValueError, match="--warm_start_from=nowhere: no checkpoint there"):
        train(data, tmp_path / "b", warm_start_from="nowhere")


def test_warm_start_from_the_tutorials_checkpoint(quickdraw_data):
    checkpoint = str(quickdraw_data / "golden/checkpoint/model.ckpt")
    names = model_dirs.check_warm_start(checkpoint, params=model.HParams(num_classes=42))
    assert len(names) == 20
    other = model_dirs.check_warm_start(checkpoint, params=model.HParams(num_classes=10))
    assert set(names) - set(other) == {"dense/kernel", "dense/bias"}


def test_diverging_training_says_so_and_keeps_the_last_checkpoint(data, tmp_path):
    params = dataclasses.replace(TINY, learning_rate=1e38, gradient_clipping_norm=0.0)
    with pytest.raises(ValueError, match="training diverged after step .* Lower --learning_rate"):
        train(data, tmp_path / "m", params=params, steps=50, save_checkpoints_steps=50)
    assert global_step(tmp_path / "m") == 0


@pytest.mark.parametrize("split", ["training", "eval"])
@pytest.mark.parametrize("damage", ["cut", "class_index"])
def test_bad_record_is_named(data, tmp_path, split, damage):
    path = data / f"{split}.tfrecord-00001-of-00002"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-5])
        problem = "cannot be read after record"
    else:
        bad = random_records(1, num_classes=1)[0].replace(b"class_index", b"klasse_indx")
        write_records(path, [*random_records(5), bad])
        problem = "record 6: has no class_index"
    with pytest.raises(ValueError, match=f"{path.name}.*{problem}"):
        train(data, tmp_path / "m")


def test_an_error_that_is_not_the_datas_is_reported_as_it_is(data, tmp_path, monkeypatch):
    def fail(*args):
        raise tf.errors.InvalidArgumentError(None, None, "something else")

    monkeypatch.setattr(tf.estimator, "train_and_evaluate", fail)
    with pytest.raises(tf.errors.InvalidArgumentError, match="something else"):
        train(data, tmp_path / "m")


def test_class_beyond_the_list_is_refused_before_training(data, tmp_path):
    with pytest.raises(
        ValueError, match="record 1: has class_index [12], but the class list has 1"
    ):
        train(
            data, tmp_path / "m", classes=["ant"], params=dataclasses.replace(TINY, num_classes=1)
        )
    assert not (tmp_path / "m").exists()


# ---- As a user runs it ----


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
    assert done.stderr == ""  # nothing of TensorFlow's


def test_verbosity_lets_tensorflow_speak(data, tmp_path):
    done = run_program(*train_model_args(data, **SMALL, steps=1, verbosity=0), cwd=tmp_path)
    assert "Saving checkpoints for 0 into" in done.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        ({"training_data": "nowhere/*"}, "--training_data=nowhere/* matches no file"),
        ({"classes_file": "nowhere"}, "nowhere: no such class list"),
        ({"num_conv": "[4, 5"[1:] + ",6"}, "give one length for each number of filters"),
        ({"num_conv": "[4, x]"}, "expected integers such as 48,64,96"),
        ({"batch_size": 0}, "batch_size"),
        ({"cell_type": "gru"}, "cell_type"),
        ({"cell_type": "cudnn_lstm"}, "needs a GPU, and TensorFlow sees none here; block_lstm"),
        ({"mixed_precision": True, "cell_type": "lstm"}, "--mixed_precision "),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_program_refuses_without_a_traceback(data, tmp_path, flags, message):
    done = run_program(*train_model_args(data, **{**SMALL, **flags}), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_mixed_precision_needs_hardware_for_it(monkeypatch):
    mixed = model.HParams(num_classes=2, cell_type="block_lstm", mixed_precision=True)
    monkeypatch.setattr(lstm, "cpu_has_bfloat16", lambda: True)
    train_model.check_hardware(mixed)
    assert train_model.describe_kernel(mixed) == "block_lstm, products in bfloat16"
    single = dataclasses.replace(mixed, mixed_precision=False)
    assert train_model.describe_kernel(single).endswith("--mixed_precision is faster on this CPU")
    with pytest.raises(ValueError, match="is for block_lstm, not --cell_type=lstm"):
        train_model.check_hardware(dataclasses.replace(mixed, cell_type="lstm"))
    monkeypatch.setattr(lstm, "cpu_has_bfloat16", lambda: False)
    with pytest.raises(ValueError, match="needs a GPU or a CPU that multiplies bfloat16"):
        train_model.check_hardware(mixed)
    assert train_model.describe_kernel(single) == "block_lstm"
    monkeypatch.setattr(lstm, "has_gpu", lambda: True)
    train_model.check_hardware(mixed)
    assert train_model.describe_kernel(mixed) == "block_lstm, products in float16"


def test_full_disk_ends_training_with_a_message(data, tmp_path):
    # A limit on a file's size fails a write as a full disk does, without one to fill.
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    args = train_model_args(data, **SMALL, steps=3, model_dir=tmp_path / "m")
    done = run_program(*args, preexec_fn=limit)
    assert done.returncode == 1
    assert "File too large" in done.stderr and "Traceback" not in done.stderr
    assert run_program(*args).returncode == 0  # with room again


def wait_for_line(process, text: str) -> None:
    for line in process.stdout:
        if text in line:
            return


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_training_goes_on(data, tmp_path, number):
    flags = {**SMALL, "model_dir": tmp_path / "m", "save_checkpoints_steps": 20}
    process = start_program(
        *train_model_args(data, **flags, steps=1000000, eval_throttle_secs=10000)
    )
    wait_for_line(process, "step 1/")
    os.kill(process.pid, number)
    output = process.communicate(timeout=60)[0]
    assert "Traceback" not in output
    stopped_at = global_step(tmp_path / "m")
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert stopped_at % 20 == 0
    else:
        assert process.returncode == 128 + number
        assert stopped_at >= 1
        assert f"--model_dir={tmp_path}/m goes on from here" in output
    done = run_program(*train_model_args(data, **flags, steps=stopped_at + 2))
    assert done.returncode == 0, done.stderr
    assert global_step(tmp_path / "m") == stopped_at + 2
