"""Importing this module lets a script of this folder import the project's modules."""

from __future__ import annotations

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

NUM_CORES = os.cpu_count() or 1
