"""Importing this module lets a script of this folder import the project's modules."""

from __future__ import annotations

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

NUM_CORES = os.cpu_count() or 1
