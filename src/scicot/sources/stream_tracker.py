"""Track how far a source's stream has been read, and whether a pipe has more data."""

from __future__ import annotations

import io
import os
import select
import stat
from typing import IO, Any, cast

from scicot.sources.prefix import CountingReader, Prefix

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"


class StreamTracker:
    """Tracks how far the stream of a source has been read, and whether a pipe has more data. The
    caller must read from the stream that `watch` returns.

    `skipped` is the part of a file that an earlier run processed. The stream that `watch` returns
    begins after this part. If `hashed` is True or `skipped` is given, the bytes of an uncompressed
    file are counted and hashed.
    """

    def __init__(self, skipped: Prefix | None = None, *, hashed: bool = False) -> None:
        self.skipped = skipped
        self._hashed = hashed or skipped is not None
        # wrapper that counts and hashes what is read; None if there is none
        self.counter: CountingReader | None = None
        # sentences about how the source was read, such as parts left out
        self.notes: list[str] = []
        self._pipe: _Pipe | None = None
        self._stream: io.BufferedReader | None = None

    def watch(self, stream: IO[bytes]) -> IO[bytes]:
        """Return the stream to read from instead of `stream`.

        - For a pipe, the result is a stream that `idle` can check.
        - For an uncompressed file whose bytes are to be hashed, the result is `counter`, which
          counts and hashes what is read.
        - Any other stream is returned unchanged.
        """
        try:
            descriptor = stream.fileno()
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                plain = self._hashed and not _is_compressed(stream)
                return self._counted(stream) if plain else stream
        except (OSError, AttributeError):  # in-memory streams, as tests use for stdin
            return stream
        self._pipe = _Pipe(descriptor)
        self._stream = io.BufferedReader(self._pipe, 65536)
        return self._stream

    def _counted(self, stream: IO[bytes]) -> IO[bytes]:
        self.counter = CountingReader(stream, self.skipped)
        return cast(IO[bytes], self.counter)

    def idle(self, seconds: float) -> bool:
        """Return True if the source is an open pipe that delivers no data within `seconds`. Return
        False in all other cases."""
        if self._pipe is None or self._stream is None or self._pipe.ended:
            return False
        self._pipe.patience = seconds
        try:
            return not self._stream.peek(1) and not self._pipe.ended
        finally:
            self._pipe.patience = None


def _is_compressed(stream: Any) -> bool:
    return not hasattr(stream, "peek") or bool(stream.peek(4).startswith((GZIP, ZSTD)))


class _Pipe(io.RawIOBase):
    """A raw stream that reads from a file descriptor. The caller must close the descriptor.

    `patience` is the longest wait of a read in seconds, or None for a wait without limit. If no
    data arrive in time, the read returns None.
    """

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
            ready, _, _ = select.select([self._descriptor], [], [], self.patience)
            if not ready:
                return None
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        self.ended = not data
        return len(data)
