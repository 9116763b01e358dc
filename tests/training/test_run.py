import dataclasses
import gc
import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from helpers import TINY, global_step, random_records, train, write_records

import input_pipeline
from common import estimators
from model_folder import best, evaluations
from network import hardware
from records import class_list, tfrecords
from training import hooks, run


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
    encoded = []
    rng = np.random.default_rng(0)
    for i in range(120):
        ink = rng.normal(scale=0.1, size=(12, 3)).astype(np.float32)
        ink[:, 2] = 0
        ink[: 4 * (i % 3), 2] = 1
        encoded.append(tfrecords.encode_record(ink.tobytes(), i % 3))
    write_records(tmp_path / "training.tfrecord-0", encoded[:90])
    write_records(tmp_path / "eval.tfrecord-0", encoded[90:])
    params = dataclasses.replace(TINY, num_nodes=8, dropout=0.0, learning_rate=0.02)
    result = train(tmp_path, tmp_path / "m", params=params, steps=120, save_checkpoints_steps=120)
    assert result["accuracy"] > 0.9


def test_training_stops_when_evaluations_bring_nothing_better(data, tmp_path):
    params = dataclasses.replace(TINY, learning_rate=1e-12)  # which changes nothing
    train(
        data,
        tmp_path / "m",
        params=params,
        steps=100,
        save_checkpoints_steps=2,
        early_stopping_evals=3,
    )
    assert global_step(tmp_path / "m") in (8, 10)  # the first evaluation, and three after it
    assert len(evaluations.read_evaluations(str(tmp_path / "m"))) in (4, 5)


def test_keeps_as_many_checkpoints_as_asked(data, tmp_path):
    train(
        data,
        tmp_path / "m",
        steps=8,
        save_checkpoints_steps=2,
        keep_checkpoint_max=2,
        eval_throttle_secs=600,
    )
    assert len(list((tmp_path / "m").glob("model.ckpt-*.index"))) == 2


def test_resuming_with_another_cell_type_is_fine(data, tmp_path):
    train(data, tmp_path / "m", steps=3, params=dataclasses.replace(TINY, cell_type="lstm"))
    params = dataclasses.replace(TINY, cell_type="block_lstm")
    assert train(data, tmp_path / "m", params=params)["global_step"] == 6


def test_a_run_goes_on_in_half_precision_and_back(data, tmp_path, monkeypatch):
    single = dataclasses.replace(TINY, cell_type="block_lstm")
    half = dataclasses.replace(single, mixed_precision=True)
    train(data, tmp_path / "m", params=single, steps=2)
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    # With evaluations between the steps, which are in single precision.
    result = train(data, tmp_path / "m", params=half, steps=4, save_checkpoints_steps=1)
    assert result["global_step"] == 4
    assert train(data, tmp_path / "m", params=half, steps=5)["global_step"] == 5
    assert train(data, tmp_path / "m", params=single, steps=6)["global_step"] == 6


def test_diverging_training_says_so_and_keeps_the_last_checkpoint(data, tmp_path):
    params = dataclasses.replace(TINY, learning_rate=1e38, gradient_clipping_norm=0.0)
    with pytest.raises(ValueError, match="training diverged after step .* lower --learning_rate"):
        train(data, tmp_path / "m", params=params, steps=50, save_checkpoints_steps=50)
    assert global_step(tmp_path / "m") == 0


@pytest.mark.parametrize("split", ["training", "eval"])
@pytest.mark.parametrize("damage", ["cut", "class_index", "nan"])
def test_bad_record_is_named(data, tmp_path, split, damage):
    path = data / f"{split}.tfrecord-00001-of-00002"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-5])
        problem = "cannot be read after record"
    elif damage == "nan":
        bad = tfrecords.encode_record(np.full((4, 3), np.nan, np.float32).tobytes(), 0)
        write_records(path, [*random_records(5), bad])
        problem = "record 6: holds ink that is not a number"
    else:
        bad = random_records(1, num_classes=1)[0].replace(b"class_index", b"klasse_indx")
        write_records(path, [*random_records(5), bad])
        problem = "record 6: has no class_index"
    with pytest.raises(ValueError, match=f"{path.name}.*{problem}"):
        train(data, tmp_path / "m")


def test_an_error_that_is_not_the_datas_is_reported_as_it_is(data, tmp_path, monkeypatch):
    def fail(*args):
        raise tf.errors.InvalidArgumentError(None, None, "something else")

    monkeypatch.setattr(estimators, "train_and_evaluate", fail)
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


