"""The whole way, as the quick start goes it: doodles, records, a model that knows them."""

import json

from helpers import run_program, train

import model
from dataset import conversion
from records import class_list


def make_doodles(folder, count: int) -> None:
    done = run_program(
        "scripts/make_doodles.py", f"--output_path={folder}", f"--drawings_per_class={count}"
    )
    assert done.returncode == 0, done.stderr


def test_doodles_are_in_the_data_sets_format_and_say_they_are_synthetic(tmp_path):
    make_doodles(tmp_path, 3)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 10
    for path in files:
        for line in path.read_text().splitlines():
            drawing = json.loads(line)
            assert drawing["word"] == path.stem and drawing["synthetic"] is True
            values = [v for stroke in drawing["drawing"] for row in stroke for v in row]
            assert 0 <= min(values) <= 5 and 250 <= max(values) <= 255


def test_doodles_to_a_model_that_knows_them(tmp_path):
    make_doodles(tmp_path / "in", 60)
    conversion.convert(
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        splits=(conversion.Split("training", 50), conversion.Split("eval", 10)),
        num_shards=2,
        seed=0,
        num_workers=2,
    )
    classes = class_list.read_classes(str(tmp_path / "out/training.tfrecord.classes"))
    params = model.HParams(
        num_classes=len(classes),
        num_layers=1,
        num_nodes=32,
        num_conv=(24, 32),
        conv_len=(5, 5),
        learning_rate=0.005,
    )
    result = train(
        tmp_path / "out",
        tmp_path / "model",
        params=params,
        classes=classes,
        steps=150,
        batch_size=16,
        save_checkpoints_steps=1000,
        eval_throttle_secs=600,
    )
    assert result["drawings"] == 100
    assert result["accuracy"] > 0.6  # chance is 0.1
