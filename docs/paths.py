"""Importing this module lets a script in this folder import the project's modules."""

import pathlib
import sys

DOCS = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "scripts")]
