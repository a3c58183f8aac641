"""The interface by which library functions report progress, notes and warnings.

The command line shows progress bars and coloured lines. From Python, notes and warnings go to the
logger "scicot": warnings are printed by default, notes only if logging is configured to.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TypeVar

logger = logging.getLogger("scicot")

Item = TypeVar("Item")
_STRIDE = 64
_NAMED, _LONGEST = 5, 60  # names listed in a message, and characters of one


class Task(Protocol):
    """One piece of work with a known or unknown number of steps."""

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        """Count `steps` more as done, with figures to show beside the count."""


class Reporter(Protocol):
    def note(self, message: str) -> None:
        """Report a fact that needs no action."""

    def warn(self, message: str) -> None:
        """Report something that the user should check."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Start a task; the context's value counts the steps done."""

    def stops_deferred(self) -> AbstractContextManager[None]:
        """Return a context that defers stop requests: the next `advance` of a task raises them as
        KeyboardInterrupt, so no step is interrupted."""


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
        return nullcontext()  # the calling program handles signals


class Speed:
    """Measures how fast a count grows, over the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._moments: deque[tuple[float, int]] = deque()  # (time, count)

    def add(self, now: float, count: int) -> None:
        """Record the count at this time, in seconds."""
        self._moments.append((now, count))
        while len(self._moments) > 2 and self._moments[1][0] < now - self._seconds:
            self._moments.popleft()

    @property
    def per_second(self) -> float:
        """The growth per second since the first record; 0.0 if there is only one."""
        (start, first_count), (now, count) = self._moments[0], self._moments[-1]
        return (count - first_count) / (now - start) if now > start else 0.0

    def __str__(self) -> str:
        rate = self.per_second
        return f"{rate:.2g}" if rate < 10 else f"{rate:.0f}"


def number_of(count: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun: 1 question, 2,000 questions."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def some_of(names: Sequence[str]) -> str:
    """Join the first few names for a message."""
    shortened = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..." for name in names]
    return ", ".join([*shortened[:_NAMED], *(["..."] if len(shortened) > _NAMED else [])])


class Muted:
    """A reporter for a second pass over the same file: shows progress, and suppresses messages."""

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
