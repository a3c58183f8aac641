"""Train one student in a child process: `python -m scicot.training.worker`.

The process reads a pickled TrainingSpec from stdin, reports progress as JSON lines on stdout, and
exits when its parent exits. It is started only by side_by_side.py.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO

from scicot import standard_input
from scicot.errors import ScicotError, StoppedEarly, no_room
from scicot.reporting import Task
from scicot.stop_request import Interrupted, stop
from scicot.training import run_directory
from scicot.training.setup import prepare
from scicot.training.spec import TrainingSpec


class JsonLinesReporter:
    """A reporter that writes each message and each advance of a task to a stream, as one JSON line.
    It also installs handlers for SIGTERM and SIGINT that request a stop."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: _request_stop())

    def note(self, message: str) -> None:
        self.send(note=message)

    def warn(self, message: str) -> None:
        self.send(warn=message)

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:  # noqa: ARG002
        yield self

    def stops_deferred(self) -> AbstractContextManager[None]:
        return stop.deferring()

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        stop.check()
        self.send(advance=steps, figures=figures)

    def send(self, **message: object) -> None:
        print(json.dumps(message), file=self._stream, flush=True)


def _request_stop() -> None:
    # A batch system signals every process of a job, and the parent passes its own signal on too. So
    # a worker may get two signals, and the second one must not interrupt a step.
    if stop.pending is None or not stop.deferred:
        stop.request(Interrupted())


def main() -> int:
    reporter = JsonLinesReporter(sys.stdout)
    sys.stdout = sys.stderr  # stdout is reserved for JSON lines
    try:
        standard_input.reserve()
        stdin = standard_input.stream()
        assert stdin is not None
        spec: TrainingSpec = pickle.load(stdin)
        threading.Thread(target=_end_with_parent, args=(stdin.fileno(),), daemon=True).start()
        run_directory.train(spec, prepare(spec, reporter), reporter)
    except ScicotError as error:
        reporter.send(error=str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return StoppedEarly.exit_code
    except Exception as error:
        reason = no_room(error)
        if reason is None:
            raise
        reporter.send(error=f"{reason}; free disk space, then run the same command again to resume")
        return StoppedEarly.exit_code
    return 0


def _end_with_parent(descriptor: int) -> None:
    """Exit the process immediately when the pipe `descriptor` closes, that is, when the parent
    process has ended. No clean-up is done, because a new process may already be training the same
    run."""
    os.read(descriptor, 1)  # returns when the pipe closes; a buffered read would hold a lock
    os._exit(StoppedEarly.exit_code)


if __name__ == "__main__":
    sys.exit(main())
