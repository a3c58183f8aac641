"""A source by its name: a file, "-" for standard input, or a data set on the Hub (hf://...)."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scicot import standard_input
from scicot.errors import InvalidRow, ScicotError
from scicot.row_fields import Row
from scicot.sources import documents, files, hub
from scicot.sources.arrival import Arrival
from scicot.sources.entries import Entry

Source = str | os.PathLike[str]


def located_rows(source: Source, arrival: Arrival | None = None) -> Iterator[tuple[str, Row]]:
    """("FILE:LINE", row as it stands there) for each row of a source; an array gives "FILE[17]".

    Raises InvalidRow for what is no row, and goes on with the next one when asked again; raises
    ScicotError where the source as a whole cannot be read. `arrival` can tell of a pipe whether its
    next row is there.
    """
    return _Located(_entries(os.fspath(source), arrival or Arrival()))


class _Located(Iterator[tuple[str, Row]]):
    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries

    def __next__(self) -> tuple[str, Row]:
        entry = next(self._entries)
        if isinstance(entry, InvalidRow):
            raise entry
        return entry


def _entries(source: str, arrival: Arrival) -> Iterator[Entry]:
    if source.startswith(hub.PREFIX):
        yield from hub.entries(source)
    elif source == "-":
        data = standard_input.stream()
        if data is None:
            raise ScicotError("<stdin>: closed; nothing can be read from it")
        yield from files.entries(arrival.watch(data), display_name(source))
    else:
        with _opened(source) as stream:
            watched = arrival.watch(stream)
            if arrival.after is None:
                yield from files.entries(watched, source)
            else:
                yield from documents.json_lines(watched, source, arrival.after.lines)


@contextmanager
def _opened(source: str) -> Iterator[io.BufferedReader]:
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 (closed below)
    except FileNotFoundError:
        raise ScicotError(f"{source}: no such file") from None
    except IsADirectoryError:
        raise ScicotError(f"{source}: a directory; give a file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ScicotError(f"{source}: cannot be read ({reason})") from None
    with stream:
        yield stream


def display_name(source: str) -> str:
    return "<stdin>" if source == "-" else source


def is_rereadable(source: Source) -> bool:
    """Whether a second reading finds the same rows: not so for pipes and standard input."""
    source = os.fspath(source)
    if source == "-":
        return False
    if source.startswith(hub.PREFIX):
        return True
    try:
        mode = Path(source).stat().st_mode
    except (OSError, ValueError):
        return True  # as much as it can be read at all, which reading will tell
    return stat.S_ISREG(mode)


def sha256_of(source: Source) -> str | None:
    """The digest of a file's bytes as they are stored; None for streams and for the Hub."""
    source = os.fspath(source)
    if source.startswith(hub.PREFIX) or not is_rereadable(source):
        return None
    with _opened(source) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
