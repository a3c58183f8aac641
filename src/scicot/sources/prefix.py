"""Skip the beginning of a JSON lines file, if an earlier run has processed it.

A run records a Prefix: the part of the file that has been processed. A resumed run skips this part
if the digest of the part has not changed. Hashing a row is a hundred times faster than parsing it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scicot.errors import ScicotError
from scicot.jsonl import decode
from scicot.sources.documents import is_keyed

_BLOCK = 1 << 20
# Hashing many lines at once is faster than hashing each line. Lines are collected until there are
# _HASHED_LINES of them, or until a line has at least _HASHED_BYTES. The second limit saves memory.
_HASHED_LINES, _HASHED_BYTES = 64, 1 << 18


@dataclass(frozen=True, slots=True)
class Prefix:
    """The part of a JSON lines file that has been processed: the first `lines` lines. `bytes` is
    the number of bytes in these lines. `digest` is the hexadecimal BLAKE2b digest of these
    bytes."""

    bytes: int
    digest: str
    lines: int
    rows: int  # number of records that were made from these lines

    def begins(self, source: str) -> bool:
        """Return True if `source` is a file of JSON lines that begins with this prefix. The bytes
        are compared by their digest."""
        path = Path(source)
        if not path.is_file() or path.stat().st_size < self.bytes:
            return False
        digest = hashlib.blake2b(digest_size=16)
        with path.open("rb") as stream:
            if not _is_json_lines(stream.readline()):
                return False
            stream.seek(0)
            remaining = self.bytes
            while remaining:
                block = stream.read(min(remaining, _BLOCK))
                if not block:  # the file was cut off meanwhile
                    return False
                digest.update(block)
                remaining -= len(block)
        return digest.hexdigest() == self.digest


class CountingReader(io.RawIOBase):
    """Reads the lines of `stream`. Counts the lines and bytes that were read, and hashes the bytes.

    `skipped` is the prefix to skip, or None. The constructor reads, counts and hashes this prefix,
    so callers get only the lines after it.
    """

    def __init__(self, stream: IO[bytes], skipped: Prefix | None) -> None:
        self._stream: Any = stream
        self._digest = hashlib.blake2b(digest_size=16)
        self._lines = self._bytes = 0
        self._pending: list[bytes] = []  # lines that are not counted and hashed yet
        if skipped is not None:
            while self._bytes < skipped.bytes:
                block = stream.read(min(skipped.bytes - self._bytes, _BLOCK))
                if not block:
                    raise ScicotError(
                        "the input became shorter while it was read; run the command again"
                    )
                self._digest.update(block)
                self._bytes += len(block)
            self._lines = skipped.lines

    def prefix(self, records: int) -> Prefix:
        """Return the part of the file before the current position. `records` is the number of
        records that were made from this part."""
        self._count()
        return Prefix(self._bytes, self._digest.hexdigest(), self._lines, records)

    def peek(self, size: int = 0) -> bytes:
        data: bytes = self._stream.peek(size)
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        line: bytes = self._stream.readline(-1 if size is None else size)
        self._pending.append(line)
        self._count()
        return line

    def __iter__(self) -> Iterator[bytes]:
        pending = self._pending
        for line in self._stream:
            pending.append(line)
            if len(pending) >= _HASHED_LINES or len(line) >= _HASHED_BYTES:
                self._count()
            yield line

    def _count(self) -> None:
        block = b"".join(self._pending)
        self._pending.clear()
        self._digest.update(block)
        self._bytes += len(block)
        self._lines += block.count(b"\n")


def _is_json_lines(first: bytes) -> bool:
    try:
        value = decode(first)
    except ValueError:
        return False
    return isinstance(value, dict) and not is_keyed(value)
