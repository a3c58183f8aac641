"""Limit the number of requests in flight, and lower the limit if too many of them time out.

A server that gets more requests than it can process at once, such as a local one with a few slots,
queues the rest. Then all answers are late, and answers that take longer than --timeout are lost. A
lower request rate does not help, but fewer requests in flight do. So the limit is halved if more
than a fifth of the requests time out.

Afterwards the limit grows again, as TCP's congestion window does. For example, a limit of 32 may
change like this:

- Some requests time out and others are answered. So 32 requests overload the server. The limit is
  halved and then grows by 1: 16, 17, 18, ...
- All requests time out for a while, because the server is down. The limit is halved several times,
  for example to 2, and then doubled: 2, 4, 8, 16, 32.
- First, 32 requests overload the server. Later the server is down, and the limit falls to 2. Then
  the limit is doubled repeatedly, but only up to 16, because 32 requests are known to overload the
  server. From 16 on, the limit grows by 1: 2, 4, 8, 16, 17, 18, ...

A limit of 16 is raised after 16 answers, a limit of 17 after 17 further answers, and so on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

_LATE = 0.2  # share of timeouts above which the limit is lowered


class InFlight:
    """Slots for requests in flight. `limit` is the current number of slots, at most `max_slots`.
    `clock` returns the current time in seconds (time.monotonic unless given)."""

    def __init__(self, max_slots: int, clock: Callable[[], float] | None = None) -> None:
        self.limit = self._max_slots = max_slots
        self._clock = clock or time.monotonic
        self._used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        # the limit at which too many requests timed out while others were answered
        self._overload_limit = math.inf
        # Outcomes of requests sent since the last change of the limit.
        self._answers = self._timeouts = 0
        self._since = self._clock()

    async def acquire(self) -> None:
        """Wait for a free slot and take it. Waiting tasks are served in the order in which they
        came."""
        if self._used < self.limit and not self._waiting:
            self._used += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # `_wake` may have removed it already
                    self._waiting.remove(turn)
            else:
                self.release()
            raise

    def release(self) -> None:
        """Free a slot, and give it to the task that has waited longest."""
        self._used -= 1
        self._wake()

    def answered(self, sent_at: float) -> None:
        """Count an answer to a request that was sent at time `sent_at` (of `clock`). Requests that
        were sent before the last change of `limit` are ignored. Once `limit` answers are counted,
        `limit` is raised, but not above `max_slots`."""
        if sent_at < self._since:
            return
        self._answers += 1
        if self.limit < self._max_slots and self._answers >= self.limit:
            doubled = 2 * self.limit
            self._change(doubled if doubled < self._overload_limit else self.limit + 1)

    def timed_out(self, sent_at: float) -> bool:
        """Count a timeout of a request that was sent at time `sent_at` (of `clock`). Return True if
        the limit was lowered because of this timeout. Requests that were sent before the last
        change of the limit are ignored."""
        if sent_at < self._since:
            return False
        self._timeouts += 1
        if self.limit == 1 or self._timeouts <= _LATE * (self._timeouts + self._answers):
            return False
        # without answers the server may be down, which says nothing about its slots
        if self._answers:
            self._overload_limit = self.limit
        self._change(self.limit // 2)
        return True

    def _change(self, limit: int) -> None:
        self.limit, self._answers, self._timeouts = min(limit, self._max_slots), 0, 0
        self._since = self._clock()
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._used < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._used += 1
                turn.set_result(None)
