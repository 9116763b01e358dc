import dataclasses
import json
import shutil

import numpy as np
import pytest
from helpers import CLASSES, TINY, global_step, spoil_weights, train

from model_folder import best, checkpoints, description, evaluations, models
from records import class_list


def test_model_dir_describes_itself(data, tmp_path):
    train(data, tmp_path / "m")
    assert description.read_hparams(str(tmp_path / "m")) == TINY
    assert class_list.read_classes(str(tmp_path / "m/classes.txt")) == CLASSES


def test_resuming_with_other_settings_is_refused(data, tmp_path):
    train(data, tmp_path / "m", steps=3)
    with pytest.raises(ValueError, match=r"num_nodes=4 \(now 5\), dropout=0.3 \(now 0.1\)"):
        train(data, tmp_path / "m", params=dataclasses.replace(TINY, num_nodes=5, dropout=0.1))
    with pytest.raises(ValueError, match="it also had 'cat'; it did not have 'dog'"):
        train(data, tmp_path / "m", classes=["ant", "bee", "dog"])
    with pytest.raises(ValueError, match="the order differs"):
        train(data, tmp_path / "m", classes=["ant", "cat", "bee"])
    assert global_step(tmp_path / "m") == 3


def test_a_named_checkpoint_is_evaluated(trained):
    path = f"{trained.model_dir}/model.ckpt-30"
    assert models.find_model(str(trained.model_dir), checkpoint=path).checkpoint == path
    with pytest.raises(ValueError, match="there is no .*model.ckpt-31.index"):
        models.find_model(str(trained.model_dir), checkpoint=f"{trained.model_dir}/model.ckpt-31")


def test_a_checkpoint_of_another_folder_is_of_that_folders_evaluation(trained, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(trained.model_dir, other)
    lines = evaluations.read_evaluations(str(other))
    changed = [json.dumps({**line, "temperature": 3.25}) + "\n" for line in lines]
    (other / "evaluations.ndjson").write_text("".join(changed))
    for checkpoint in (f"{other}/model.ckpt-60", best.best_checkpoint(str(other))):
        for path in (trained.model_dir, trained.export):
            saved = models.find_model(str(path), checkpoint=checkpoint)
            assert (saved.checkpoint, saved.temperature) == (checkpoint, 3.25)
    class_list.write_classes(str(other / "classes.txt"), ["a", *trained.classes[1:]])
    with pytest.raises(ValueError, match="--checkpoint=.* another class list: it also had 'a'; it"):
        models.find_model(str(trained.model_dir), checkpoint=checkpoint)


def test_a_model_is_what_the_path_plainly_means(trained):
    exported = f"{trained.export}/variables/variables"
    for path in (trained.export, trained.export.parent):
        saved = models.find_model(str(path))
        assert (saved.checkpoint, saved.classes) == (exported, trained.classes)
    checkpoint = f"{trained.model_dir}/model.ckpt-30"
    for ending in (".index", ".meta", ".data-00000-of-00001"):
        saved = models.find_model(str(trained.model_dir), checkpoint=checkpoint + ending)
        assert saved.checkpoint == checkpoint


@pytest.mark.parametrize(
    "model_dir, message",
    [("nowhere", "no hparams.json there"), ("empty", "empty: no checkpoint there yet")],
)
def test_a_folder_without_a_model_is_refused(trained, tmp_path, model_dir, message):
    (tmp_path / "empty").mkdir()
    saved = models.find_model(str(trained.model_dir))
    params, classes = saved.params, saved.classes
    description.write_description(str(tmp_path / "empty"), params=params, classes=classes)
    with pytest.raises(ValueError, match=message):
        models.find_model(str(tmp_path / model_dir))


def test_a_best_checkpoint_that_is_replaced_meanwhile_is_looked_for_again(
    trained, tmp_path, monkeypatch
):
    shutil.copytree(trained.model_dir, tmp_path / "m")
    (index,) = (tmp_path / "m/best").glob("*.index")
    last = evaluations.read_evaluations(str(tmp_path / "m"))[-1]
    copy, calls = checkpoints.copy, []

    def replaced_first(checkpoint, folder):
        calls.append(checkpoint)
        if len(calls) == 1:  # the run that goes on has saved a better one
            result = {name: np.float64(last[name]) for name in ("accuracy", "loss")}
            result.update(global_step=np.int64(90), accuracy=np.float64(1.0))
            for path in sorted((tmp_path / "m").glob("model.ckpt-60.*")):
                shutil.copy(path, str(path).replace("-60", "-90"))
            best.add_evaluation(
                str(tmp_path / "m"),
                result,
                checkpoint=f"{tmp_path}/m/model.ckpt-90",
                data=last["data"],
            )
        return copy(checkpoint, folder)

    monkeypatch.setattr(models.checkpoints, "copy", replaced_first)
    with models.copied_model(str(tmp_path / "m")) as (model_found, copied):
        assert model_found.checkpoint.endswith("best/model.ckpt-90")
        assert copied == dataclasses.replace(model_found, checkpoint=copied.checkpoint)
        assert copied.checkpoint.endswith("model.ckpt-90")
        assert not copied.checkpoint.startswith(str(tmp_path / "m"))
        assert checkpoints.damage(copied.checkpoint) is None
    assert calls[0] == str(index)[: -len(".index")] and not index.exists()


def test_a_damaged_checkpoint_is_not_used(trained, tmp_path):
    shutil.copytree(trained.model_dir, tmp_path / "m")
    step = best.best_checkpoint(str(tmp_path / "m")).rpartition("-")[2]
    spoil_weights(tmp_path / f"m/best/model.ckpt-{step}", np.nan)
    with (
        pytest.raises(ValueError, match=f"best/model.ckpt-{step}: .* weights that are not numbers"),
        models.copied_model(str(tmp_path / "m")),
    ):
        pass


def test_an_export_keeps_the_temperature_of_its_checkpoint_and_a_folder_does_not(trained, tmp_path):
    folder, exported = (models.find_model(str(p)) for p in (trained.model_dir, trained.export))
    assert exported.temperature == folder.temperature != 1
    described = json.loads((trained.export / "assets.extra/hparams.json").read_text())
    assert described.pop("temperature") == folder.temperature
    assert described == json.loads((trained.model_dir / "hparams.json").read_text())
    # Earlier versions wrote a temperature of 1 beside checkpoints.
    shutil.copytree(trained.model_dir, tmp_path / "m")
    (tmp_path / "m/hparams.json").write_text(json.dumps({**described, "temperature": 1.0}))
    saved = models.find_model(str(tmp_path / "m"))
    assert (saved.params, saved.temperature) == (folder.params, folder.temperature)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "hparams.json: not JSON"),
        ("[]", "hparams.json: not the hyper-parameters of this program"),
        ('{"num_classes": 3, "num_wings": 2}', "of this program: .*num_wings"),
        ('{"num_classes": 3, "num_nodes": "4"}', "hparams.json: not the hyper-parameters"),
        ('{"num_classes": 3, "temperature": 0}', "temperature=0: expected a number above 0"),
        ('{"num_classes": 3, "temperature": NaN}', "temperature=nan: expected a number above 0"),
    ],
)
def test_a_damaged_description_is_named(tmp_path, text, message):
    (tmp_path / "hparams.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        description.read_hparams(str(tmp_path))
        description.read_temperature(str(tmp_path))
