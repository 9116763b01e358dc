import numpy as np
import tensorflow as tf
from helpers import CLASSES, read_records, train
from PIL import Image

from drawings import ink
from evaluation.guesses import Guesses
from training import summaries as written


def summaries(folder) -> dict[str, list[int]]:
    """Steps of each summary, by tag."""
    steps = {}
    for path in sorted(folder.glob("events.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                steps.setdefault(value.tag, []).append(event.step)
    return steps


def test_summaries_show_what_the_design_lists(data, tmp_path):
    train(data, tmp_path / "m", save_checkpoints_steps=3)
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
    train(data, tmp_path / "m", flagfile="--steps=6", save_checkpoints_steps=3)
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


def test_a_tab_in_a_name_does_not_shift_the_projectors_columns(tmp_path):
    drawing = ink.strokes_to_ink([[[0, 3], [0, 5]]])
    seen = Guesses(
        labels=np.array([0, 1]),
        predictions=np.array([0, 0]),
        probability=np.array([0.9, 0.9]),
        lengths=np.array([1, 1]),
        inks=[drawing] * 2,
        embeddings=np.zeros((2, 2), np.float32),
    )
    folder = str(tmp_path)
    written.write_guesses(folder, folder, seen, classes=["a\tb", "c"], step=1, first=True)
    rows = (tmp_path / "projector/labels.tsv").read_text().splitlines()
    assert [row.split("\t") for row in rows] == [
        ["word", "guess", "result"],
        ["a b", "a b", "right"],
        ["c", "a b", "wrong"],
    ]
