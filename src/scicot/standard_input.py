"""Standard input, kept for scicot's own readers.

Libraries ask questions there: transformers, whether to run a model's own code. In a pipeline the
answer would be a row of the data. So the command line first moves standard input to a descriptor
that libraries and child processes do not know, and leaves /dev/null in its place.
"""

from __future__ import annotations

import os
import sys
from typing import IO

_reserved: IO[bytes] | None = None  # what standard input was, once it has been moved


def reserve() -> None:
    """Move standard input to a descriptor of our own; descriptor 0 becomes /dev/null.

    Called once, first of all. A closed standard input stays closed for scicot, and its descriptor
    is occupied, so that no other file is opened as number 0.
    """
    global _reserved
    if sys.stdin is not None:
        _reserved = os.fdopen(os.dup(0), "rb")  # not inherited by programs that are started
    null = os.open(os.devnull, os.O_RDONLY)
    if null != 0:
        os.dup2(null, 0)
        os.close(null)


def stream() -> IO[bytes] | None:
    """The bytes of standard input; None where it is closed."""
    if _reserved is not None:
        return _reserved
    return None if sys.stdin is None else sys.stdin.buffer
