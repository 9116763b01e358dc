"""Compiles loops over every byte and every point, by numba.

NumPy has no call for such loops, and in Python they take a hundred times as long. numba compiles
a function when it is first called, in a second or two, and keeps the machine code beside the file
that the function stands in. It notices changes of that file alone: compiled functions call none
that another file holds.

Compiled code checks no index: what the callers must see to is said at each function. Modules of
compiled functions are imported by the functions that call them: numba's import takes a quarter of
a second, and most starts of most programs need no loop.
"""

from __future__ import annotations

from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compiles at the first call, or loads what an earlier process has compiled."""
    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder that can be written to, for the machine code
        return numba.njit(error_model="numpy")(function)
