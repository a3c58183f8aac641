"""Read and write JSON lines: decode strictly, read with line numbers, append whole lines, and
replace whole files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

import jsonlines
import msgspec

from scicot import abandoned
from scicot.errors import InvalidRow
from scicot.row_fields import Row


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(f"{number} is too large a number")
    return value


# msgspec parses three times as fast as `json`, and with the same result; it rejects NaN and numbers
# that would be infinite, which could not be written again. What it rejects is parsed a second time
# by `json`, which accepts lone surrogates and says in which column a line is wrong.
_parse = msgspec.json.Decoder().decode
_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
# Built once, since json.dumps builds one for every row.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

# Maximum nesting of lists and objects. Python's own limit depends on the depth of the call stack,
# so a row that can be read in one place might fail to be written in another.
MAX_DEPTH = 100
_EXTRA_LEVELS = 10  # levels of nesting that scicot's own files may add to those of a row
_TOO_DEEP = f"nested too deeply (more than {MAX_DEPTH} levels)"


def decode(text: str | bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Parse one JSON value. Raises ValueError for anything that is not JSON, including NaN and
    Infinity, and for values nested deeper than `max_depth` levels."""
    if not isinstance(text, str):
        text = text.decode()
    try:
        value = _parse(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        value = _parse_with_json(text)
    # A cheap check that suffices for nearly all texts.
    if text.count("{") + text.count("[") > max_depth and _is_deeper(value, max_depth):
        raise ValueError(_TOO_DEEP)
    return value


def _parse_with_json(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _is_deeper(value: Any, max_depth: int) -> bool:
    """Return True if lists and objects are nested more than `max_depth` levels deep."""
    level = [value]
    for _ in range(max_depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def encode(row: Mapping[str, Any]) -> bytes:
    """Encode a row as one line of JSON in UTF-8, with its line break. Raises ValueError for NaN and
    Infinity."""
    try:
        return _encode(row).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, which JSON can express and UTF-8 cannot
        return json.dumps(row, allow_nan=False).encode() + b"\n"


def decode_lines(
    lines: Iterable[bytes], name: str, after: int = 0, max_depth: int = MAX_DEPTH
) -> Iterator[tuple[str, Row]]:
    """Yield ("NAME:LINE", row) for each line that is not blank. Line numbers continue from `after`,
    the number of earlier lines.

    The iterator raises InvalidRow for a line that is not a JSON object. It can then be continued
    with the next line, so callers may skip rows.
    """
    return _LineDecoder(lines, name, after, max_depth)


class _LineDecoder(Iterator[tuple[str, Row]]):
    def __init__(self, lines: Iterable[bytes], name: str, after: int, max_depth: int) -> None:
        self._name = name
        self._number = after
        loads = decode if max_depth == MAX_DEPTH else partial(decode, max_depth=max_depth)
        self._reader = jsonlines.Reader(self._counted(lines), loads=loads)

    def _counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            self._number += 1
            yield line.removeprefix(b"\xef\xbb\xbf") if self._number == 1 else line

    def __next__(self) -> tuple[str, Row]:
        try:
            row = self._reader.read(type=dict, skip_empty=True)
        except EOFError:
            raise StopIteration from None
        except jsonlines.InvalidLineError as error:
            raise InvalidRow(f"{self._name}:{self._number}", _reason(error)) from None
        return f"{self._name}:{self._number}", row


def _reason(error: jsonlines.InvalidLineError) -> str:
    cause = error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return f"not JSON ({cause.msg} at column {cause.colno})"
    if isinstance(cause, UnicodeDecodeError):
        return "not UTF-8 text"
    if cause is not None:
        return f"not JSON ({cause})"
    return "not a JSON object"


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a stream for the new contents of the file `path`. They replace the old ones atomically
    if the `with` block ends without an exception.

    The contents are written to a temporary file, synced and renamed, so a crash leaves the old file
    or the new one. Temporary files left by killed processes are removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    abandoned.discard(path.parent, f".{path.name}.")
    handle, temporary = abandoned.temporary_file(path.parent, f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            os.fchmod(stream.fileno(), 0o666 & ~umask())
            # The temporary file is renamed while it is locked, so that no other process removes it
            # as abandoned.
            os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


class Appender:
    """A file to which whole lines are appended (see `appending`). `end` is the size of the file in
    bytes, and so the byte offset of the next line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    def write(self, line: bytes) -> int:
        """Append a line, flush it to the operating system, and return the byte offset at which it
        begins."""
        begin = self.end
        self._stream.write(line)
        self._stream.flush()
        self.end += len(line)
        return begin

    @contextmanager
    def replacing(self) -> Iterator[IO[bytes]]:
        """Yield a stream for new contents of the file. The new contents replace the old ones
        atomically if the `with` block ends without an exception. After the block, `write`
        appends lines to the new contents."""
        with replacing(self.path) as stream:
            yield stream
        self.close()
        self._open()

    def close(self) -> None:
        self._stream.close()

    def _open(self) -> None:
        self._stream = self.path.open("ab")
        self.end = self._stream.tell()


@contextmanager
def appending(path: Path) -> Iterator[Appender]:
    """Open a file to append lines to it, and create it if needed. An incomplete last line is
    removed first."""
    path.open("ab").close()
    mend_last_line(path)
    appender = Appender(path)
    try:
        yield appender
    finally:
        appender.close()


@dataclass(frozen=True, slots=True)
class LocatedRow:
    """A row with its location in a file: `where` is FILE:LINE; `begin` and `end` are the byte
    offsets of its line."""

    where: str
    begin: int
    end: int
    row: Row


def rows_from(path: Path, start: int) -> Iterator[LocatedRow]:
    """Yield the rows of a file from the byte offset `start`, at which a line must begin. A last
    line without a line break is ignored, since it is incomplete.

    Raises InvalidRow for a line that is not a JSON object. Line numbers, in this error and in
    `LocatedRow.where`, begin with 1 at `start`.
    """
    begin = end = start

    def lines(stream: IO[bytes]) -> Iterator[bytes]:
        nonlocal begin, end
        for line in stream:
            if not line.endswith(b"\n"):
                return
            begin, end = end, end + len(line)
            yield line

    with path.open("rb") as stream:
        stream.seek(start)
        max_depth = MAX_DEPTH + _EXTRA_LEVELS
        for where, row in decode_lines(lines(stream), str(path), max_depth=max_depth):
            yield LocatedRow(where, begin, end, row)


def write_text(path: Path, text: str) -> None:
    """Replace the contents of the file `path` with this text, atomically."""
    with replacing(path) as stream:
        # A file name that is not valid UTF-8 is escaped; JSON decodes it again.
        stream.write(text.encode("utf-8", "backslashreplace"))


def mend_last_line(path: Path) -> bool:
    """Remove the last line of a file if it has no line break, since a killed process left it
    incomplete. Return True if a line was removed."""
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        kept_size = size
        while kept_size > 0:
            start = max(0, kept_size - 65536)
            stream.seek(start)
            block = stream.read(kept_size - start)
            line_break = block.rfind(b"\n")
            if line_break >= 0:
                kept_size = start + line_break + 1
                break
            kept_size = start
        if kept_size == size:
            return False
        stream.truncate(kept_size)
        return True


def umask() -> int:
    """Return the process's umask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
