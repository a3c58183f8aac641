"""Errors that the user can fix. Each class defines the exit code of the command line.

Any other exception is a bug in scicot and keeps its traceback.
"""

from __future__ import annotations

import errno
import os
import re


class ScicotError(Exception):
    """An error that the user can fix. Its message is one line that names the problem, its location,
    and a way to fix it."""

    exit_code = 1
    # True if one of several processes has the error, False if all of them do
    of_one_process = False


class UsageError(ScicotError):
    """An invalid value of an option, or options that cannot be combined."""

    exit_code = 2  # like click's exit code for unknown options


class InvalidRow(ScicotError):
    """A row of a file that cannot be read. `where` is its location, FILE:LINE, or only FILE if the
    format has no lines. `problem` says what is wrong with it."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class StoppedEarly(ScicotError):
    """Raised if work stops before its end. To resume the work, run the same command again, or
    repeat the API call with the same output file."""

    exit_code = 75  # EX_TEMPFAIL, after which batch systems run the command again


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Libraries written in other languages report a full disk only in the message.
_NO_ROOM_SAID = re.compile(
    "|".join(
        [
            *(re.escape(os.strerror(number)) for number in _NO_ROOM),
            *(rf"os error {number}\b" for number in _NO_ROOM),  # safetensors, tokenizers
            "disk is full",  # sqlite
            *("PytorchStreamWriter failed writing", "iostream error"),  # torch
            r"inline_container\.cc.*unexpected pos",
        ]
    )
)
# SQLite reports a quota or file-size limit as a failed write, without the cause.
_SQLITE_NO_ROOM = (
    "SQLITE_FULL",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_FSYNC",
    "SQLITE_IOERR_TRUNCATE",
    "SQLITE_IOERR_SHMSIZE",
)


def no_room(error: BaseException) -> str | None:
    """Describe the cause of an error if it is a full disk, a used-up quota or the maximum size of a
    file. Returns None if the error has another cause. The chained exceptions (__cause__,
    __context__) are searched too."""
    cause: BaseException | None = error
    for _ in range(100):  # a chain of exceptions may be circular
        if cause is None:
            return None
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            return cause.strerror
        if _NO_ROOM_SAID.search(str(cause)):
            return _named(str(cause))
        # read by name, since importing sqlite3 here would slow down the start of every command
        if getattr(cause, "sqlite_errorname", None) in _SQLITE_NO_ROOM:
            return f"an SQLite file cannot be written ({cause})"
        cause = cause.__cause__ or cause.__context__
    return None


def _named(message: str) -> str:
    for number in _NO_ROOM:
        if os.strerror(number) in message or f"os error {number}" in message:
            return os.strerror(number)
    return os.strerror(errno.ENOSPC)
