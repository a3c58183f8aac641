"""Read binary files: Parquet, XLSX, Inspect logs (.eval), and zstd-compressed text.

The format of a file is recognised by its first bytes, not by its name.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import IO, Any

from scicot.errors import InvalidRow, ScicotError
from scicot.formats import columns
from scicot.formats.suggested_columns import unknown_header
from scicot.sources import tables
from scicot.sources.entries import Entry
from scicot.sources.formulas import Formulas
from scicot.text import error_line

_PARQUET, _ZIP = b"PAR1", b"PK\x03\x04"
# rows of a sheet that are searched for the header, which may follow titles and notes
_HEADER_ROWS = 20
_BATCH = 1024  # rows of a Parquet file decoded at a time
# Fields of an Inspect sample that are used; its events may take megabytes.
_SAMPLE_FIELDS = ("id", "epoch", "input", "choices", "target", "output", "scores", "error")


def is_binary(first_bytes: bytes) -> bool:
    """Return True if a file's first bytes are those of a Parquet or ZIP file."""
    return first_bytes.startswith((_PARQUET, _ZIP))


def entries(
    stream: IO[bytes], name: str, mapped: tuple[str, ...], notes: list[str]
) -> Iterator[Entry]:
    """Yield the rows of a Parquet file, an XLSX workbook or an Inspect log. For a row that cannot
    be read, yield an InvalidRow.

    `stream` must be seekable. `name` is the file's name in locations and errors. `mapped` are the
    column names given by --columns. Sentences about parts that are left out, such as a sheet
    without a header, are appended to `notes`. Raises ScicotError if the file as a whole cannot be
    read.
    """
    first_bytes = stream.read(len(_PARQUET))
    stream.seek(0)
    if first_bytes == _PARQUET:
        yield from _parquet(stream, name)
        return
    try:
        members = zipfile.ZipFile(stream).namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ScicotError(f"{name}: a damaged ZIP file ({error_line(error)})") from None
    stream.seek(0)
    if "xl/workbook.xml" in members:
        yield from _workbook(stream, name, mapped, notes)
    elif any(member.startswith("samples/") for member in members):
        yield from _inspect_log(stream, name)
    else:
        raise ScicotError(f"{name}: a ZIP archive; unpack it and give the file inside")


def unzipped(stream: IO[bytes], name: str) -> io.BufferedReader:
    """Return a reader of the decompressed text of a zstd stream. If the data are damaged, reading
    raises ScicotError with `name`, the name of the file."""
    import pyarrow

    return io.BufferedReader(_Zstd(pyarrow.input_stream(stream, compression="zstd"), name), 1 << 16)


class _Zstd(io.RawIOBase):
    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._stream.read(len(buffer))
        except OSError:
            raise ScicotError(f"{self._name}: the zstd data is damaged or cut short") from None
        buffer[: len(data)] = data
        return len(data)


