"""Work shared among threads, each with cores of its own.

Torch shares every single operation among the cores instead, which then wait for one another at its
end; most of a small student's operations are too small for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")

_MOST = 16  # threads: Python's own work is done by one of them at a time


class Stopped(Exception):
    """Raised in a worker whose result nobody waits for any more."""


class Workers:
    """Of one device: a single one, the caller, where it is no CPU."""

    def __init__(self, device: torch.device) -> None:
        self._cores = torch.get_num_threads()
        self.count = min(self._cores, _MOST) if device.type == "cpu" else 1
        self._stopping = threading.Event()

    def check(self) -> None:
        """For the work, now and then: raises Stopped where it is in vain."""
        if self._stopping.is_set():
            raise Stopped

    def each(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """work(part) for every part, at most `count` of them, side by side; where one fails, or the
        caller is interrupted, the others are stopped."""
        if len(parts) == 1:
            return [work(parts[0])]
        threads = max(1, self._cores // max(1, len(parts)))

        def alone(part: Part) -> Result:
            torch.set_num_threads(threads)
            with torch.inference_mode():
                return work(part)

        with ThreadPoolExecutor(len(parts) or 1) as pool:
            running = [pool.submit(alone, part) for part in parts]
            try:
                return [one.result() for one in running]
            except BaseException:
                self._stopping.set()
                raise
            finally:
                pool.shutdown(wait=True)
                self._stopping.clear()
                torch.set_num_threads(self._cores)  # of threads that begin later
