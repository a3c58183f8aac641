"""Run parts of a task in threads, each of which computes on its own share of the CPU cores.

By default PyTorch splits every operation among all cores, which wait for each other at the end of
the operation. Most operations of a small student are so short that splitting them does not make
them faster.
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
    """Up to `max_workers` worker threads on a CPU, at most one for each core. On other devices
    there is a single worker, the calling thread. The work is cancelled once `stopped()` returns
    True."""

    def __init__(
        self, device: torch.device, max_workers: int, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._cores = torch.get_num_threads()
        self.count = max(1, min(self._cores, max_workers)) if device.type == "cpu" else 1
        self._stopping = threading.Event()
        self._stopped = stopped

    def check(self) -> None:
        """Raise Stopped if the work was cancelled. The work has to call this between its steps."""
        if self._stopping.is_set() or self._stopped():
            raise Stopped

    def map_parts(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """Return work(part) for every part, in order. The parts are computed in parallel.
        `parts` may have at most `count` elements, one for each worker. If `work` raises an
        exception for a part, or the caller is interrupted, the other parts are cancelled."""
        if len(parts) == 1:
            return [work(parts[0])]
        base, extra = divmod(self._cores, len(parts))

        def run_part(number: int) -> Result:
            torch.set_num_threads(max(1, base + (number < extra)))
            with torch.inference_mode():
                return work(parts[number])

        try:
            with ThreadPoolExecutor(len(parts)) as pool:
                running = [pool.submit(run_part, number) for number in range(len(parts))]
                try:
                    wait(running, return_when=FIRST_EXCEPTION)
                    for future in running:
                        if future.done():
                            future.result()  # raises the worker's exception, if any
                    return [future.result() for future in running]
                except BaseException:
                    self._stopping.set()
                    raise
        finally:
            # All threads have ended. The next call may be one after OutOfMemory, with less work.
            self._stopping.clear()
            torch.set_num_threads(self._cores)  # applies to threads that start later
