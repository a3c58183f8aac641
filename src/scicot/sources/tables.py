"""The records of a CSV or TSV file with a header, read as its lines arrive.

id,question,A,B,answer
q1,"Which conducts
electricity?",wood,copper,B

The delimiter is the one of , ; and tab under which the header names a question.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from scicot.errors import InvalidRow, ScicotError
from scicot.formats import columns
from scicot.sources.entries import BOM, Entry


def delimiter_of(header: bytes) -> str | None:
    """What stands between the columns; None where the line is not the header of questions."""
    text = header.decode(errors="surrogateescape")
    found: dict[str, int] = {}
    for delimiter in ",;\t":
        try:
            names = next(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        if columns.is_header(names):
            found[delimiter] = len(names)
    return max(found, key=found.__getitem__, default=None)


def entries(lines: Iterable[bytes], delimiter: str, name: str) -> Iterator[Entry]:
    """The rows below the header, each a cell by its column's name, every cell a string."""
    # Bytes that are no UTF-8 are carried along as lone surrogates, so that the record that holds
    # them can be named and the next one read.
    text = (line.removeprefix(BOM).decode(errors="surrogateescape") for line in lines)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        where = f"{name}:{reader.line_num + 1}"  # where the record begins: cells may hold newlines
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield InvalidRow(where, f"not CSV ({error}); is a quotation mark not closed?")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = _header(cells, where)
        else:
            yield _record(header, cells, where)


def _header(cells: list[str], where: str) -> list[str]:
    if not _is_unicode(cells):
        raise ScicotError(f"{where}: not UTF-8 text; save the table as UTF-8")
    names = [cell.strip() for cell in cells]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ScicotError(f'{where}: two columns are called "{twice[0]}"')
    return names


def _record(header: list[str], cells: list[str], where: str) -> Entry:
    if not _is_unicode(cells):
        return InvalidRow(where, "not UTF-8 text")
    if len(cells) != len(header):
        return InvalidRow(where, f"has {len(cells)} cells, the header names {len(header)}")
    # Columns without a name (pandas' index, a spreadsheet's empty ones) cannot be fields.
    return where, {name: cell for name, cell in zip(header, cells, strict=True) if name}


def _is_unicode(cells: list[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
