"""What must be in place before a program imports anything else: import it first.

- TensorFlow's C++ side reads environment variables once: at its first message how much to say, and
  later how many threads an operation may take and how to choose convolutions.
- TensorFlow's Python side makes hundreds of thousands of objects when it is imported, and hardly
  any garbage.
- Ctrl-C may come while a program still imports what it needs.

A program that needs TensorFlow imports common/quiet_tensorflow.py first, which imports this.
"""

from __future__ import annotations

import gc
import os
import sys
from types import TracebackType

# absl spells its flag --verbosity, -v, or with one dash or two; its value is read later.
_WANTS_TO_HEAR = any(arg.lstrip("-").split("=")[0] in ("v", "verbosity") for arg in sys.argv[1:])
if not _WANTS_TO_HEAR:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# An operation takes half of the cores: both directions of a layer are computed side by side, and
# would wait for each other's parts. On two cores this shortens a training step by up to a quarter.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))

# On a GPU TensorFlow would try all of cuDNN's convolutions for each new shape, and nearly every
# batch has a length of its own: the first steps would take 1.6 times as long.
os.environ.setdefault("TF_CUDNN_USE_AUTOTUNE", "0")

# Looking for garbage takes up to a fifth of the time of TensorFlow's import. `programs.run` begins
# with it in a program of the project; elsewhere it is left alone.
_PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if os.path.dirname(os.path.abspath(sys.argv[0])) == _PROJECT:
    gc.disable()


def _on_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _on_uncaught
