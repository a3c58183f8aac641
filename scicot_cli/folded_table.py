"""Tables of figures that fit a terminal: a table that is too wide continues in further tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

# Columns into which the names in the first column, and long words of headings, are folded at least.
_NARROW = 12
_GAP = 2  # between columns
_EDGES = 2  # at both sides of a table


@dataclass
class Figures:
    """A table whose first column has names, and whose other columns have figures. All texts are
    Rich markup. `following` are headings that continue the heading before them, such as "60 %"
    after "surest 80 %"; their columns stay in one table."""

    headings: Sequence[str]
    following: Sequence[str] = ()
    rows: list[tuple[Sequence[str], str]] = field(default_factory=list)  # (cells, style)

    def add_row(self, *cells: str, style: str = "") -> None:
        """Add a row. Missing cells at its end are empty."""
        empty = [""] * (len(self.headings) - len(cells))
        self.rows.append(([*cells, *empty], style))

    def tables(self, width: int | None) -> Iterator[Table]:
        """Yield tables of at most `width` columns of the terminal, which together have all columns.
        Each begins with the first column. Names and headings are folded, but never figures. If not
        even one column of figures fits, its table is wider. If `width` is None, yield one table.
        """
        groups: list[list[int]] = []  # indices of columns
        for index, heading in enumerate(self.headings[1:], start=1):
            if width is None or (heading in self.following and groups):
                groups[-1:] = [[*(groups[-1] if groups else []), index]]
            else:
                groups.append([index])
        columns: list[int] = []
        for group in groups:
            if width is not None and columns and self._least([*columns, *group]) > width:
                yield self._table(columns, width)
                columns = []
            columns = [*columns, *group]
        yield self._table(columns, width)

    def _least(self, columns: Sequence[int]) -> int:
        """Return the smallest width of a table of the first column and these columns."""
        return sum(self._narrow(index) + _GAP for index in [0, *columns]) - _GAP + _EDGES

    def _cells(self, index: int) -> list[int]:
        return [_width(cells[index]) for cells, _ in self.rows]

    def _wide(self, index: int) -> int:
        return max([_width(self.headings[index]), *self._cells(index)])

    def _narrow(self, index: int) -> int:
        """Return the smallest width of a column. Figures have their full width."""
        if index == 0:
            return min(self._wide(0), _NARROW)
        words = [_width(word) for word in self.headings[index].split()]
        return max([min(_NARROW, max(words, default=0)), *self._cells(index)])

    def _table(self, columns: Sequence[int], width: int | None) -> Table:
        """Make a table of the first column and these columns. If `width` is None, nothing is
        folded."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        shown = [0, *columns]
        widths = {index: self._wide(index) for index in shown}
        if width is not None:
            spare = max(0, width - self._least(columns))
            for index in [*columns, 0]:  # headings first, since names may be long
                narrow = self._narrow(index)
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
            # A row may have figures in other tables only.
            if len(shown) == len(self.headings) or any(cells[index] for index in columns):
                table.add_row(*(cells[index] for index in shown), style=style)
        return table


def _width(markup: str) -> int:
    return cell_len(Text.from_markup(markup, emoji=False).plain)
