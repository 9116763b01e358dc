"""Imports TensorFlow and hides the lines that its C++ code writes to standard error.

A program takes `tf` from here before it imports anything that imports TensorFlow itself. While it
is imported, TensorFlow 2.21 writes up to six lines to standard error, whatever
TF_CPP_MIN_LOG_LEVEL says (https://github.com/tensorflow/tensorflow/issues/100442). During
the import, file descriptor 2 points to a temporary file, whose content is shown if the import
fails. A crash in C++ is reported with the stack that led to it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import shutil
import tempfile
from collections.abc import Iterator

from common import startup  # noqa: F401  (TensorFlow reads what it sets)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keeps what is written to file descriptor 2, by C++ too; shows it if an exception comes."""
    with tempfile.TemporaryFile() as kept, os.fdopen(os.dup(2), "wb") as stderr:
        os.dup2(kept.fileno(), 2)
        faulthandler.enable(stderr)
        try:
            yield
        except BaseException:
            kept.seek(0)
            shutil.copyfileobj(kept, stderr)
            raise
        finally:
            faulthandler.disable()
            os.dup2(stderr.fileno(), 2)


_is_quiet = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3"
with quiet_stderr() if _is_quiet else contextlib.nullcontext():
    import tensorflow as tf

__all__ = ["tf"]
