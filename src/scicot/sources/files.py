"""Read the rows of a text file: JSON lines, other JSON or a table, plain or compressed.

The first bytes of a file show its format. JSON lines and tables are read line by line, so that the
rows of a pipe are available before its end.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import IO, Any, cast

from scicot.errors import InvalidRow, ScicotError
from scicot.formats.suggested_columns import unknown_header
from scicot.jsonl import decode
from scicot.sources import bare_rationales, binary, documents, tables
from scicot.sources.entries import BOM, Entry
from scicot.sources.stream_tracker import GZIP, ZSTD

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 65536
_KIND_BYTES = 100
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table", b"<head", b"<body", b"<meta")
_CR_ONLY = (
    "lines end with carriage returns only, as on old Macs; convert them with `tr '\\r' '\\n'`,"
    " or save the file with other line endings"
)
_PREAMBLE = 10  # lines that may precede the header of a table


def entries(
    stream: IO[bytes],
    name: str,
    *,
    encoding: str = "",
    mapped: tuple[str, ...] = (),
    notes: list[str] | None = None,
) -> Iterator[Entry]:
    """Yield the rows of a text file, and an InvalidRow for each row that cannot be read. `name` is
    the file's name in locations and errors.

    `encoding` defaults to UTF-8. `mapped` are the column names given by --columns. Notes for
    the user, such as the number of records left out, are appended to `notes`. Raises ScicotError if
    the file as a whole cannot be read.
    """
    notes = [] if notes is None else notes
    lines = _lines(stream, name, encoding)
    head: list[bytes] = []  # lines up to the first that is not blank
    for line in lines:
        head.append(line)
        if line.removeprefix(BOM).strip():
            break
    else:
        return
    first_line = head[-1].removeprefix(BOM).strip()
    if first_line.startswith(b"["):
        yield from documents.array(b"".join([*head, *lines]), name)
    elif first_line.startswith(b"{") and b"}\r{" in first_line:
        raise ScicotError(f"{name}: {_CR_ONLY}")
    elif first_line.startswith(b"{"):
        yield from documents.objects(first_line, head, lines, name, notes)
    elif delimiter := tables.named_delimiter(first_line):
        head[-1] = b"\n"  # an empty line, so that line numbers stay correct
        yield from tables.entries(chain(head, lines), delimiter, name, notes, mapped=mapped)
    elif delimiter := tables.delimiter_of(first_line, mapped):
        yield from tables.entries(chain(head, lines), delimiter, name, notes, mapped=mapped)
    else:
        yield from _unrecognised(first_line, head, lines, name, mapped, notes)


def _other_kind(first_line: bytes) -> str:
    """Return an error message for a Git LFS pointer, a web page or a file with Mac line ends; ""
    for any other file."""
    start = first_line[:_KIND_BYTES].lower()
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the file; get the file with `git lfs pull`"
    if start.startswith(_MARKUP):
        return (
            "an HTML or XML page; if it is an error page, download the file again, and if it is a"
            " table, save it as CSV or XLSX"
        )
    return _CR_ONLY if b"\r" in first_line else ""


def _lines(stream: IO[bytes], name: str, encoding: str) -> Iterator[bytes]:
    """Yield the lines of a file, decompressed and in UTF-8. Raises ScicotError if the file is
    binary or damaged."""
    try:
        decompressed = _unzipped(stream, name)
        if encoding and _is_json(decompressed):
            # --encoding may be meant for a table that is read together with UTF-8 files of scicot.
            yield from _json_recoded(decompressed, name, encoding)
            return
        if encoding:
            yield from _recoded(cast("IO[bytes]", decompressed), name, encoding)
            return
        first_line = decompressed.readline(_HEAD)
        if first_line.startswith(_UTF16):
            raise ScicotError(f"{name}: UTF-16 text; add --encoding utf-16, or save it as UTF-8")
        if b"\0" in first_line:
            raise ScicotError(f"{name}: {_binary_kind(name)}")
        if first_line and not first_line.endswith(b"\n"):
            first_line += decompressed.readline()
        if first_line:
            yield first_line
        yield from decompressed
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ScicotError(f"{name}: the gzip data is damaged or cut short") from None
    except OSError as error:
        raise ScicotError(f"{name}: {error.strerror or error}") from None


def _binary_kind(name: str) -> str:
    """Return the error message for a binary file called `name`. The message says what kind of file
    this is, judging by its name."""
    if name.endswith(".arrow"):
        return (
            "an Arrow file, which is not supported; convert it in Python:"
            f' datasets.Dataset.from_file({name!r}).to_parquet("rows.parquet")'
        )
    return "a binary file; expected JSONL, JSON, CSV, XLSX or Parquet"


def _is_json(stream: Any) -> bool:
    """Return True if a stream begins like JSON in UTF-8 or in another encoding that extends
    ASCII."""
    start = stream.peek(_HEAD).removeprefix(BOM).lstrip() if hasattr(stream, "peek") else b""
    return start[:1] in (b"{", b"[") and b"\0" not in start[:2]


def _json_recoded(stream: Iterable[bytes], name: str, encoding: str) -> Iterator[bytes]:
    """Yield the lines of a JSON file, converted to UTF-8. Lines that are valid UTF-8 stay as they
    are, and the others are decoded with `encoding`. Raises ScicotError if a line is in neither
    encoding."""
    for line in stream:
        try:
            line.decode()
            yield line
        except UnicodeDecodeError:
            yield from _recoded(io.BytesIO(line), name, encoding)


def _recoded(stream: IO[bytes], name: str, encoding: str) -> Iterator[bytes]:
    """Yield the lines of a text in `encoding`, converted to UTF-8. Raises ScicotError if the text
    is not in this encoding."""
    text = io.TextIOWrapper(stream, encoding, newline="\n")
    try:
        for line in text:
            yield line.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        reason = getattr(error, "reason", None) or error
        raise ScicotError(
            f"{name}: not {encoding} text ({reason}); give another --encoding"
        ) from None
    finally:
        # otherwise closing `text` would close the caller's stream, with a ResourceWarning
        text.detach()


def _unzipped(stream: IO[bytes], name: str) -> io.BufferedIOBase:
    # peek() is used because a pipe cannot be rewound. Some in-memory streams lack it.
    raw = cast(Any, stream)
    buffered: io.BufferedReader = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    first_bytes = buffered.peek(4)
    if first_bytes.startswith(ZSTD):
        return binary.unzipped(buffered, name)
    return gzip.GzipFile(fileobj=buffered) if first_bytes.startswith(GZIP) else buffered


def _unrecognised(
    first_line: bytes,
    head: list[bytes],
    lines: Iterator[bytes],
    name: str,
    mapped: tuple[str, ...],
    notes: list[str],
) -> Iterator[Entry]:
    """Read a file whose first line is not a known header and begins with neither "{" nor "[".

    The first case that applies decides:

    1. The first line is not UTF-8, or is a JSON value such as a number: read JSON lines. The first
       line gives an InvalidRow.
    2. The file is a table in MMLU's layout, which has no header: read this table.
    3. The file is of another kind, such as a web page (see `_other_kind`): raise ScicotError.
    4. One of the next _PREAMBLE lines is a known header with at least three columns: read the table
       that begins there.
    5. The first line looks like a header, but names no question column: raise ScicotError.
    6. Otherwise yield an InvalidRow for the first line, and read the rest as JSON lines.

    `first_line`, `head` and `lines` are as in the function `documents.objects`.
    """
    first_number = len(head)
    try:
        decode(first_line.decode())
    except UnicodeDecodeError:
        pass  # reported when the line is read
    except ValueError:
        names = tables.headerless(head, lines)
        if names is not None:
            notes.append(f"{name}: has no header; read as {', '.join(names)} (MMLU's layout)")
            yield from tables.entries(chain(head, lines), ",", name, notes, names)
            return
        kind = _other_kind(first_line)
        if kind:
            raise ScicotError(f"{name}: {kind}") from None
        search_end = first_number + _PREAMBLE
        head += islice(lines, max(0, search_end - len(head)))
        for index in range(first_number, min(search_end, len(head))):
            delimiter = tables.delimiter_of(head[index].strip(), mapped)
            if delimiter and head[index].count(delimiter.encode()) > 1:
                notes.append(
                    f"{name}: the header is in line {index + 1}; the lines before it are left out"
                )
                # empty lines, so that line numbers stay correct
                rest = [b"\n"] * index + head[index:]
                yield from tables.entries(chain(rest, lines), delimiter, name, notes, mapped=mapped)
                return
        advice = bare_rationales.advice_for(tables.widest_record(first_line), name)
        if advice:
            raise ScicotError(f"{name}: {advice}") from None
        likely_header = tables.likely_header(first_line, *head[first_number : first_number + 1])
        if likely_header:
            raise ScicotError(f"{name}:{first_number}: {unknown_header(*likely_header)}") from None
        problem = (
            'neither JSON nor a CSV header with a column "question" (or "id" and "prediction"); if'
            " the file is CSV, name its columns with --columns"
        )
        yield InvalidRow(f"{name}:{first_number}", problem)
        head = [b"\n"] * first_number + head[
            first_number:
        ]  # empty lines, so that line numbers stay correct
    yield from documents.json_lines(chain(head, lines), name)
