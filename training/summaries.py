"""What TensorBoard shows of a run besides curves: pictures, projector, hyper-parameters, text."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image

from common import estimators, files
from drawings import pictures
from evaluation import guesses
from network import batch_guesses

# Drawings a picture, four of them side by side: so their words can be read at the width that
# TensorBoard gives a picture. And the training steps from one picture of them to the next.
SHOWN_DRAWINGS = 20
SHOWN_COLUMNS = 4
PICTURE_STEPS = 1000

# Pixels of a drawing in the projector; TensorBoard advises pictures of at most 8192 in all.
SPRITE_SIZE = 32

# Files of the projector; TensorBoard prescribes the first one's name.
PROJECTOR_CONFIG = "projector_config.pbtxt"
PROJECTOR_FOLDER = "projector"


def writer(folder: str) -> tf.compat.v1.summary.FileWriter:
    """Returns the writer of a folder's summaries that Estimator uses too: one file for all."""
    return tf.compat.v1.summary.FileWriterCache.get(folder)


@contextlib.contextmanager
def failed_writes_explained() -> Iterator[None]:
    """Where a file of summaries cannot be written, as on a full disk, raises OSError.

    TensorFlow writes them in a thread, which prints a traceback and leaves an IndexError to the
    next caller that writes.
    """

    def quiet(failure: threading.ExceptHookArgs) -> None:
        if not (failure.thread and failure.thread.name == "EventLoggerThread"):
            usual(failure)

    usual, threading.excepthook = threading.excepthook, quiet
    try:
        yield
    except IndexError as error:
        if "events.out.tfevents" not in str(error):
            raise
        raise OSError(str(error).splitlines()[0]) from None
    finally:
        threading.excepthook = usual


def write_picture(folder: str, tag: str, picture: Image.Image, *, step: int) -> None:
    image = tf.compat.v1.Summary.Image(
        width=picture.width,
        height=picture.height,
        colorspace=len(picture.getbands()),
        encoded_image_string=pictures.png(picture),
    )
    value = tf.compat.v1.Summary.Value(tag=tag, image=image)
    writer(folder).add_summary(tf.compat.v1.Summary(value=[value]), step)


def write_scalar(folder: str, tag: str, number: float, *, step: int) -> None:
    value = tf.compat.v1.Summary.Value(tag=tag, simple_value=number)
    writer(folder).add_summary(tf.compat.v1.Summary(value=[value]), step)


def guesses_picture(
    inks: Sequence[np.ndarray],
    labels: Sequence[int],
    predictions: Sequence[int],
    probability: Sequence[float],
    *,
    classes: Sequence[str],
) -> Image.Image:
    """Drawings with the true word and the guess under them, in red where that is wrong."""
    texts = [
        f"{classes[label]}\n{classes[guess]} {share:.0%}"
        for label, guess, share in zip(labels, predictions, probability)
    ]
    wrong = [label != guess for label, guess in zip(labels, predictions)]
    return pictures.sheet(list(zip(inks, texts)), columns=SHOWN_COLUMNS, wrong=wrong)


class PicturesHook(estimators.SessionRunHook):
    """Shows drawings of a training batch with the guesses for them, every `PICTURE_STEPS`."""

    def __init__(self, folder: str, *, classes: Sequence[str]):
        self._folder = folder
        self._classes = classes

    def begin(self) -> None:
        self._tensors = batch_guesses.published()._asdict()
        del self._tensors["embedding"]
        self._global_step = tf.compat.v1.train.get_global_step()

    def after_create_session(self, session, coord) -> None:
        self._step = int(session.run(self._global_step))

    def before_run(self, run_context) -> estimators.SessionRunArgs | None:
        due = self._step % PICTURE_STEPS == 0
        return estimators.SessionRunArgs(self._tensors) if due else None

    def after_run(self, run_context, run_values) -> None:
        self._step += 1
        if run_values.results is None:
            return
        batch = {name: values[:SHOWN_DRAWINGS] for name, values in run_values.results.items()}
        inks = [ink[:length] for ink, length in zip(batch.pop("ink"), batch.pop("lengths"))]
        picture = guesses_picture(inks, **batch, classes=self._classes)
        write_picture(self._folder, "guesses", picture, step=self._step)


