"""Run a job's coroutine to its end, and retry calls until --max-wait is used up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from scicot.errors import StoppedEarly
from scicot.teachers import TeacherBusy
from scicot.teachers.limits import LONGEST

_HOUR = 3600.0

T = TypeVar("T")


def out_of_patience(trouble: str, seconds: float, most: float) -> StoppedEarly:
    """The error for a wait that would exceed --max-wait."""
    return StoppedEarly(
        f"{trouble}; would have to wait {_wait(seconds)}, --max-wait is {most:.0f} s in all;"
        " the same command goes on from here"
    )


def _wait(seconds: float) -> str:
    """A wait in words: below an hour its length, else also the time when it ends."""
    if seconds < _HOUR:
        return f"{seconds:.0f} s more"
    if seconds >= LONGEST:
        return "a year or more"
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"{seconds / _HOUR:.1f} h more, until {until:%Y-%m-%d %H:%M} UTC"


class Patience:
    """Exponential backoff for one call while the server is busy, `most` seconds in all."""

    def __init__(self, most: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._most = most
        self.sleep = sleep
        self._waited, self._delay = 0.0, 0.5

    async def wait(self, busy: TeacherBusy) -> None:
        seconds = max(busy.retry_after or 0.0, self._delay)
        self._waited += seconds
        self._delay = min(2 * self._delay, 60.0)
        if self._waited > self._most:
            raise out_of_patience(str(busy), seconds, self._most)
        await self.sleep(seconds)


async def patiently(call: Callable[[], Awaitable[T]], most: float) -> T:
    """The result of a call that is repeated while the server is busy, for `most` seconds in all."""
    patience = Patience(most, asyncio.sleep)
    while True:
        try:
            return await call()
        except TeacherBusy as busy:
            await patience.wait(busy)


def complete(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine. Where an event loop is running already, the coroutine runs in
    another thread; an interrupt of this thread cancels it there."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    with ThreadPoolExecutor(1) as aside:
        done = aside.submit(loop.run_until_complete, task)
        try:
            return done.result()
        except BaseException:
            if not done.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
        finally:
            aside.shutdown()
            loop.close()
