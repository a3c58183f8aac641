"""Fit a wide table of numbers to a terminal, by dividing its columns among several tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

# The first column, and long words of headings, are folded to no fewer characters than this.
_NARROW = 12
_GAP = 2  # between columns
_EDGES = 2  # at both sides of a table


@dataclass
class WideTable:
    """A table of numbers whose first column has names. All texts are Rich markup.

    The table may be printed as several tables. A column whose heading is in `following` always
    stays beside the column before it. For example, the heading "60 %" must stay beside the heading
    "surest 80 %", because it is short for "surest 60 %".
    """

    headings: Sequence[str]
    following: Sequence[str] = ()
    rows: list[tuple[Sequence[str], str]] = field(default_factory=list)  # (cells, style)

    def add_row(self, *cells: str, style: str = "") -> None:
        """Add a row. Missing cells at its end are empty."""
        empty = [""] * (len(self.headings) - len(cells))
        self.rows.append(([*cells, *empty], style))

    def tables(self, width: int | None) -> Iterator[Table]:
        """Yield one or several tables that together have all columns.

        Each table begins with the first column (the names), and is at most `width` characters wide.
        Only a table that cannot be divided further may be wider. Names and headings are wrapped if
        necessary, but numbers never are. If `width` is None, yield a single table without wrapping.
        """
        groups: list[list[int]] = []  # indices of columns
        for index, heading in enumerate(self.headings[1:], start=1):
            if width is None or (heading in self.following and groups):
                groups[-1:] = [[*(groups[-1] if groups else []), index]]
            else:
                groups.append([index])
        columns: list[int] = []
        for group in groups:
            if width is not None and columns and self._least_width([*columns, *group]) > width:
                yield self._table(columns, width)
                columns = []
            columns = [*columns, *group]
        yield self._table(columns, width)

    def _least_width(self, columns: Sequence[int]) -> int:
        """Return the smallest possible width of a table of the first column and `columns`."""
        return sum(self._narrow_width(index) + _GAP for index in [0, *columns]) - _GAP + _EDGES

    def _cells(self, index: int) -> list[int]:
        return [_width(cells[index]) for cells, _ in self.rows]

    def _full_width(self, index: int) -> int:
        return max([_width(self.headings[index]), *self._cells(index)])

    def _narrow_width(self, index: int) -> int:
        """Return the smallest width of a column.

        - The first column: _NARROW, or its full width if that is smaller.
        - Other columns: the width of the longest number or of the longest word in the heading,
          whichever is larger. A word counts as at most _NARROW characters.
        """
        if index == 0:
            return min(self._full_width(0), _NARROW)
        words = [_width(word) for word in self.headings[index].split()]
        return max([min(_NARROW, max(words, default=0)), *self._cells(index)])

    def _table(self, columns: Sequence[int], width: int | None) -> Table:
        """Make a table of the first column and `columns`. Names and headings are wrapped to fit
        into `width` characters. If `width` is None, nothing is wrapped."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        shown = [0, *columns]
        widths = {index: self._full_width(index) for index in shown}
        if width is not None:
            spare = max(0, width - self._least_width(columns))
            for index in [*columns, 0]:  # headings first, since names may be long
                narrow = self._narrow_width(index)
                more = widths[index] - narrow
                widths[index] = narrow + (min(more, spare) if not index or more <= spare else 0)
                spare -= widths[index] - narrow
        for index in shown:
            table.add_column(
                self.headings[index],
                justify="right" if index else "left",
                overflow="fold",
                width=widths[index],
            )
        for cells, style in self.rows:
            # A row may have numbers only in other tables.
            if len(shown) == len(self.headings) or any(cells[index] for index in columns):
                table.add_row(*(cells[index] for index in shown), style=style)
        return table


def _width(markup: str) -> int:
    return cell_len(Text.from_markup(markup, emoji=False).plain)
