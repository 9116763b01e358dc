"""Importing this module lets a script of this folder import the project's modules."""

from __future__ import annotations

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

NUM_CORES = os.cpu_count() or 1
