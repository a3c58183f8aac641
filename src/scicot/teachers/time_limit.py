"""Wait for futures with a time limit, which is extended if the event loop is blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from scicot.teachers.base import TeacherBusy

_SLICE = 1.0  # seconds between two checks of the clock
_LATE = 0.1  # delay of a check in seconds from which the loop counts as having been blocked
_BLOCKED = 0.25  # share of a slice that counts if the loop was blocked
_LEAST = 0.05  # minimum seconds that are counted for such a slice, so that every wait ends
_GRACE = 0.2  # seconds added to the limit, to read replies that have arrived when the time is up


async def done_within(futures: Collection[asyncio.Future[Any]], seconds: float) -> bool:
    """Wait until all futures are done or the time limit of `seconds` is reached. Return True if all
    futures are done. No future is cancelled.

    If other code blocks the event loop, only a part of the blocked time counts toward the limit. So
    the wait may take longer than `seconds`.
    """
    loop, remaining = asyncio.get_running_loop(), seconds + _GRACE
    waiting = {future for future in futures if not future.done()}
    while waiting and remaining > 0:
        slice_seconds, started = min(remaining, _SLICE), loop.time()
        _, waiting = await asyncio.wait(waiting, timeout=slice_seconds)
        # Replies that arrive while the loop is blocked are read only when it runs again. If blocked
        # time counted in full, the wait could end first, and these replies, which are paid for,
        # would be lost.
        late = loop.time() - started > slice_seconds + _LATE
        remaining -= max(slice_seconds * _BLOCKED, _LEAST) if late else slice_seconds
    return not waiting


def too_late(seconds: float) -> TeacherBusy:
    """Return the exception for a request that got no answer within `seconds` (--timeout)."""
    return TeacherBusy(f"no answer within {seconds:g} s (--timeout)", timed_out=True)
