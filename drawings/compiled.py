"""Compiles loops over every byte and every point, by numba.

NumPy has no call for such loops, and in Python they take a hundred times as long. numba compiles
a function when it is first called, in a second or two, and keeps the machine code beside the file
that the function stands in. It notices changes of that file alone: compiled functions call none
that another file holds.

Compiled code checks no index: what the callers must see to is said at each function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class compiled:  # noqa: N801  (a decorator)
    """Compiles at the first call, or loads what an earlier process has compiled.

    numba itself is imported at the first call of a module's functions, of which all are given to
    it then: its import takes a quarter of a second, and most starts of most programs need no loop.
    """

    def __init__(self, function: Callable):
        self._function = function

    def __call__(self, *args: Any) -> Any:
        functions = self._function.__globals__
        for name, value in list(functions.items()):
            if isinstance(value, compiled):
                functions[name] = _by_numba(value._function)
        return functions[self._function.__name__](*args)


def _by_numba(function: Callable) -> Callable:
    import numba

    try:
        return numba.njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder that can be written to, for the machine code
        return numba.njit(error_model="numpy")(function)
