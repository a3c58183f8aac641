"""Track how far a source's stream has been read, and whether a pipe has more data."""

from __future__ import annotations

import io
import os
import select
import stat
from typing import IO, Any, cast

from scicot.sources.prefix import Prefix, Tally

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"


class Arrival:
    """Tracks how far the stream of a source was read; `after` is the prefix to skip."""

    def __init__(self, after: Prefix | None = None) -> None:
        self.after = after
        # counts of what was read; None unless the source is a plain file
        self.tally: Tally | None = None
        self.notes: list[str] = []  # sentences about parts that were left out
        self._raw: _Pipe | None = None
        self._stream: io.BufferedReader | None = None

    def watch(self, stream: IO[bytes]) -> IO[bytes]:
        """Wrap a stream: a plain file so that `tally` counts what is read, a pipe so that `idle`
        works. Compressed files and in-memory streams are returned unchanged."""
        try:
            descriptor = stream.fileno()
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return stream if _is_packed(stream) else self._tallied(stream)
        except (OSError, AttributeError):  # in-memory streams, as tests use for stdin
            return stream
        self._raw = _Pipe(descriptor)
        self._stream = io.BufferedReader(self._raw, 65536)
        return self._stream

    def _tallied(self, stream: IO[bytes]) -> IO[bytes]:
        self.tally = Tally(stream, self.after)
        return cast(IO[bytes], self.tally)

    def idle(self, seconds: float) -> bool:
        """Return True if an open pipe delivers no data within so many seconds."""
        if self._raw is None or self._stream is None or self._raw.ended:
            return False
        self._raw.patience = seconds
        try:
            return not self._stream.peek(1) and not self._raw.ended
        finally:
            self._raw.patience = None


def _is_packed(stream: Any) -> bool:
    return not hasattr(stream, "peek") or bool(stream.peek(4).startswith((GZIP, ZSTD)))


class _Pipe(io.RawIOBase):
    """Reads a descriptor that its caller closes. With `patience` a read returns None if no data
    arrives within so many seconds."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.patience: float | None = None
        self.ended = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        if self.ended:  # needed for terminals, on which reading could continue after the end
            return 0
        if self.patience is not None:
            there, _, _ = select.select([self._descriptor], [], [], self.patience)
            if not there:
                return None
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        self.ended = not data
        return len(data)
