"""Evaluates a network on whole sets of records, and on the beginnings of their drawings."""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Mapping, Sequence

import input_pipeline
import model
from common import estimators
from common.errors import UserError
from evaluation import guesses
from model_folder import models
from records import damage

# Drawings whose ink is kept to be shown, about 60 MB; mistakes beyond them are counted only.
KEPT_INKS = 100_000

# Shares of the strokes of a drawing that are evaluated as if it ended there.
STROKE_SHARES = (0.25, 0.5, 0.75)


def evaluate(
    files: Sequence[str],
    network: models.Model,
    *,
    batch_size: int,
) -> tuple[dict[str, float], guesses.Guesses, list[dict[str, float]]]:
    """Evaluates all drawings, then the beginnings of all drawings.

    Returns:
      The metrics of `model.model_fn`; the guesses; and for each share of the strokes, from the
      lowest up to 1, its metrics, with the share itself as `stroke_share`.

    Raises:
      UserError: a record is bad, or the network's weights are not numbers.
    """
    collector = guesses.CollectGuesses(kept_inks=KEPT_INKS)
    # Estimator leaves summaries behind, which are no part of the run's.
    with tempfile.TemporaryDirectory(prefix="evaluate_model-") as folder:
        model_fn = functools.partial(model.model_fn, temperature=network.temperature)
        estimator = estimators.Estimator(model_fn, model_dir=folder, params=network.params)

        def run(stroke_share: float, run_hooks: Sequence) -> dict[str, float]:
            result = estimator.evaluate(
                input_pipeline.eval_input_fn(
                    files,
                    batch_size=batch_size,
                    num_classes=network.params.num_classes,
                    stroke_share=stroke_share,
                ),
                hooks=run_hooks,
                checkpoint_path=network.checkpoint,
            )
            result = {name: value.item() for name, value in result.items()}
            check_finite(result, checkpoint=network.checkpoint)
            return result

        with damage.bad_records_named(files, num_classes=network.params.num_classes):
            result = run(1.0, [collector])
            beginnings = [{"stroke_share": share, **run(share, [])} for share in STROKE_SHARES]
    return result, collector.guesses(), [*beginnings, {"stroke_share": 1.0, **result}]


def check_finite(result: Mapping[str, float], *, checkpoint: str) -> None:
    """Refuses an evaluation whose loss is not a number.

    Raises:
      UserError: it is not; nothing of what such a network says means anything.
    """
    if not math.isfinite(result["loss"]):
        raise UserError(
            f"{checkpoint}: the loss is {result['loss']}, for the network's weights are not "
            "numbers or far too large; take an earlier checkpoint"
        )


def print_result(result: Mapping[str, float]) -> None:
    print(
        f"evaluation at step {result['global_step']:,}: accuracy {result['accuracy']:.2%}, top 3 "
        f"{result['top_3_accuracy']:.2%}, loss {result['loss']:.4f}, "
        f"{result['drawings']:,} drawings",
        flush=True,
    )
