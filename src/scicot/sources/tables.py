"""Read the records of a CSV or TSV file. A record can have several lines:

id,question,A,B,answer
q1,"Which conducts
electricity?",wood,copper,B

The first line is the header, which holds the column names. The delimiter is a comma, a semicolon or
a tab. A delimiter fits if it splits the header into column names that scicot knows. If several
delimiters fit, the one with the most columns is used.

MMLU's files have no header, but are read too. They are recognised by their first records:
the last cell of each is the letter of a choice.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from string import ascii_uppercase

from scicot.errors import InvalidRow, ScicotError
from scicot.formats import columns
from scicot.reporting import number_of
from scicot.sources.entries import BOM, NOT_UTF8, Entry

_DELIMITERS = ",;\t"
_MAX_RECORDS = 3  # records examined in a file without a header, on at most _MAX_LINES lines
_MAX_LINES = 100
_MAX_CELL = 10_000_000  # maximum length of a cell, in characters
_MAX_NAME = 60  # maximum length of a column's name, in characters


def delimiter_of(header: bytes, mapped: tuple[str, ...] = ()) -> str | None:
    """Return the delimiter of a header line, or None if the line is not the header of a table of
    questions or predictions. `mapped` are the column names given by --columns."""
    text = header.decode(errors="surrogateescape")
    found: dict[str, int] = {}
    for delimiter in _DELIMITERS:
        try:
            names = next(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        if columns.is_header(names, mapped):
            found[delimiter] = len(names)
    return max(found, key=found.__getitem__, default=None)


def likely_header(*lines: bytes) -> tuple[list[str], list[str]] | None:
    """Return (cells of the first record, cells of the second record) if the first record may be a
    header. Return None if the first record has fewer than three cells, or a cell longer than
    _MAX_NAME.

    `lines` are the first lines of a file. Cells that the second record lacks are "".
    """
    texts = [line.decode(errors="replace") for line in lines]
    found: tuple[list[str], list[str]] | None = None
    for delimiter in _DELIMITERS:
        try:
            names, cells = [*csv.reader(texts, delimiter=delimiter, strict=True), [], []][:2]
        except csv.Error:
            continue
        widest = len(found[0]) if found else 2
        if len(names) > widest and all(len(name) <= _MAX_NAME for name in names):
            found = names, cells + [""] * len(names)
    return found


def widest_record(line: bytes) -> list[str]:
    """Return the cells of a line, split by the delimiter that gives the most cells."""
    text, widest = line.decode(errors="replace"), list[str]()
    for delimiter in _DELIMITERS:
        try:
            cells = next(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error:
            continue
        widest = max(widest, cells, key=len)
    return widest


def named_delimiter(line: bytes) -> str | None:
    """Return the delimiter that a line such as "sep=;" names. Return None for any other line. Some
    programs write such a line before a table, for Excel."""
    text = line.strip().strip(b'"').lower()
    if not text.startswith(b"sep=") or len(line.strip()) > len(b'"sep=;"'):
        return None
    return line.strip().strip(b'"')[4:5].decode(errors="replace") or "\t"


def headerless(head: list[bytes], lines: Iterator[bytes]) -> list[str] | None:
    """Return the column names if the file is a table in MMLU's layout, else None. This layout has
    no header; its columns are the question, the choices and the letter of the answer.

    The table begins at the last line of `head` and continues in `lines`. Lines taken from `lines`
    are appended to `head`.
    """
    start = len(head) - 1

    def examined_lines() -> Iterator[str]:
        yield head[start].removeprefix(BOM).decode(errors="surrogateescape")
        for line in islice(lines, _MAX_LINES):
            head.append(line)
            yield line.decode(errors="surrogateescape")

    try:
        records = list(islice(filter(any, _Records(examined_lines())), _MAX_RECORDS))
    except csv.Error:
        return None
    widths = {len(record) for record in records}
    # a list, since "AB" is part of a string "ABC"
    choices = list(ascii_uppercase[: max(widths, default=0) - 2])
    if len(widths) != 1 or len(choices) < 2 or not _is_unicode([c for r in records for c in r]):
        return None
    if not all(record[-1] in choices and all(c.strip() for c in record) for record in records):
        return None
    return ["question", *choices, "answer"]


def entries(
    lines: Iterable[bytes],
    delimiter: str,
    name: str,
    notes: list[str],
    header: Sequence[str] | None = None,
    mapped: Collection[str] = (),
) -> Iterator[Entry]:
    """Yield each record of a table as a row: a dict from column names to strings. For a record that
    cannot be read, yield an InvalidRow.

    `header` has the column names. If `header` is None, the first record has them. Records that are
    not questions, such as headings and totals, are left out (see SparseRecords).

    `name` is the file's name in locations and errors. `mapped` are the column names given by
    --columns. Raises ScicotError if the header is invalid (see `header_of`).
    """
    sparse = SparseRecords(notes, mapped)
    # Invalid UTF-8 is decoded to lone surrogates, so that the error can name the record and the
    # next one can be read.
    text = (line.removeprefix(BOM).decode(errors="surrogateescape") for line in lines)
    reader = _Records(text, delimiter)
    while True:
        # line at which the record begins, since cells may contain line breaks
        where = f"{name}:{reader.line_num + 1}"
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
            header = header_of(cells, where)
        elif not sparse.left_out(header, cells, where):
            yield record_of(header, cells, where)


class _Records(Iterator[list[str]]):
    """The records of a table, with cells of up to _MAX_CELL characters.

    The limit of the module `csv`, usually 131,072, applies to the whole process. It is increased
    and not restored, since another thread may be reading a table.
    """

    def __init__(self, lines: Iterable[str], delimiter: str = ",") -> None:
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    @property
    def line_num(self) -> int:
        return self._reader.line_num

    def __next__(self) -> list[str]:
        return next(self._reader)


class SparseRecords:
    """Detects records of a table that are not questions, such as headings, totals, and rows that
    contain only a number. A sentence with the number of these records is added to `notes`."""

    def __init__(self, notes: list[str], mapped: Collection[str]) -> None:
        self._notes = notes
        self._mapped = mapped  # names given by --columns
        self._note_index: int | None = None  # index of the note in `notes`
        self._count = 0
        self._first = ""

    def left_out(self, header: Sequence[str], cells: Sequence[str], where: str) -> bool:
        """Return True if a record must be left out because it is not a question. Such a record is
        counted. `where` is the record's location."""
        if len(cells) != len(header):
            return False
        filled = {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}
        if not columns.is_sparse(header, filled, self._mapped):
            return False
        self._count += 1
        if self._note_index is None:
            self._note_index, self._first = len(self._notes), where
            self._notes.append("")
        self._notes[self._note_index] = (
            f"{number_of(self._count, 'row')} left out: no question and only one or two filled"
            f" cells, as in headings and totals (first: {self._first})"
        )
        return True


def header_of(cells: Sequence[str], where: str) -> list[str]:
    """Return the column names in the cells of a header. Raises ScicotError if a name occurs twice
    or is not UTF-8."""
    if not _is_unicode(cells):
        raise ScicotError(f"{where}: {NOT_UTF8}")
    names = [cell.strip() for cell in cells]
    duplicates = sorted({name for name in names if name and names.count(name) > 1})
    if duplicates:
        raise ScicotError(f'{where}: two columns are called "{duplicates[0]}"; rename one')
    return names


def record_of(header: Sequence[str], cells: Sequence[str], where: str) -> Entry:
    """Return (location, row) for the cells of a record.

    Return an InvalidRow if the cells are not UTF-8, or if there are more or fewer cells than names
    in `header`.
    """
    if not _is_unicode(cells):
        return InvalidRow(where, NOT_UTF8)
    if len(cells) != len(header):
        count = number_of(len(cells), "cell")
        return InvalidRow(where, f"has {count}, but the header has {len(header)}")
    # Columns without a name (pandas' index, empty columns of a spreadsheet) cannot be fields.
    return where, {name: cell for name, cell in zip(header, cells, strict=True) if name}


def _is_unicode(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
