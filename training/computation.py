"""How this machine computes a training step: what it can do, and what would be faster."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

import model
from common.errors import UserError
from network import hardware, lstm


def resolve(params: model.HParams) -> model.HParams:
    """Returns hyper-parameters that name the cell type which `auto` means here.

    Raises:
      ValueError: this machine cannot compute what they ask for.
    """
    params = dataclasses.replace(params, cell_type=lstm.resolve_cell_type(params.cell_type))
    half = hardware.half_precision()
    if params.mixed_precision and half is None:
        raise UserError(
            "--mixed_precision needs a GPU or a CPU that multiplies bfloat16 (AVX512_BF16 or "
            "AMX), and there is neither here"
        )
    if params.mixed_precision and half == tf.bfloat16 and params.cell_type != "block_lstm":
        raise UserError(
            f"--mixed_precision on a CPU is for block_lstm, not --cell_type={params.cell_type}; "
            "leave one of the two flags out"
        )
    return params


def describe(params: model.HParams) -> str:
    """Says how the recurrence is computed on this machine, and whether it could be faster."""
    half = hardware.half_precision()
    if params.mixed_precision and half:
        return f"{params.cell_type}, products in {half.name}"
    if params.cell_type == "block_lstm" and half == tf.bfloat16:
        return f"{params.cell_type}; --mixed_precision may be faster on this CPU"
    return params.cell_type