class StopAt(estimators.SessionRunHook):
    """Asks a run to stop, as a signal does, in the middle of a step."""

    def __init__(self, stop: hooks.StopSignal, step: int):
        self._stop, self._step = stop, step

    def before_run(self, run_context):
        self._step -= 1
        if self._step == 0:
            self._stop.number = 2


def test_a_run_that_is_told_to_stop_saves_the_step_it_is_in(data, tmp_path, monkeypatch):
    make_specs = run.make_specs

    def with_stop(described, stop, **options):
        train_spec, eval_spec = make_specs(described, stop, **options)
        stop_at = StopAt(stop, 4)
        return train_spec._replace(hooks=(stop_at, *train_spec.hooks)), eval_spec

    monkeypatch.setattr(run, "make_specs", with_stop)
    with pytest.raises(hooks.Stopped) as stopped:
        train(data, tmp_path / "m", steps=100, save_checkpoints_steps=100)
    assert stopped.value.number == 2
    assert global_step(tmp_path / "m") == 4


def test_records_that_are_replaced_meanwhile_end_the_run(data, tmp_path, monkeypatch):
    class Replace(estimators.SessionRunHook):
        def begin(self):
            class_list.write_classes(str(data / "eval.tfrecord.classes"), ["ant", "cow", "cat"])

    make_specs = run.make_specs

    def replacing(*arguments, **options):
        train_spec, eval_spec = make_specs(*arguments, **options)
        return train_spec._replace(hooks=(Replace(), *train_spec.hooks)), eval_spec

    monkeypatch.setattr(run, "make_specs", replacing)
    with pytest.raises(ValueError, match="it also had 'bee'.*Other records were written in the pl"):
        train(data, tmp_path / "m", steps=2)
    assert evaluations.read_evaluations(str(tmp_path / "m")) == []


@pytest.mark.parametrize("state_too", [True, False])
def test_a_run_goes_on_from_the_best_where_nothing_else_is_left(data, tmp_path, capsys, state_too):
    train(data, tmp_path / "m", steps=2)
    for path in (tmp_path / "m").glob("model.ckpt-*"):
        path.unlink()
    if state_too:
        (tmp_path / "m/checkpoint").unlink()
    assert train(data, tmp_path / "m", steps=3)["global_step"] == 3
    captured = capsys.readouterr()
    assert "all checkpoints are gone but" in captured.err and "step 3/3" in captured.out


def test_a_run_that_goes_on_with_other_evaluation_data_says_so(data, tmp_path, capsys):
    train(data, tmp_path / "m", steps=2)
    (name,) = {one["data"] for one in evaluations.read_evaluations(str(tmp_path / "m"))}
    files = sorted(data.glob("eval.tfrecord-*"))
    assert name == evaluations.name_data([*map(str, files)])
    train(data, tmp_path / "m", steps=2)
    assert "looked for anew" not in capsys.readouterr().out
    files[1].unlink()
    train(data, tmp_path / "m", steps=2)
    assert "evaluation data are others than before" in capsys.readouterr().out
    (one,) = evaluations.read_evaluations(str(tmp_path / "m"))
    assert (one["data"], one["drawings"]) == (evaluations.name_data([str(files[0])]), 9)


@pytest.mark.parametrize("stopped_at", [3, 6])
def test_an_evaluation_that_was_cut_off_is_made_up_for(data, tmp_path, monkeypatch, stopped_at):
    export = hooks.EvaluationRecorder.export

    def stop(self, estimator, export_path, checkpoint_path, eval_result, **options):
        if eval_result["global_step"] == stopped_at:
            raise hooks.Stopped(15)
        export(self, estimator, export_path, checkpoint_path, eval_result, **options)

    params = dataclasses.replace(TINY, learning_rate=0.05)
    with monkeypatch.context() as patched, pytest.raises(hooks.Stopped):
        patched.setattr(hooks.EvaluationRecorder, "export", stop)
        train(data, tmp_path / "m", params=params, save_checkpoints_steps=3)
    before = [e["global_step"] for e in evaluations.read_evaluations(str(tmp_path / "m"))]
    assert before == [step for step in (3, 6) if step < stopped_at]
    if before:  # as if the first evaluation had been a poor one: what comes last is to be kept
        path = tmp_path / "m/evaluations.ndjson"
        path.write_text(json.dumps({**json.loads(path.read_text()), "accuracy": 0.0}) + "\n")
    train(data, tmp_path / "m", params=params)
    after = evaluations.read_evaluations(str(tmp_path / "m"))
    assert [e["global_step"] for e in after] == [3, 6]
    expected = 6 if before else max(after, key=evaluations.quality)["global_step"]
    assert best.best_checkpoint(str(tmp_path / "m")).endswith(f"best/model.ckpt-{expected}")
    assert evaluations.cut_off_evaluation(str(tmp_path / "m")) is None


