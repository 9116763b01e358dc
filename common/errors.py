"""Errors that are no bugs of the programs, and what an error says."""

from __future__ import annotations

import re


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
