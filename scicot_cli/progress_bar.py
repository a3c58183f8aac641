"""The progress bar on a terminal."""

from __future__ import annotations

from rich.console import Console, ConsoleDimensions
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column


def progress_bar() -> Progress:
    """Return a progress bar that is drawn on stderr and erased when it is stopped."""
    # On narrow terminals only the figures are wrapped over several lines.
    unwrapped = Column(no_wrap=True)
    return Progress(
        TextColumn("{task.description}", table_column=unwrapped),
        BarColumn(bar_width=None, table_column=Column(min_width=8, ratio=1)),
        MofNCompleteColumn(table_column=unwrapped),
        TimeElapsedColumn(table_column=unwrapped),
        TextColumn("left", table_column=unwrapped),
        TimeRemainingColumn(table_column=unwrapped),
        TextColumn("{task.fields[figures]}", table_column=Column(ratio=3)),
        expand=True,
        console=_BarConsole(stderr=True, emoji=False),
        transient=True,
    )


class _BarConsole(Console):
    """A console that is two columns narrower than the terminal, which leaves room for the "^C" that
    the terminal prints on Ctrl-C."""

    # Without this room "^C" would begin a new line. rich would then clear that line instead of the
    # line of the bar, and the bar would stay on the screen.

    @property
    def size(self) -> ConsoleDimensions:
        width, height = super().size
        return ConsoleDimensions(max(1, width - 2), height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size
