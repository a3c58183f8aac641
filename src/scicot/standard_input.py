"""Reserve standard input for scicot's own readers.

Libraries may prompt the user on standard input, as transformers does before running a model's own
code. In a pipeline they would read a row of data as the user's reply. So the command line first
moves standard input to another descriptor, unknown to libraries and child processes, and replaces
it by /dev/null.
"""

from __future__ import annotations

import os
import sys
from typing import IO

_reserved: IO[bytes] | None = None  # the original standard input, after `reserve`


def reserve() -> None:
    """Move standard input to a descriptor of our own; descriptor 0 becomes /dev/null.

    Call it once, before anything else. A closed standard input stays closed for scicot, and its
    descriptor is occupied, so that no other file is opened as number 0.
    """
    global _reserved
    if sys.stdin is not None:
        # os.dup makes descriptors that child processes do not inherit
        _reserved = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)


def stream() -> IO[bytes] | None:
    """Return standard input as bytes, None if it is closed."""
    if _reserved is not None:
        return _reserved
    return None if sys.stdin is None else sys.stdin.buffer
