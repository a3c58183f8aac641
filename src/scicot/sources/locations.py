"""Open a source by its name. The name stands for one of these:

- a file
- a folder of shards
- all shards that match a glob pattern, such as "train-*.jsonl"
- standard input, if the name is "-"
- a data set on the Hub, if the name begins with "hf://"
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeGuard

from scicot import standard_input
from scicot.config import ReadingSettings
from scicot.errors import InvalidRow, ScicotError, UsageError
from scicot.formats.mapping import Columns
from scicot.row_fields import Row
from scicot.sources import binary, documents, files, hub, shards
from scicot.sources.entries import Entry
from scicot.sources.stream_tracker import StreamTracker

Source = str | os.PathLike[str]
_PLAIN = ReadingSettings()


def listed(sources: Source | Sequence[Source] | None) -> list[Source]:
    """Return `sources` as a list. A single source gives a list of one, and None gives []."""
    if sources is None:
        return []
    return [sources] if isinstance(sources, str | os.PathLike) else list(sources)


def located_rows(
    source: Source, tracker: StreamTracker | None = None, settings: ReadingSettings = _PLAIN
) -> Iterator[tuple[str, Row]]:
    """Yield (location, row) for each row of a source. The rows are not converted. A location is
    "FILE:LINE", for example, or "FILE[17]" for a row of a JSON array.

    The iterator raises InvalidRow for an invalid row; the next call continues with the next row. It
    raises ScicotError if the source as a whole cannot be read. `tracker` records how far the source
    has been read.
    """
    return _LocatedRows(_entries(os.fspath(source), tracker or StreamTracker(), settings))


class _LocatedRows(Iterator[tuple[str, Row]]):
    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries

    def __next__(self) -> tuple[str, Row]:
        entry = next(self._entries)
        if isinstance(entry, InvalidRow):
            raise entry
        return entry


def _entries(source: str, tracker: StreamTracker, settings: ReadingSettings) -> Iterator[Entry]:
    if not source.strip():  # Path("") is the current directory
        raise UsageError("the name of a file to read is empty; is a variable not set?")
    if source.startswith(hub.PREFIX):
        paths = hub.files_of(source)
        if paths is None:
            yield from hub.entries(source)
        else:
            yield from _entries_of_all(paths, tracker, settings)
        return
    if source == "-":
        data = standard_input.stream()
        if data is None:
            raise ScicotError("<stdin>: closed; nothing can be read from it")
        yield from _stream_entries(data, display_name(source), tracker, settings)
        return
    found = shards.files_of(source)
    if found is None:
        yield from _file_entries(source, source, tracker, settings)
        return
    yield from _entries_of_all([(path, path) for path in found], tracker, settings)


def _entries_of_all(
    paths_and_names: Iterable[tuple[str, str]], tracker: StreamTracker, settings: ReadingSettings
) -> Iterator[Entry]:
    for path, name in paths_and_names:
        # Each file has its own tracker, since a position in one file is no position in the source.
        file_tracker = StreamTracker()
        yield from _file_entries(path, name, file_tracker, settings)
        tracker.notes += file_tracker.notes


def _file_entries(
    path: str, name: str, tracker: StreamTracker, settings: ReadingSettings
) -> Iterator[Entry]:
    with _opened(path) as stream:
        if tracker.skipped is not None:
            yield from documents.json_lines(tracker.watch(stream), name, tracker.skipped.lines)
        else:
            yield from _stream_entries(stream, name, tracker, settings)


def _stream_entries(
    stream: IO[bytes], name: str, tracker: StreamTracker, settings: ReadingSettings
) -> Iterator[Entry]:
    columns = Columns.parse(settings.columns)
    mapped = columns.names if columns is not None else ()
    # A pipe is wrapped by watch() before anything is read, because data that are buffered already
    # would be lost. Binary and re-encoded files are not wrapped, since they are not read by lines.
    if not (_is_regular(stream) and (settings.encoding or binary.is_binary(stream.peek(4)))):
        stream = tracker.watch(stream)
    first = stream.peek(4) if hasattr(stream, "peek") else b""
    if binary.is_binary(first):
        seekable = stream if stream.seekable() else io.BytesIO(stream.read())
        yield from binary.entries(seekable, name, mapped, tracker.notes)
        return
    yield from files.entries(
        stream, name, encoding=settings.encoding, mapped=mapped, notes=tracker.notes
    )


def _is_regular(stream: IO[bytes]) -> TypeGuard[io.BufferedReader]:
    """Return True if a stream reads from a regular file, as standard input does after "< FILE"."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, AttributeError):  # in-memory streams, as tests use for stdin
        return False


@contextmanager
def _opened(source: str) -> Iterator[io.BufferedReader]:
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 (closed below)
    except FileNotFoundError:
        raise ScicotError(f"{source}: no such file") from None
    except IsADirectoryError:
        raise ScicotError(f"{source}: a directory; give a file in it") from None
    except (OSError, ValueError) as error:  # ValueError: the name contains a NUL
        reason = getattr(error, "strerror", None) or error
        raise ScicotError(f"{source}: cannot be read ({reason})") from None
    with stream:
        yield stream


def display_name(source: str) -> str:
    return "<stdin>" if source == "-" else source


def is_rereadable(source: Source) -> bool:
    """Return True if the source can be read twice, that is, if it is neither a pipe nor standard
    input."""
    source = os.fspath(source)
    if source == "-":
        return False
    if source.startswith(hub.PREFIX) or shards.is_pattern(source):
        return True
    try:
        mode = Path(source).stat().st_mode
    except (OSError, ValueError):
        return True  # if it does not exist, reading it reports the error
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def sha256_of(source: Source) -> str | None:
    """Return the SHA-256 of a source, or None for a stream or a data set on the Hub.

    For a file, it is the SHA-256 of the bytes on disk, without decompression. For a folder or a
    pattern, it is the SHA-256 of the list of its files' digests.
    """
    source = os.fspath(source)
    if source.startswith(hub.PREFIX) or not is_rereadable(source):
        return None
    found = shards.files_of(source)
    if found is not None:
        digests = "".join(f"{sha256_of(path)}\n" for path in found)
        return hashlib.sha256(digests.encode()).hexdigest()
    with _opened(source) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
