"""Errors that are not bugs: mistakes of the user, and failures of a disk or a network."""

from __future__ import annotations

import errno
import os
import re

# Codes of TensorFlow's errors (google.rpc.Code) by which a disk, a server, or memory that is full
# says no: DEADLINE_EXCEEDED, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE,
# DATA_LOSS, UNAUTHENTICATED.
_OUTSIDE_CODES = {4, 5, 7, 8, 14, 15, 16}

# How an operating system's errors end in TensorFlow's words, whatever the code: "path; File too
# large".
_SYSTEM_REASONS = {os.strerror(number) for number in errno.errorcode}


class UserError(ValueError):
    """A mistake that the user can mend: in a flag, a file, a drawing, the state of a folder.

    The message names it, and says what is wrong and what to do: a program prints nothing else.
    """


def is_outside(error: BaseException) -> bool:
    """Tells whether an error comes from the machine, its disk or its network, not from a bug."""
    if isinstance(error, OSError):
        return True
    code = getattr(error, "error_code", None)  # TensorFlow's errors have one
    return code is not None and (
        code in _OUTSIDE_CODES or reason(error).rpartition("; ")[2] in _SYSTEM_REASONS
    )


def reason(error: BaseException) -> str:
    """Returns what an error says, without what TensorFlow tells of its graph around it, nor
    Python of an operating system's numbers: the file comes first."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    message = getattr(error, "message", None) or str(error)
    # "Graph execution error: Detected at node ... Node: 'x'", then the reason of each failure.
    message = re.split(r"\nNode: '[^']*'\n", message)[-1]
    message = re.sub(r"^\d+ root error\(s\) found\.\n\s*\(0\) ([A-Z_]+: )?", "", message.strip())
    return re.split(r"\n\s*\[\[|\n\nOriginal stack trace|\n\s*\(1\) ", message)[0].strip()
