import json

import numpy as np
import pytest

from common import files
from model_folder import best, checkpoints, evaluations


def checkpoint_of(folder, step: int) -> str:
    """Files as a checkpoint's, each holding its name."""
    for ending in ("index", "data-00000-of-00001", "meta"):
        (folder / f"model.ckpt-{step}.{ending}").write_text(f"{step} {ending}")
    return str(folder / f"model.ckpt-{step}")


def add(folder, step: int, accuracy: float, loss: float = 1.0, **options) -> int:
    result = {
        "accuracy": np.float32(accuracy),
        "loss": np.float32(loss),
        "global_step": np.int64(step),
    }
    checkpoint = checkpoint_of(folder, step)
    return best.add_evaluation(str(folder), result, checkpoint=checkpoint, **options)


def best_step(folder) -> int:
    return int(best.best_checkpoint(str(folder)).rpartition("-")[2])


def test_the_best_checkpoint_is_kept_and_all_evaluations_are_recorded(tmp_path):
    seen = []
    for accuracy, loss in ((0.5, 2.0), (0.7, 1.0), (0.6, 0.5), (0.7, 1.5), (0.7, 0.9)):
        since = add(tmp_path, len(seen), accuracy, loss)
        seen.append((since, best_step(tmp_path)))
    assert seen == [(0, 0), (0, 1), (1, 1), (2, 1), (0, 4)]
    assert (tmp_path / "best/model.ckpt-4.index").read_text() == "4 index"
    (tmp_path / "best/model.ckpt-4.mine").touch()  # what is not of the checkpoint stays
    add(tmp_path, 5, 0.8)
    (tmp_path / "best/model.ckpt-4.mine").unlink()
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        "checkpoint",
        "model.ckpt-5.data-00000-of-00001",
        "model.ckpt-5.index",
    ]
    recorded = evaluations.read_evaluations(str(tmp_path))
    assert [round(line["loss"], 3) for line in recorded] == [2.0, 1.0, 0.5, 1.5, 0.9, 1.0]


@pytest.mark.parametrize("accuracy, loss", [(np.nan, 1.0), (1.0, np.nan), (1.0, np.inf)])
def test_what_is_not_a_number_is_never_best(tmp_path, accuracy, loss):
    add(tmp_path, 1, 0.1)
    add(tmp_path, 2, accuracy, loss)
    assert best_step(tmp_path) == 1
    add(tmp_path, 3, 0.2)
    assert best_step(tmp_path) == 3


def test_an_evaluation_that_is_made_again_counts_once(tmp_path):
    add(tmp_path, 1, 0.9)
    add(tmp_path, 2, 0.5)
    add(tmp_path, 2, 0.5)
    assert [e["global_step"] for e in evaluations.read_evaluations(str(tmp_path))] == [1, 2]
    assert best_step(tmp_path) == 1


def test_chief_and_evaluator_record_the_same_checkpoint_at_the_same_time(tmp_path, monkeypatch):
    rename, turns = files.rename, iter([True])

    def interrupted_rename(source, target):
        if next(turns, False):  # before the chief's first file is in place
            add(tmp_path, 7, 0.5, by_evaluator=True)
        rename(source, target)

    monkeypatch.setattr(files, "rename", interrupted_rename)
    add(tmp_path, 7, 0.5)
    assert best_step(tmp_path) == 7
    assert (tmp_path / "best/model.ckpt-7.index").read_text() == "7 index"
    assert not checkpoints.left_overs(str(tmp_path / "best"))


def test_a_pinned_checkpoint_outlives_the_original_until_a_better_one_is_recorded(tmp_path):
    add(tmp_path, 1, 0.5)
    pinned = checkpoint_of(tmp_path, 2)
    best.pin(pinned)
    checkpoints.remove(pinned)
    evaluation = {"accuracy": np.float32(0.6), "loss": np.float32(1), "global_step": np.int64(2)}
    best.add_evaluation(str(tmp_path), evaluation, checkpoint=pinned, by_evaluator=True)
    assert best_step(tmp_path) == 2
    best.pin(checkpoint_of(tmp_path, 3))
    add(tmp_path, 3, 0.4)
    assert list(checkpoints.by_step(str(tmp_path / "best"))) == [2]


def test_chief_and_evaluator_agree_on_the_best_whoever_comes_last(tmp_path):
    add(tmp_path, 1, 0.5, by_evaluator=True)
    add(tmp_path, 3, 0.6)  # the chief, at the end
    assert best_step(tmp_path) == 3
    add(tmp_path, 2, 0.7, by_evaluator=True)  # which was slower
    assert best_step(tmp_path) == 2
    add(tmp_path, 3, 0.6, by_evaluator=True)
    assert best_step(tmp_path) == 2
    assert [e["global_step"] for e in evaluations.read_evaluations(str(tmp_path))] == [1, 2, 3]
    assert list(checkpoints.by_step(str(tmp_path / "best"))) == [2]


def test_evaluations_on_other_data_are_not_compared(tmp_path):
    add(tmp_path, 20, 0.5, data="easy")
    add(tmp_path, 30, 0.75, data="easy")
    assert add(tmp_path, 40, 0.472, data="hard") == 0
    assert best_step(tmp_path) == 40
    assert add(tmp_path, 50, 0.45, data="hard") == 1
    assert best_step(tmp_path) == 40
    add(tmp_path, 60, 0.6, data="easy")  # back again
    assert best_step(tmp_path) == 30
    assert list(checkpoints.by_step(str(tmp_path / "best"))) == [30, 40]
    add(tmp_path, 70, 0.9)  # by an earlier version, which did not say on what
    assert best_step(tmp_path) == 70


