"""Whether the next row of a pipe is there yet, or somebody has still to write it."""

from __future__ import annotations

import io
import os
import select
import stat
from typing import IO

# A writer that is faster than this is not waited for in vain: its rows are answered together.
PATIENCE_SECONDS = 0.05


class Arrival:
    """The stream that a source is read from, watched."""

    def __init__(self) -> None:
        self._raw: _Pipe | None = None
        self._stream: io.BufferedReader | None = None

    def watch(self, stream: IO[bytes]) -> IO[bytes]:
        """A stream of the same bytes, for pipes and the like; files and what is no file stay."""
        try:
            descriptor = stream.fileno()
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return stream
        except (OSError, AttributeError):  # bytes in memory, as tests have them for stdin
            return stream
        self._raw = _Pipe(descriptor)
        self._stream = io.BufferedReader(self._raw, 65536)
        return self._stream

    def idle(self) -> bool:
        """Whether nothing more has come for a moment, though more may come."""
        if self._raw is None or self._stream is None or self._raw.ended:
            return False
        self._raw.waits = False
        try:
            return not self._stream.peek(1) and not self._raw.ended
        finally:
            self._raw.waits = True


class _Pipe(io.RawIOBase):
    """A descriptor that is somebody else's to close. With `waits` unset, reading gives up soon."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.waits = True
        self.ended = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        if not self.waits and not select.select([self._descriptor], [], [], PATIENCE_SECONDS)[0]:
            return None
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        self.ended = not data
        return len(data)
