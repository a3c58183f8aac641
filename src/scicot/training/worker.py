"""`python -m scicot.training.worker`: trains the student that is pickled on stdin, and tells on
stdout, in JSON lines, how it goes; it ends with whoever started it. For side_by_side.py alone."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from scicot import standard_input
from scicot.errors import ScicotError, StoppedEarly, no_room
from scicot.reporting import Task
from scicot.training import runs
from scicot.training.preparing import prepare
from scicot.training.work import Work


class Telling:
    """A reporter that writes JSON lines, and stops where it is told to."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._wish = self._deferred = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ask())

    def note(self, message: str) -> None:
        self.tell(note=message)

    def warn(self, message: str) -> None:
        self.tell(warn=message)

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:  # noqa: ARG002
        yield self

    @contextmanager
    def stops_deferred(self) -> Iterator[None]:
        before, self._deferred = self._deferred, True
        try:
            yield
        finally:
            self._deferred = before

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        if self._wish:
            raise KeyboardInterrupt
        self.tell(advance=steps, figures=figures)

    def tell(self, **message: object) -> None:
        print(json.dumps(message), file=self._stream, flush=True)

    def _ask(self) -> None:
        self._wish = True
        if not self._deferred:
            raise KeyboardInterrupt


def main() -> int:
    telling = Telling(sys.stdout)
    sys.stdout = sys.stderr  # whatever else prints
    try:
        standard_input.reserve()
        orders = standard_input.stream()
        assert orders is not None
        given: tuple[Work, Sequence[str]] = pickle.load(orders)
        threading.Thread(target=_end_with_parent, args=(orders.fileno(),), daemon=True).start()
        work, report_to = given
        runs.train(work, prepare(work, telling), telling, report_to)
    except ScicotError as error:
        telling.tell(error=str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return StoppedEarly.exit_code
    except Exception as error:
        reason = no_room(error)
        if reason is None:
            raise
        telling.tell(error=f"{reason}; make room, and the same command goes on from here")
        return StoppedEarly.exit_code
    return 0


def _end_with_parent(orders: int) -> None:
    """At once, as if it were killed: another may already be started in its place."""
    os.read(orders, 1)  # only its end can come; a stream's own read would hold a lock
    os._exit(StoppedEarly.exit_code)


if __name__ == "__main__":
    sys.exit(main())
