"""The interface through which library functions report progress, notes and warnings.

The command line shows progress bars and coloured lines. From Python, notes and warnings go to the
logger "scicot": warnings are printed by default, notes only if logging is configured to show them.
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
_NAMED, _LONGEST = 5, 60  # maximum number of names in a message, and of characters in a name


class Task(Protocol):
    """A piece of work whose progress is reported. The number of its steps may be unknown."""

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        """Report that `steps` more steps are done. `figures` maps names to values that are shown
        beside the count."""


class Reporter(Protocol):
    def note(self, message: str) -> None:
        """Report a fact that needs no action by the user."""

    def warn(self, message: str) -> None:
        """Report something that the user should check."""

    def task(self, description: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Return a context manager around a task of `total` steps (None if unknown). It yields the
        `Task` whose `advance` reports progress."""

    def stops_deferred(self) -> AbstractContextManager[None]:
        """Return a context manager for work that may be interrupted only between two steps. A
        signal is stored when it arrives, and the next call of `Task.advance` raises
        KeyboardInterrupt."""


class _SilentTask:
    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        pass


class LogReporter:
    """The reporter used from Python: sends messages to the logger "scicot", and shows no progress
    bars."""

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
    """Measures the steps per second of a task, averaged over the last `seconds` seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._moments: deque[tuple[float, int]] = deque()  # (time, count)

    def record(self, now: float, count: int) -> None:
        """Record the total number of steps done, `count`, at the time `now` (in seconds)."""
        self._moments.append((now, count))
        while len(self._moments) > 2 and self._moments[1][0] < now - self._seconds:
            self._moments.popleft()

    @property
    def per_second(self) -> float:
        """The steps per second. 0.0 after a single call of `record`."""
        (start, first_count), (now, count) = self._moments[0], self._moments[-1]
        return (count - first_count) / (now - start) if now > start else 0.0

    def __str__(self) -> str:
        rate = self.per_second
        return f"{rate:.2g}" if rate < 10 else f"{rate:.0f}"


def number_of(count: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun, as in "1 question" and "2,000 questions". The default of
    `plural` is the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def some_of(names: Sequence[str], most: int = _NAMED) -> str:
    """Join the first `most` names for a message. If there are more names, add "...". The end of a
    long name is replaced by "..." too."""
    shortened = [name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..." for name in names]
    return ", ".join([*shortened[:most], *(["..."] if len(shortened) > most else [])])


class Muted:
    """A reporter that shows progress, but suppresses notes and warnings. It is used when a file is
    read a second time."""

    def __init__(self, reporter: Reporter) -> None:
        self.task = reporter.task
        self.stops_deferred = reporter.stops_deferred

    def note(self, message: str) -> None:
        pass

    def warn(self, message: str) -> None:
        pass


def counted(items: Iterable[Item], task: Task) -> Iterator[Item]:
    """Yield the items, and advance the task by one step for each of them."""
    # Steps are reported together, since redrawing a progress bar costs more than reading a row.
    count = 0
    for count, item in enumerate(items, start=1):
        yield item
        if count % _STRIDE == 0:
            task.advance(_STRIDE)
    task.advance(count % _STRIDE)
