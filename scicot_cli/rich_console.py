"""rich's console, without its own handling of closed pipes."""

from __future__ import annotations

import errno
import os

import rich.console


class Console(rich.console.Console):
    """A console that raises BrokenPipeError if the reader of its pipe is gone.

    rich itself would end the program with exit code 1, which is the code of an error in the data,
    and redirect stdout to /dev/null even if the pipe is that of stderr.
    """

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
