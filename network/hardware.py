"""What this machine computes with."""

from __future__ import annotations

import re

import tensorflow as tf


def has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def cpu_has_bfloat16() -> bool:
    """Returns whether the processor has instructions that multiply bfloat16, as Linux says."""
    try:
        with open("/proc/cpuinfo") as file:
            return bool(re.search(r"^flags\b.* (avx512_bf16|amx_bf16)\b", file.read(), re.M))
    except OSError:
        return False


def half_precision() -> tf.DType | None:
    """Returns the type in which this machine multiplies faster than in float32, if any."""
    if has_gpu():
        return tf.float16
    return tf.bfloat16 if cpu_has_bfloat16() else None
