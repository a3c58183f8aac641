"""Windows that several processes answer side by side, as a launcher or `--processes` starts them.

The first process reads the questions and writes the rows, in order; it deals windows out, one to
each process, takes its own share, and gathers what the others have made of theirs. The others read
no question and write no file. What goes wrong with one of them, the first one says.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from scicot import processes
from scicot.devices import resolve_device
from scicot.errors import ScicotError, StoppedEarly
from scicot.prediction.students import Asked, Students, Tally


@dataclass(frozen=True)
class _End:
    """Nothing is left to do."""

    code: int = 0


@dataclass(frozen=True)
class _Failure:
    """An error of one process: a user's mistake with its exit code, or a bug with its traceback."""

    message: str
    code: int = 0

    def tell(self) -> None:
        """Raise it."""
        if not self.code:
            raise RuntimeError(f"in a process of this command:\n{self.message}")
        raise (
            StoppedEarly(self.message)
            if self.code == StoppedEarly.exit_code
            else ScicotError(self.message)
        )


class Team:
    """All processes of this command; a single one needs no other."""

    def __init__(self, students: Students, device: str) -> None:
        """Meet the others; ScicotError where there are fewer GPUs than processes here."""
        self.size = processes.count()
        self._students = students
        self._group: Any = None
        if self.size > 1:
            _check_gpus(device)
            processes.join(device)
            self._group = processes.talking()

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Who is interrupted is gone at once: the others see it, if they were not interrupted too.
        if self._group is None or isinstance(error, KeyboardInterrupt | StoppedEarly):
            return
        if error is not None:
            self._deal([_End(getattr(error, "exit_code", 1))] * self.size)
        else:
            self._deal([_End()] * self.size)
            for tally in self._gathered({})[1:]:
                self._students.count(tally)
        processes.leave()

    def agree(self, described: dict[str, Any]) -> None:
        """Of the first process: have the others take the engines that it has chosen."""
        if self._group is not None:
            self._deal([described] * self.size)

    def rows(self, windows: Sequence[Sequence[Asked]]) -> list[list[Any]]:
        """Of the first process: the rows of as many windows as there are processes, at most."""
        if self._group is None or not windows:
            return [self._students.rows(asked) for asked in windows]
        self._deal([*windows, *[()] * (self.size - len(windows))])
        made = self._gathered(_tried(self._students, windows[0]))
        for one in made:
            if isinstance(one, _Failure):
                one.tell()
        return made[: len(windows)]

    def serve(self) -> None:
        """Of all other processes: do what the first one deals out, until it has no more."""
        while not isinstance(order := self._dealt(), _End):
            if isinstance(order, dict):
                self._students.recall(order)
            else:
                self._gathered(_tried(self._students, order) if order else [])
        if order.code == 0:
            self._gathered(self._students.tally())
        processes.leave()
        if order.code:
            raise processes.Unled(order.code)

    def _deal(self, orders: Sequence[Any]) -> None:
        self._talk("scatter_object_list", [None], list(orders), src=0)

    def _dealt(self) -> Any:
        told: list[Any] = [None]
        self._talk("scatter_object_list", told, None, src=0)
        return told[0]

    def _gathered(self, own: Tally | Any) -> list[Any]:
        """At the first process: what each has made."""
        all_of_them = [None] * self.size if processes.rank() == 0 else None
        self._talk("gather_object", own, all_of_them, dst=0)
        return all_of_them or []

    def _talk(self, verb: str, *what: Any, **who: int) -> None:
        import torch.distributed as dist

        try:
            getattr(dist, verb)(*what, group=self._group, **who)
        except RuntimeError as error:
            raise StoppedEarly(
                "another process of this command has ended; the same command goes on from here"
            ) from error


def _tried(students: Students, asked: Sequence[Asked]) -> Any:
    """Their rows, or what went wrong, for the first process to tell."""
    try:
        return students.rows(asked)
    except ScicotError as error:
        return _Failure(str(error), error.exit_code)
    except Exception:  # noqa: BLE001
        return _Failure(traceback.format_exc())


def _check_gpus(device: str) -> None:
    if resolve_device(device).type != "cuda":
        return
    import torch

    here, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if here >= there:
        error = ScicotError(
            f"{processes.count()} processes: only {there} GPUs are here; take as many"
        )
        error.of_one_process = here == there
        raise error
