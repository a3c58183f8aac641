"""rich's console, without its own handling of closed pipes."""

from __future__ import annotations

import errno
import os

import rich.console


class Console(rich.console.Console):
    """A console that raises BrokenPipeError if the reader of its pipe is gone.

    rich's own console would end the program with exit code 1, which scicot uses for errors in the
    data. It would also redirect stdout to /dev/null, even if the broken pipe is stderr.
    """

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
