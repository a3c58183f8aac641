"""The interface by which library functions report progress, notes and warnings.

The command line shows progress bars and coloured lines. From Python, notes and warnings go to the
logger "scicot": warnings are printed by default, notes only if logging is configured to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TypeVar

logger = logging.getLogger("scicot")

Item = TypeVar("Item")
_STRIDE = 64
_NAMED, _LONGEST = 5, 60  # names spelled out in a message, characters of one


class Task(Protocol):
    """One piece of work with a known or unknown number of steps."""

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        """Say that `steps` more are done, with figures worth showing beside the count."""


class Reporter(Protocol):
    def note(self, message: str) -> None:
        """Something good to know."""

    def warn(self, message: str) -> None:
        """Something the user should look at."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Announce work; the task it gives counts the steps done."""

    def stops_deferred(self) -> AbstractContextManager[None]:
        """Where work must not be stopped in the middle of a step: as long as this lasts, a wish to
        stop is raised (as KeyboardInterrupt) by the next `advance` of a task, not at once."""


class _SilentTask:
    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        pass


class LogReporter:
    """The reporter used from Python: no bars, messages through `logging`."""

    def note(self, message: str) -> None:
        logger.info(message)

    def warn(self, message: str) -> None:
        logger.warning(message)

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        logger.info(description if total is None else f"{description} ({total})")
        yield _SilentTask()

    def stops_deferred(self) -> AbstractContextManager[None]:
        return nullcontext()  # signals are the caller's own here


def number_of(count: int, what: str, several: str = "") -> str:
    """ "1 question", "2,000 questions"."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def some_of(names: Sequence[str]) -> str:
    """The first of some names, as a message has room for."""
    shown = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..." for name in names]
    return ", ".join([*shown[:_NAMED], *(["..."] if len(shown) > _NAMED else [])])


class Muted:
    """For a second reading: shows the work of another reporter, and repeats no message."""

    def __init__(self, reporter: Reporter) -> None:
        self.task = reporter.task
        self.stops_deferred = reporter.stops_deferred

    def note(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass


def counted(items: Iterable[Item], task: Task) -> Iterator[Item]:
    """Yield the items and advance the task once every `_STRIDE` items: redrawing a progress bar
    costs more than reading a row."""
    count = 0
    for count, item in enumerate(items, start=1):
        yield item
        if count % _STRIDE == 0:
            task.advance(_STRIDE)
    task.advance(count % _STRIDE)
