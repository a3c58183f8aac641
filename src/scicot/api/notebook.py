"""Show progress in a notebook, as a tqdm bar for each task."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scicot.reporting import LogReporter, Reporter, Task


class NotebookReporter(LogReporter):
    """A reporter that shows progress bars of tqdm.auto, which are widgets in a notebook. Messages
    go to the logger "scicot"."""

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=description, leave=False, unit="") as bar:
            yield _Bar(bar)


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        if figures:
            self._bar.set_postfix(figures, refresh=False)
        self._bar.update(steps)


def reporter_here(reporter: Reporter | None) -> Reporter:
    """Return `reporter`, or a default reporter if `reporter` is None. The default is a
    NotebookReporter in a notebook, and a LogReporter elsewhere."""
    if reporter is not None:
        return reporter
    return NotebookReporter() if _in_notebook() else LogReporter()


def _in_notebook() -> bool:
    shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    # Google Colab's shell is a subclass
    return any(base.__name__ == "ZMQInteractiveShell" for base in type(shell).__mro__)
