"""Predict in several processes in parallel, started by a launcher or `--processes`.

Rank 0 reads the questions, and scatters one window of questions to each rank, including itself. It
then gathers the output rows of all ranks and writes them in order. The other ranks read and write
no files. Rank 0 reports the errors of all ranks.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from scicot import processes
from scicot.errors import ScicotError, StoppedEarly, UsageError
from scicot.prediction.students import QuestionPair, Students

Result = TypeVar("Result")


class _Lost(StoppedEarly):
    """Raised when the connection to another process breaks, because that process has ended."""


@dataclass(frozen=True)
class _End:
    """Message from rank 0 that ends `serve` on the other ranks. `code` is the exit code of an error
    on rank 0, or 0 if there was none."""

    code: int = 0


@dataclass(frozen=True)
class _Failure:
    """Message to rank 0 about an error on one rank. For a ScicotError, `message` is its message
    and `code` its exit code. For any other exception (a bug), `message` is the traceback and `code`
    is 0."""

    message: str
    code: int = 0

    def raise_error(self) -> None:
        """Raise the error again. A ScicotError keeps its message and exit code. Any other exception
        becomes a RuntimeError whose message contains the traceback."""
        if not self.code:
            raise RuntimeError(f"a process of this command failed:\n{self.message}")
        kinds = {kind.exit_code: kind for kind in (UsageError, StoppedEarly)}
        raise kinds.get(self.code, ScicotError)(self.message)


class _CountCuts:
    """Message from rank 0 that requests the truncation counts of the other ranks."""


class Team:
    """The processes of this command (one or more). Each process predicts one window at a time, in
    parallel with the others. A window is a block of consecutive questions."""

    def __init__(self, device: str) -> None:
        """Initialise the process group if there are several processes."""
        self.size = processes.count()
        self._group: Any = None
        self._new = False
        if self.size > 1:
            self._new = processes.join_process_group(device)
            self._group = processes.gloo_group()

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An interrupted process exits at once; the others notice the broken connection.
        if self._group is None or isinstance(error, KeyboardInterrupt | _Lost):
            return
        if processes.rank() == 0:
            code = 0 if error is None else getattr(error, "exit_code", 1)
            self._scatter([_End(code)] * self.size)
        if self._new:  # an existing process group is left to its owner
            processes.leave_process_group()

    def on_all_ranks(self, work: Callable[[], Result]) -> Result:
        """Run work() on this rank, and return its result. All ranks must call this method together.
        Each rank except 0 must then pass the result to `serve`.

        If work() fails on any rank:

        - Rank 0 raises the error.
        - The other ranks return normally; those on which work() failed return a _Failure.
        - Later, `serve` raises RankZeroFailed on the other ranks, because rank 0 has raised the
          error.
        """
        if self._group is None:
            return work()
        result = _tried(work)
        _raise_first(self._gather(result if isinstance(result, _Failure) else None))
        return result  # type: ignore[no-any-return]

    def agree(self, engines: dict[str, str]) -> None:
        """Make the other ranks use the engines that rank 0 chose. Call on rank 0 only."""
        if self._group is not None:
            self._scatter([engines] * self.size)

    def rows(
        self, students: Students, windows: Sequence[Sequence[QuestionPair]]
    ) -> Iterator[list[Any]]:
        """Predict at most one window on each rank, and yield a list of output rows for each window,
        in order. Call on rank 0 only. An error in one window is raised after the rows of the
        windows before it."""
        if self._group is None:
            yield from map(students.rows, windows)
            return
        self._scatter([*windows, *[()] * (self.size - len(windows))])
        for result in self._gather(_tried(lambda: students.rows(windows[0])))[: len(windows)]:
            _raise_first([result])
            yield result

    def count(self, students: Students) -> None:
        """Add the truncation counts of the other ranks to those of `students`. Call on rank 0
        only."""
        if self._group is not None:
            self._scatter([_CountCuts()] * self.size)
            for tally in self._gather({})[1:]:
                students.loaded.add_cuts(tally)

    def serve(self, students: Students) -> None:
        """Execute the messages of rank 0 until `_End` arrives. Call on all ranks but 0. Raises
        RankZeroFailed if rank 0 ended with an error."""
        failure: _Failure | None = None
        while not isinstance(message := self._receive(), _End):
            if isinstance(message, dict):
                result = _tried(partial(students.loaded.restore, message))
                failure = result if isinstance(result, _Failure) else None
            elif isinstance(message, _CountCuts):
                self._gather(students.loaded.cut_counts())
            else:
                self._gather(
                    failure or (_tried(partial(students.rows, message)) if message else [])
                )
        if message.code:
            raise processes.RankZeroFailed(message.code)

    def _scatter(self, messages: Sequence[Any]) -> None:
        self._communicate("scatter_object_list", [None], list(messages), src=0)

    def _receive(self) -> Any:
        received: list[Any] = [None]
        self._communicate("scatter_object_list", received, None, src=0)
        return received[0]

    def _gather(self, item: Any) -> list[Any]:
        """Gather one object from each rank. Returns the list of them on rank 0, and [] on the other
        ranks."""
        gathered = [None] * self.size if processes.rank() == 0 else None
        self._communicate("gather_object", item, gathered, dst=0)
        return gathered or []

    def _communicate(self, operation: str, *arguments: Any, **rank: int) -> None:
        import torch.distributed as dist

        try:
            getattr(dist, operation)(*arguments, group=self._group, **rank)
        except RuntimeError as error:
            raise _Lost(
                "another process of this command has exited; run the same command again to continue"
            ) from error


def _tried(work: Callable[[], Any]) -> Any:
    """Return the result of work(). If work() raises an error, return a _Failure instead."""
    try:
        return work()
    except ScicotError as error:
        return _Failure(str(error), error.exit_code)
    except Exception:  # noqa: BLE001
        return _Failure(traceback.format_exc())


def _raise_first(results: Sequence[Any]) -> None:
    for result in results:
        if isinstance(result, _Failure):
            result.raise_error()
