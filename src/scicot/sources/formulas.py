"""Find formulas of an XLSX workbook that have no stored value.

Spreadsheet programs store the value of each formula beside it. Programs that only write files, such
as openpyxl, store none, so the cell would seem to be empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import IO, Any


class Formulas:
    """Finds the formulas without a stored value in one sheet of a workbook. `stream` contains the
    workbook, and `title` is the name of the sheet."""

    def __init__(self, stream: IO[bytes], title: str) -> None:
        self._stream = stream
        self._title = title

    def problem(self, number: int, row: Sequence[Any], header: Sequence[str] = ()) -> str:
        """Return an error message if a cell in `row` is a formula without a stored value, else "".

        `number` is the number of the row in the sheet, from 1. `header` holds the column names. If
        it is given, cells in columns without a name are not checked.
        """
        for index, value in enumerate(row):
            named = not header or (index < len(header) and header[index])
            if value is None and named and (number, index + 1) in self._without_value:
                from openpyxl.utils import get_column_letter

                return (
                    f"the cell {get_column_letter(index + 1)}{number} holds a formula without a"
                    " stored value; open the file in a spreadsheet program and save it"
                )
        return ""

    # cached, since it reads the sheet again, and only when the first empty cell is checked
    @cached_property
    def _without_value(self) -> frozenset[tuple[int, int]]:
        formulas = {place for place, kind, _ in self._cells(data_only=False) if kind == "f"}
        if not formulas:
            return frozenset()
        # A formula whose value is the empty text has the type "str".
        return frozenset(
            place
            for place, kind, value in self._cells(data_only=True)
            if place in formulas and value is None and kind != "str"
        )

    def _cells(self, *, data_only: bool) -> Iterator[tuple[tuple[int, int], str, Any]]:
        """Yield ((row, column), data type, value) of each non-blank cell of the sheet. The value
        of a formula is its stored value if `data_only` is True, else the formula itself."""
        import openpyxl

        book = openpyxl.load_workbook(self._stream, read_only=True, data_only=data_only)
        sheet = book[self._title]
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(), start=1):
            for column, cell in enumerate(row, start=1):
                if hasattr(cell, "row"):  # blank cells, which are not in the file, have none
                    yield (number, column), cell.data_type, cell.value
