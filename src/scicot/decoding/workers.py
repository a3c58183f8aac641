"""Work shared among threads, each with cores of its own.

Torch shares every single operation among the cores instead, which then wait for one another at its
end; most of a small student's operations are too small for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from scicot.decoding.engine import Stopped

Part = TypeVar("Part")
Result = TypeVar("Result")


class Workers:
    """Of one device: `most` of them, if it has as many cores; a single one, the caller, where it is
    no CPU. Where `stopped()` returns True, nobody waits for results any more."""

    def __init__(
        self, device: torch.device, most: int, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._cores = torch.get_num_threads()
        self.count = max(1, min(self._cores, most)) if device.type == "cpu" else 1
        self._stopping = threading.Event()
        self._stopped = stopped

    def check(self) -> None:
        """For the work, now and then: raises Stopped where it is in vain."""
        if self._stopping.is_set() or self._stopped():
            raise Stopped

    def each(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """work(part) for every part, at most `count` of them, side by side; where one fails, or the
        caller is interrupted, the others are stopped."""
        if len(parts) == 1:
            return [work(parts[0])]
        least, more = divmod(self._cores, len(parts))

        def alone(number: int) -> Result:
            torch.set_num_threads(max(1, least + (number < more)))
            with torch.inference_mode():
                return work(parts[number])

        self._stopping.clear()
        with ThreadPoolExecutor(len(parts)) as pool:
            running = [pool.submit(alone, number) for number in range(len(parts))]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
                for one in running:
                    if one.done():
                        one.result()  # or what went wrong with it
                return [one.result() for one in running]
            except BaseException:
                self._stopping.set()
                raise
            finally:
                torch.set_num_threads(self._cores)  # of threads that begin later