def _parquet(stream: IO[bytes], name: str) -> Iterator[Entry]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(stream).iter_batches(_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield f"{name}:{number}", {key: json_value(value) for key, value in row.items()}
    except (pyarrow.ArrowException, OSError) as error:
        raise ScicotError(f"{name}: cannot be read as Parquet ({error_line(error)})") from None


def json_value(value: Any) -> Any:
    """Convert a value from a table to JSON types. NaN and infinities become None. Bytes are read as
    UTF-8, since Parquet files may store text as bytes. Values of other types become strings."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        # Numeric tables mark empty cells by NaN.
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return str(value)
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    if hasattr(value, "tolist"):  # a NumPy array or number
        return json_value(value.tolist())
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)


def _workbook(
    stream: IO[bytes], name: str, mapped: tuple[str, ...], notes: list[str]
) -> Iterator[Entry]:
    try:
        import openpyxl
    except ImportError:
        raise ScicotError(
            f"{name}: spreadsheets need a package: pip install 'scicot[tables]' (or save it as CSV)"
        ) from None
    with _damage_as_error(name):
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    tables_found, header_message = 0, ""
    for sheet in book.worksheets:
        # some programs write wrong dimensions, and rows outside them would be skipped
        sheet.reset_dimensions()
        rows = enumerate(_rows_of(sheet, name), start=1)
        formulas = Formulas(stream, sheet.title)
        header, widest = _header(rows, f"{name}[{sheet.title}]", mapped, formulas)
        if header is not None:
            tables_found += 1
            yield from _sheet(rows, header, f"{name}[{sheet.title}]", notes, mapped, formulas)
        elif widest:
            if len(widest[0]) > 2 and not header_message:
                header_message = f"{name}[{sheet.title}]: {unknown_header(*widest)}"
            notes.append(
                f"{name}: sheet {sheet.title!r} left out: no header in its first"
                f" {_HEADER_ROWS} rows"
            )
    if not tables_found:
        raise ScicotError(
            header_message
            or f"{name}: none of the first {_HEADER_ROWS} rows of any sheet has a column"
            " 'question'; name the columns with --columns"
        )


@contextmanager
def _damage_as_error(name: str) -> Iterator[None]:
    """Convert any exception in the `with` block to a ScicotError that says that the workbook `name`
    cannot be read. On damaged files openpyxl raises exceptions of many types."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (zipfile's, XML's and openpyxl's own)
        raise ScicotError(f"{name}: cannot be read as XLSX ({error_line(error)})") from None


def _rows_of(sheet: Any, name: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a sheet as tuples of cell values. Raises ScicotError at a damaged row."""
    with _damage_as_error(name):
        rows = sheet.iter_rows(values_only=True)
    while True:
        # damage is noticed only here, since a sheet is decompressed while its rows are read
        with _damage_as_error(name):
            row = next(rows, None)
        if row is None:
            return
        yield row


def _header(
    rows: Iterator[tuple[int, tuple[Any, ...]]],
    name: str,
    mapped: tuple[str, ...],
    formulas: Formulas,
) -> tuple[list[str] | None, list[list[str]]]:
    """Return (column names, []) if one of the first _HEADER_ROWS rows of a sheet is a header.
    Otherwise return (None, rows for the error message).

    The error message shows the row with the most filled cells and the row after it. For a sheet
    whose first rows are all empty, return (None, []).
    """
    examined: list[list[str]] = []
    for number, row in rows:
        names = [_cell(value).strip() for value in row]
        if columns.is_header(names, mapped):
            with _damage_as_error(name):
                problem = formulas.problem(number, row)
            if problem:
                raise ScicotError(f"{name}:{number}: {problem}")
            return tables.header_of(names, f"{name}:{number}"), []
        examined.append(names)
        if number >= _HEADER_ROWS:
            break
    filled = [sum(map(bool, names)) for names in examined]
    if not any(filled):
        return None, []
    widest = filled.index(max(filled))
    return None, [*examined, []][widest : widest + 2]


def _sheet(
    rows: Iterator[tuple[int, tuple[Any, ...]]],
    header: list[str],
    name: str,
    notes: list[str],
    mapped: tuple[str, ...],
    formulas: Formulas,
) -> Iterator[Entry]:
    sparse = tables.SparseRecords(notes, mapped)
    for number, row in rows:
        cells = [_cell(value) for value in row]
        if any(cell.strip() for cell in cells):
            cells += [""] * (len(header) - len(cells))
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            if sparse.left_out(header, cells, f"{name}:{number}"):
                continue
            with _damage_as_error(name):
                problem = formulas.problem(number, row, header)
            if problem:
                yield InvalidRow(f"{name}:{number}", problem)
            else:
                yield tables.record_of(header, cells, f"{name}:{number}")


def _cell(value: Any) -> str:
    """Return the value of a cell as the text that a CSV file would have for it."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _inspect_log(stream: IO[bytes], name: str) -> Iterator[Entry]:
    """Yield the samples of an Inspect log. The log is a ZIP archive with one JSON file for each
    sample. For a file that is not a JSON object, yield an InvalidRow."""
    with zipfile.ZipFile(stream) as archive:
        for member in archive.namelist():
            if not member.startswith("samples/") or not member.endswith(".json"):
                continue
            where = f"{name}[{member}]"
            try:
                sample = json.loads(archive.read(member), parse_constant=lambda _: None)
            except (ValueError, RecursionError):
                yield InvalidRow(where, "not JSON")
            except (NotImplementedError, zipfile.BadZipFile, OSError) as error:
                raise ScicotError(
                    f"{where}: cannot be unpacked ({error_line(error)}); convert the log with"
                    " `inspect log convert --to json`"
                ) from None
            else:
                yield (
                    (where, sample_of(sample))
                    if isinstance(sample, dict)
                    else InvalidRow(where, "not a JSON object")
                )


def sample_of(sample: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of an Inspect sample that has only the fields in `_SAMPLE_FIELDS`."""
    return {name: sample[name] for name in _SAMPLE_FIELDS if name in sample}
