"""What a file is, by its first bytes: JSON lines, other JSON or a table, each plain or gzipped.

JSON lines and tables are read as they arrive, line by line, so that the reader of a pipe need not
wait for its end.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any, cast

from scicot.errors import InvalidRow, ScicotError
from scicot.jsonl import decode
from scicot.sources import documents, tables
from scicot.sources.arrival import GZIP
from scicot.sources.entries import BOM, Entry

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 65536


def entries(stream: IO[bytes], name: str) -> Iterator[Entry]:
    """All that a file holds; raises ScicotError where the file as a whole cannot be read."""
    lines = _lines(stream, name)
    head: list[bytes] = []  # up to the first line that is not blank
    for line in lines:
        head.append(line)
        if line.removeprefix(BOM).strip():
            break
    else:
        return
    first = head[-1].removeprefix(BOM).strip()
    if first.startswith(b"["):
        yield from documents.array(b"".join([*head, *lines]), name)
    elif first.startswith(b"{"):
        yield from documents.objects(first, head, lines, name)
    elif delimiter := tables.delimiter_of(first):
        yield from tables.entries(chain(head, lines), delimiter, name)
    else:
        yield from _neither(first, head, lines, name)


def _lines(stream: IO[bytes], name: str) -> Iterator[bytes]:
    """The lines, unzipped; a file that is not text is refused before much of it is read."""
    try:
        plain = _unzipped(stream)
        first = plain.readline(_HEAD)
        if first.startswith(_UTF16):
            raise ScicotError(f"{name}: UTF-16 text; save it as UTF-8")
        if b"\0" in first:
            raise ScicotError(f"{name}: a binary file; expected JSONL, JSON or CSV")
        if first and not first.endswith(b"\n"):
            first += plain.readline()
        if first:
            yield first
        yield from plain
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ScicotError(f"{name}: the gzip data is damaged or cut short") from None
    except OSError as error:
        raise ScicotError(f"{name}: {error.strerror or error}") from None


def _unzipped(stream: IO[bytes]) -> io.BufferedIOBase:
    # Looked at and not read: a pipe cannot be wound back. What cannot peek stands in for a file.
    raw = cast(Any, stream)
    buffered: io.BufferedReader = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2).startswith(GZIP) else buffered


def _neither(first: bytes, head: list[bytes], lines: Iterator[bytes], name: str) -> Iterator[Entry]:
    """A first line that begins no object and is no table's header: said once, then JSON lines."""
    try:
        decode(first.decode())
    except UnicodeDecodeError:
        pass  # which the lines' reader says
    except ValueError:
        problem = (
            'not JSON, and no CSV header either (that names a column "question", or "id" and'
            ' "prediction")'
        )
        yield InvalidRow(f"{name}:{len(head)}", problem)
        head = [b"\n"] * len(head)  # keeps the count of lines
    yield from documents.json_lines(chain(head, lines), name)
