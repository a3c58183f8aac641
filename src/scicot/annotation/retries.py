"""Run a coroutine to its end, and retry calls to a busy server until --max-wait is used up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from scicot.errors import StoppedEarly
from scicot.teachers import TeacherBusy
from scicot.teachers.rate_limits import LONGEST

_HOUR = 3600.0
_SLICE = 0.1  # seconds between two checks whether the run has to stop
GRACE_SECONDS = 10.0  # to wait for replies in flight, which are paid for, when the run is stopped

T = TypeVar("T")


def out_of_patience(problem: str, seconds: float, max_wait: float) -> StoppedEarly:
    """Return a StoppedEarly error for the caller to raise. It says that a further wait of
    `seconds` would exceed --max-wait. `problem` describes why the server does not answer."""
    return StoppedEarly(
        f"{problem}; waiting {_wait(seconds)} would exceed --max-wait ({max_wait:.0f} s in total);"
        " run the same command later to resume"
    )


def _wait(seconds: float) -> str:
    """Describe a wait in words. A wait below an hour is given in seconds. A longer wait is given in
    hours with the time at which it ends, or as "a year or more"."""
    if seconds < _HOUR:
        return f"{seconds:.0f} s more"
    if seconds >= LONGEST:
        return "a year or more"
    return f"{seconds / _HOUR:.1f} h more (until {time_in(seconds)})"


def time_in(seconds: float) -> str:
    """Describe the time that is `seconds` from now, to the minute and in UTC."""
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"{until:%Y-%m-%d %H:%M} UTC"


class Stopped(Exception):
    """Raised if a run has to stop. `reason` is the exception that stops the run. `reason` is
    wrapped, because code that handles errors of API calls might catch the bare exception."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Patience:
    """Repeats calls to a busy server with exponential backoff. All waits together take at most
    `max_wait` seconds.

    `poll` is called ten times a second, also during a call, and raises an exception if the run has
    to stop.
    """

    def __init__(self, max_wait: float, poll: Callable[[], None]) -> None:
        self._max_wait = max_wait
        self._poll = poll
        self._waited, self._delay = 0.0, 0.5

    async def call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await `call()` and return its result, calling again as long as the server is busy. Raises
        StoppedEarly once the waits exceed the time limit."""
        while True:
            try:
                return await self._watched(call())
            except TeacherBusy as busy:
                await self.wait(busy)

    async def wait(self, busy: TeacherBusy) -> None:
        """Wait before the next call: for the seconds that the server asked for, or for the current
        backoff, whichever is longer. Raises StoppedEarly if that would exceed the time limit."""
        seconds = max(busy.retry_after or 0.0, self._delay)
        self._waited += seconds
        self._delay = min(2 * self._delay, 60.0)
        if self._waited > self._max_wait:
            raise out_of_patience(str(busy), seconds, self._max_wait)
        await sleep(seconds, self._poll)

    async def _watched(self, call: Awaitable[T]) -> T:
        task = asyncio.ensure_future(call)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=_SLICE)
                self._poll()
            return task.result()
        finally:
            task.cancel()


async def finished_or_stopped(
    call: Awaitable[T], poll: Callable[[], None], on_stop: Callable[[], None]
) -> tuple[T, BaseException | None]:
    """Await `call`, and call `poll` ten times a second meanwhile.

    If `poll` raises no exception, return (result of `call`, None). If the run has to stop, `poll`
    raises an exception. Then `on_stop` is called, and `call` may take GRACE_SECONDS more:

    - If `call` ends in this time, return (result of `call`, exception). The caller must record the
      result, and then raise the exception.
    - If `call` takes longer, cancel `call` and raise Stopped.
    """
    task = asyncio.ensure_future(call)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_SLICE)
            try:
                poll()
            except BaseException as stop:  # noqa: BLE001 (raised by the caller, or as Stopped)
                on_stop()
                await asyncio.wait([task], timeout=GRACE_SECONDS)
                if not task.done():
                    raise Stopped(stop) from None
                return task.result(), stop
        return task.result(), None
    finally:
        task.cancel()


async def sleep(seconds: float, poll: Callable[[], None]) -> None:
    """Sleep, and call `poll` ten times a second meanwhile. `poll` raises an exception if the run
    has to stop."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        poll()
        await asyncio.sleep(min(_SLICE, seconds))


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result.

    If an event loop is already running, as in a notebook, the coroutine runs in another thread. An
    interrupt in the calling thread then cancels the coroutine.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    with ThreadPoolExecutor(1) as executor:
        done = executor.submit(loop.run_until_complete, task)
        try:
            return done.result()
        except BaseException:
            if not done.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
        finally:
            executor.shutdown()
            loop.close()