def write_guesses(
    folder: str,
    projector_folder: str,
    seen: guesses.Guesses,
    *,
    classes: Sequence[str],
    step: int,
    first: bool,
) -> None:
    """Writes the pictures and the projector of an evaluation.

    Args:
      folder: that of the evaluations' summaries.
      projector_folder: that of the run's. TensorBoard shows the largest tensor of the first run
        that it finds: there it is this one, before the checkpoint's.
      seen: the evaluation's drawings.
      classes: the class list.
      step: the checkpoint's.
      first: whether it is the run's first evaluation: those that follow read the same drawings,
        and the projector has them already.
    """
    # Neighbours are of about one length (see input_pipeline.py), so they are taken far apart.
    shown = np.unique(np.linspace(0, len(seen.inks) - 1, SHOWN_DRAWINGS).astype(int))
    picture = guesses_picture(
        [seen.inks[i] for i in shown],
        seen.labels[shown],
        seen.predictions[shown],
        seen.probability[shown],
        classes=classes,
    )
    write_picture(folder, "guesses", picture, step=step)
    picture = pictures.confusion_matrix(seen.confusion(len(classes)), classes)
    write_picture(folder, "confusion_matrix", picture, step=step)
    _write_projector(projector_folder, seen, classes=classes, first=first)
    writer(folder).flush()


def _write_projector(
    folder: str, seen: guesses.Guesses, *, classes: Sequence[str], first: bool
) -> None:
    """Writes embeddings, words, guesses and drawings into files as the projector reads them."""
    projector = os.path.join(folder, PROJECTOR_FOLDER)
    files.make_folder(projector)
    count = min(len(seen.inks), len(seen.embeddings))
    rows = ["\t".join(map("%.4g".__mod__, row)) for row in seen.embeddings[:count].tolist()]
    files.write_whole(os.path.join(projector, "embeddings.tsv"), "\n".join(rows))
    words = [name.replace("\t", " ") for name in classes]  # a tab ends a column
    labels = [
        f"{words[label]}\t{words[guess]}\t{'right' if label == guess else 'wrong'}"
        for label, guess in zip(seen.labels[:count], seen.predictions[:count])
    ]
    table = "\n".join(["word\tguess\tresult", *labels])
    files.write_whole(os.path.join(projector, "labels.tsv"), table)
    if first:
        sprites = pictures.sprites(seen.inks[:count], SPRITE_SIZE)
        files.write_whole(os.path.join(projector, "drawings.png"), pictures.png(sprites))
        files.write_whole(os.path.join(folder, PROJECTOR_CONFIG), _PROJECTOR_CONFIG)


_PROJECTOR_CONFIG = f"""\
embeddings {{
  tensor_name: "drawings"
  tensor_path: "{PROJECTOR_FOLDER}/embeddings.tsv"
  metadata_path: "{PROJECTOR_FOLDER}/labels.tsv"
  sprite {{
    image_path: "{PROJECTOR_FOLDER}/drawings.png"
    single_image_dim: {SPRITE_SIZE}
    single_image_dim: {SPRITE_SIZE}
  }}
}}
"""


def write_description(
    folder: str,
    *,
    settings: dict[str, object],
    flagfile: str,
    classes: Sequence[str],
    eval_folder: str,
) -> None:
    """Writes the run's settings for the HParams tab, its flags and class list for the text tab.

    Args:
      folder: that of the run's summaries.
      settings: by name, numbers, booleans and text.
      flagfile: the flags, as `--flagfile` would read them.
      classes: the class list.
      eval_folder: the folder of the evaluations' summaries below it.
    """
    # Not before they are needed: the import takes a moment, and most programs write no summary.
    from tensorboard.plugins.hparams import api as hparams
    from tensorboard.plugins.text import summary as text

    metrics = [
        hparams.Metric(tag, group=eval_folder, display_name=tag.replace("_", " "))
        for tag in ("accuracy", "top_3_accuracy", "loss")
    ]
    columns = [hparams.HParam(name) for name in settings]
    numbered = "".join(f"| {i} | {name} |\n" for i, name in enumerate(classes))
    for summary in (
        hparams.hparams_config_pb(hparams=columns, metrics=metrics),
        hparams.hparams_pb(settings),
        text.pb("flags", "".join(f"    {line}\n" for line in flagfile.splitlines())),
        text.pb("classes", f"| index | class |\n|---|---|\n{numbered}"),
    ):
        writer(folder).add_summary(summary.SerializeToString(), 0)
