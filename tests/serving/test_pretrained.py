"""The network that comes with the project, and how a folder like it is written and read."""

import base64
import dataclasses
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from helpers import ROOT, run_program

import model
from common import files
from model_folder import models
from records import class_list
from serving import classifier, drawing_page, pretrained, weights
from training import warm_start

PRETRAINED = ROOT / files.PRETRAINED
PAGE = ROOT / "docs/draw.html"


@pytest.fixture(scope="module")
def small(trained, tmp_path_factory):
    """The trained network of the tests, written as the one of the project is."""
    folder = tmp_path_factory.mktemp("small")
    source = models.find_model(str(trained.export))
    pretrained.write(folder, source)
    return folder


def test_weights_are_rounded_to_sixteen_bits_and_no_more(trained, small):
    exported = models.find_model(str(trained.export))
    expected = weights.read(exported.checkpoint, params=exported.params)
    with models.copied_model(str(small)) as (stored, copy):
        assert stored == dataclasses.replace(exported, checkpoint=stored.checkpoint)
        reader = tf.train.load_checkpoint(copy.checkpoint)
        assert set(reader.get_variable_to_dtype_map().values()) == {tf.float32, tf.int64}
        for name, values in expected.items():
            rounded = values.astype(np.float16).astype(np.float32)
            np.testing.assert_array_equal(reader.get_tensor(name), rounded)
        assert reader.get_tensor("global_step") == 60


def test_the_classifier_guesses_what_the_exported_one_does(trained, small):
    exported, stored = classifier.Classifier(str(trained.export)), classifier.Classifier(str(small))
    for line in trained.lines:
        strokes = json.loads(line)["drawing"]
        expected = dict(exported.classify(strokes))
        for word, probability in stored.classify(strokes):
            assert probability == pytest.approx(expected[word], abs=2e-3)


def test_half_precision_weights_start_a_training(trained, small, tmp_path):
    source = models.find_model(str(small))
    settings = warm_start.settings(
        str(small),
        params=source.params,
        classes=source.classes,
        training_files=[],
        scratch=str(tmp_path),
    )
    kernel = tf.train.load_variable(settings.ckpt_to_initialize_from, "dense/kernel")
    assert kernel.dtype == np.float32 and kernel.shape == (12, 6)


def test_the_folder_fits_the_code():
    shipped = models.find_model(str(PRETRAINED))
    names = (ROOT / "dataset/categories.txt").read_text().splitlines()
    assert shipped.classes == sorted(names) and len(names) == 345
    assert class_list.read_classes(str(PRETRAINED / "assets.extra/classes.txt")) == shipped.classes
    shapes = tf.train.load_checkpoint(shipped.checkpoint).get_variable_to_shape_map()
    assert shapes.pop("global_step") == []
    assert shapes == model.variable_shapes(shipped.params)
    assert 0.5 < shipped.temperature < 2


def test_the_folder_is_small():
    files_of_it = [PAGE, *(path for path in PRETRAINED.rglob("*") if path.is_file())]
    assert sum(path.stat().st_size for path in files_of_it) <= 10e6
    assert PAGE.stat().st_size <= 4.5e6


def test_the_page_is_of_this_network():
    """See serving/drawing_page.py: float32 values of all variables come first, a scale a column."""
    text = PAGE.read_text()
    shipped = models.find_model(str(PRETRAINED))
    description = json.loads(re.search(r'id="model"[^>]*>([^<]+)<', text)[1])
    assert description["words"] == shipped.classes
    network = weights.read(shipped.checkpoint, params=shipped.params)
    variables = list(weights.calibrated(network, temperature=shipped.temperature).values())
    assert [v["shape"] for v in description["variables"]] == [list(v.shape) for v in variables]
    num_floats = sum(v.size if v.ndim == 1 else v.shape[-1] for v in variables)
    packed, expected = (
        np.frombuffer(data[: 4 * num_floats], "<f4")
        for data in (
            base64.b64decode(re.search(r'id="weights"[^>]*>([^<]+)<', text)[1]),
            drawing_page.pack_weights(variables),
        )
    )
    np.testing.assert_allclose(packed, expected, rtol=2e-3, atol=1e-6)


# Of the doodles' ten words those that the data set knows.
DOODLES = ("circle", "square", "triangle", "star", "house", "ladder")


def test_the_network_knows_doodles_that_it_has_never_seen(tmp_path):
    run_program("scripts/make_doodles.py", f"--output_path={tmp_path}", "--drawings_per_class=20")
    shipped = classifier.Classifier(files.PRETRAINED)
    right = [
        shipped.classify(json.loads(line)["drawing"])[0].word == path.stem
        for path in sorted(tmp_path.glob("*.ndjson"))
        if path.stem in DOODLES
        for line in path.read_text().splitlines()
    ]
    assert len(right) >= 100
    assert np.mean(right) > 0.7


def test_the_name_means_the_folder_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.model_folder("pretrained") == str(PRETRAINED)
    assert files.model_folder("./pretrained") == "./pretrained"
    (tmp_path / "pretrained").mkdir()
    assert files.model_folder("pretrained") == "pretrained"