def test_evaluations_leave_no_graph_in_memory(data, tmp_path, monkeypatch):
    graphs = []
    export = hooks.EvaluationRecorder.export

    def count(self, *arguments, **options):
        export(self, *arguments, **options)
        graphs.append(sum(isinstance(one, tf.Graph) for one in gc.get_objects()))

    monkeypatch.setattr(hooks.EvaluationRecorder, "export", count)
    train(data, tmp_path / "m", steps=4, save_checkpoints_steps=1)
    assert len(graphs) == 4
    assert len(set(graphs[1:])) == 1


def test_a_resumed_run_reads_other_batches(data, tmp_path, monkeypatch):
    seeds = []
    training_input_fn = input_pipeline.training_input_fn

    def record(files, *, seed, **options):
        seeds.append(seed)
        return training_input_fn(files, seed=seed, **options)

    monkeypatch.setattr(input_pipeline, "training_input_fn", record)
    for steps in (3, 6):
        train(data, tmp_path / "m", steps=steps, seed=40)
    assert seeds == [40, 43]


@pytest.mark.parametrize("name", ["evaluations.ndjson", "evaluations-evaluator.ndjson"])
def test_a_damaged_record_of_evaluations_is_named_before_training(data, tmp_path, name):
    train(data, tmp_path / "m", steps=3)
    (tmp_path / "m" / name).write_text("[]\n")
    with pytest.raises(ValueError, match=f"{name}, line 1: not an evaluation; delete the line"):
        train(data, tmp_path / "m", steps=6)
    assert global_step(tmp_path / "m") == 3


def test_another_networks_flags_are_refused_where_hparams_are_gone(data, tmp_path):
    train(data, tmp_path / "m", steps=3)
    (tmp_path / "m/hparams.json").unlink()
    with pytest.raises(ValueError, match="of another network: it has .* of shape"):
        train(data, tmp_path / "m", params=dataclasses.replace(TINY, num_nodes=5))
    assert not (tmp_path / "m/hparams.json").exists()
    assert train(data, tmp_path / "m", steps=6)["global_step"] == 6  # its own are right again


def test_a_refused_run_leaves_no_folder(data, tmp_path):
    bad = tfrecords.encode_record(np.full((4, 3), np.nan, np.float32).tobytes(), 0)
    write_records(data / "training.tfrecord-00000-of-00002", [bad])
    with pytest.raises(ValueError, match="record 1: holds ink that is not a number"):
        train(data, tmp_path / "m")
    assert not (tmp_path / "m").exists()


LEFT_OVERS = (
    "model.ckpt-3.index.tmp",
    "model.ckpt-3.index.tempstate123",
    "model.ckpt-4.data-00000-of-00001.tmp0a",
    "checkpoint.tmp0a1b",
    "hparams.json.tmp",
    "draw.html.tmp1a2b3c4d",
)


OF_OTHERS = (
    "notes.tmp",
    "thesis.tex.tmp0a",
    "a.tempstate1",
    "model.ckpt-3.backup",
    "a.classes.txt",
)


def test_left_overs_of_a_killed_save_are_removed_and_nothing_else(data, tmp_path):
    train(data, tmp_path / "m", steps=3)
    (tmp_path / "m/thesis_temp").mkdir()
    for folder, name in itertools.product(("m", "m/best"), OF_OTHERS):
        (tmp_path / folder / name).touch()
    there = sorted(path for path in tmp_path.rglob("m/**/*") if "eval" not in path.parts)
    for folder, name in itertools.product(("m", "m/best"), LEFT_OVERS):
        (tmp_path / folder / name).touch()
    for name in ("tmp_worker_0", "model.ckpt-4_temp", "model.ckpt-4_temp_0a1b"):
        (tmp_path / "m" / name).mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="num_nodes=4 .now 5"):  # a run that is refused
        train(data, tmp_path / "m", params=dataclasses.replace(TINY, num_nodes=5))
    assert sorted(tmp_path.rglob("*")) == before
    train(data, tmp_path / "m", steps=3)
    after = sorted(path for path in tmp_path.rglob("m/**/*") if "eval" not in path.parts)
    assert after == there