def test_data_have_a_name_that_does_not_depend_on_the_folder(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("eval-0", "eval-1"):
            (tmp_path / folder / name).write_text("x" * 70)
    a, b = ([str(tmp_path / folder / f"eval-{i}") for i in range(2)] for folder in "ab")
    name = evaluations.name_data(a)
    assert name.startswith("2 files, 140 bytes, ") and name == evaluations.name_data(b[::-1])
    assert name != evaluations.name_data(a[:1])
    (tmp_path / "b/eval-1").write_text("x" * 69)
    (tmp_path / "b/eval-0").write_text("x" * 71)
    assert name != evaluations.name_data(b)


def test_a_copy_that_another_process_has_not_recorded_yet_stays(tmp_path):
    checkpoints.copy(checkpoint_of(tmp_path, 9), str(tmp_path / "best"))
    add(tmp_path, 1, 0.5)
    assert sorted(checkpoints.by_step(str(tmp_path / "best"))) == [1, 9]
    assert best_step(tmp_path) == 1
    add(tmp_path, 9, 0.6, by_evaluator=True)
    assert list(checkpoints.by_step(str(tmp_path / "best"))) == [9]


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"null",
        b"7",
        b'{"global_step": "3", "accuracy": 1, "loss": 1}',
        b'{"global_step": 3, "accuracy": null, "loss": 1}',
        b'{"global_step": 3,',
        b"\xff\xfe",
    ],
)
def test_a_damaged_line_is_named_with_the_remedy(tmp_path, line):
    good = json.dumps({"global_step": 1, "accuracy": 0.5, "loss": 1.0}).encode()
    (tmp_path / "evaluations.ndjson").write_bytes(good + b"\n" + line + b"\n")
    with pytest.raises(ValueError, match=r"evaluations.ndjson, line 2: not an .* delete the line"):
        evaluations.read_evaluations(str(tmp_path))


def evaluate(folder, step: int, **metrics) -> str:
    """Records an evaluation of a checkpoint, which it returns."""
    result = {"accuracy": 0.5, "loss": 1.0, "global_step": step, **metrics}
    scalars = {name: np.array(value)[()] for name, value in result.items()}
    checkpoint = checkpoint_of(folder, step)
    best.add_evaluation(str(folder), scalars, checkpoint=checkpoint)
    return checkpoint


def test_a_checkpoint_has_the_temperature_that_its_evaluation_found(tmp_path):
    for step, recorded in ((100, {"temperature": 1.5}), (200, {"temperature": np.nan}), (300, {})):
        evaluate(tmp_path, step, **recorded)  # evaluations of earlier versions have none
    names = ("model.ckpt-100", "best/model.ckpt-100", "model.ckpt-200", "model.ckpt-300", "other")
    temperatures = [evaluations.temperature(str(tmp_path / name)) for name in names]
    nothing = 1, "no evaluation has found it"
    assert temperatures == [(1.5, None), (1.5, None), nothing, nothing, nothing]


def test_a_checkpoint_has_the_temperature_of_its_own_folder(tmp_path, monkeypatch):
    for name, temperature in (("a", 1.5), ("best", 0.75)):  # a run may have the name of a copy
        (tmp_path / name).mkdir()
        evaluate(tmp_path / name, 100, temperature=temperature)
    assert evaluations.temperature(str(tmp_path / "a/best/model.ckpt-100"))[0] == 1.5
    for name in ("model.ckpt-100", "best/model.ckpt-100"):
        assert evaluations.temperature(str(tmp_path / "best" / name))[0] == 0.75
    monkeypatch.chdir(tmp_path / "a")
    for path in ("model.ckpt-100", "best/model.ckpt-100"):
        assert evaluations.temperature(path)[0] == 1.5


@pytest.mark.parametrize(
    "drawings, accuracy, why",
    [
        (29, 0.5, "29 drawings are fewer than 30"),
        (1000, 1.0, "all 1,000 guesses are right"),
        (1000, 0.0, "all 1,000 guesses are wrong"),
        (30, 0.5, None),
    ],
)
def test_a_temperature_of_too_few_drawings_or_of_one_kind_is_not_used(
    tmp_path, drawings, accuracy, why
):
    checkpoint = evaluate(tmp_path, 1, temperature=8.0, drawings=drawings, accuracy=accuracy)
    assert evaluations.temperature(checkpoint) == (1.0 if why else 8.0, why)


def test_the_best_is_gone_on_with_where_all_other_checkpoints_are_gone(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(checkpoints, "damage", lambda checkpoint: None)
    best.bring_back(str(tmp_path))  # nothing there
    add(tmp_path, 1, 0.9)
    add(tmp_path, 2, 0.5)
    best.bring_back(str(tmp_path))  # the others are
    assert list(checkpoints.by_step(str(tmp_path))) == [1, 2] and not capsys.readouterr().err
    for path in tmp_path.glob("model.ckpt-*"):
        path.unlink()
    monkeypatch.setattr(checkpoints, "damage", lambda checkpoint: "cannot be read")
    with pytest.raises(ValueError, match="checkpoints are gone, and .*best/model.ckpt-1 cannot be"):
        best.bring_back(str(tmp_path))
    monkeypatch.setattr(checkpoints, "damage", lambda checkpoint: None)
    best.bring_back(str(tmp_path))
    assert "all checkpoints are gone but" in capsys.readouterr().err
    assert (tmp_path / "model.ckpt-1.index").read_text() == "1 index"
    assert 'model_checkpoint_path: "model.ckpt-1"' in (tmp_path / "checkpoint").read_text()
