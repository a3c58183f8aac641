"""How fast a teacher is asked: as fast as it lets itself be asked, found out by what it refuses.

While little is refused, only --concurrency limits the rate. Where more than a few of a hundred
requests are refused (429, 529), it is set to what the server was just able to answer, and a tenth
less for the moment; from there it takes the course of CUBIC (Ha, Rhee, Xu 2008): soon back, for
some seconds hardly higher, then faster and faster. So it stays close to a limit that stands, and
soon leaves behind one that is gone.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

from scicot.teachers import Allowance

_WINDOW = 1.0  # seconds between two decreases, and over which answers are counted; if they are
_ENOUGH, _LONGEST = 20, 10.0  # fewer than so many, over more seconds
_MEMORY = 5.0  # seconds in which a refusal loses most of its weight
_FEW = 0.02  # share of refusals that is no reason to slow down
_MANY = 0.2  # share of the last window that leaves no doubt
_DECREASE = 0.1
_PLATEAU = 100.0  # requests until the rate is what it was,
_SECONDS = (2.0, 10.0)  # which may take so many seconds at least and at most;
_DOUBTED = 1.0  # or so many where the limit was met for the first time, perhaps by mistake
_SLOWEST = 0.1  # requests a second
_STEP = 0.1  # seconds between two looks at the rate by whoever waits
_LATE = 0.05  # seconds a request may leave late without shifting those behind it
_LONGEST_HOLD = 60.0  # seconds that headers alone keep requests back
_HOLD_AFTER = 3  # refusals without an answer between: the server answers nobody, so nobody asks


class Pace:
    """When the next request may leave. `rate` is in requests a second, infinite at first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known = math.inf  # the rate that was too much
        self._since = -math.inf  # the last decrease
        self._plateau = _DOUBTED
        self._last = self._held_until = -math.inf  # when a request left; until when none may
        self._queue = asyncio.Lock()
        self._cap = math.inf
        self._outcomes: deque[tuple[float, bool]] = deque()  # (when, whether answered)
        self._began = clock()
        self._weights = [0.0, 0.0]  # answers and refusals, the latest counting most
        self._weighed = clock()
        self._in_a_row = 0  # refusals
        self._tokens_each = 0.0  # of a request, on the average

    @property
    def rate(self) -> float:
        if math.isinf(self._known):
            return self._cap
        since = (self._clock() - self._since) / self._plateau - 1
        return min(self._known * (1 + _DECREASE * min(since, 1e3) ** 3), self._cap)

    @property
    def lets_some_through(self) -> bool:
        """Whether the server answers others, so that it is no use for one to wait ever longer."""
        return self._in_a_row < _ENOUGH

    async def turn(self) -> None:
        """Wait until one more request may leave; who came first goes first."""
        async with self._queue:
            while True:
                now = self._clock()
                slot = max(now - _LATE, self._last + 1 / self.rate, self._held_until)
                if slot <= now:
                    self._last = slot
                    return
                # Not all the time at once: meanwhile the rate grows.
                await asyncio.sleep(min(slot - now, _STEP))

    def answered(self, allowances: tuple[Allowance, ...], tokens: int) -> None:
        """An answer came, of so many tokens with its question."""
        now = self._clock()
        self._in_a_row = 0
        self._weigh(now, answered=True)
        if tokens:
            before = self._tokens_each or tokens
            self._tokens_each = before + 0.1 * (tokens - before)
        self._heed(allowances, now)

    def refused(self, retry_after: float | None, allowances: tuple[Allowance, ...]) -> None:
        """The server has said that this is too much for it."""
        now = self._clock()
        self._in_a_row += 1
        self._weigh(now, answered=False)
        self._heed(allowances, now)
        if self._in_a_row >= _HOLD_AFTER and retry_after:
            self._held_until = max(self._held_until, now + retry_after)
        answers, refusals = self._weights
        enough = 1.5 if math.isfinite(self._known) else 2.5
        if refusals < enough or refusals < _FEW * (answers + refusals):
            return
        if now - max(self._since, self._began) >= _WINDOW:
            self._slow_down(now)

    def _slow_down(self, now: float) -> None:
        recent = [own for own in self._outcomes if own[0] >= now - _WINDOW]
        if len(recent) < _ENOUGH:
            recent = list(self._outcomes)[-_ENOUGH:]
        seconds = max(now - recent[0][0], _WINDOW)
        answered = sum(outcome for _, outcome in recent)
        if not answered:
            return  # no matter of speed, and whoever was refused waits anyway
        if answered <= (1 - _MANY) * len(recent):
            known = answered / seconds
        else:
            known = min(self.rate, len(recent) / seconds)
        known = max(_SLOWEST, known)
        shortest, longest = _SECONDS
        stands = known / 1.5 < self._known < known * 1.5  # has shown itself twice
        self._plateau = min(max(shortest, _PLATEAU / known), longest) if stands else _DOUBTED
        self._known, self._since = known, now

    def _weigh(self, now: float, *, answered: bool) -> None:
        self._outcomes.append((now, answered))
        while self._outcomes[0][0] < now - _LONGEST:
            self._outcomes.popleft()
        faded = math.exp((self._weighed - now) / _MEMORY)
        self._weights = [weight * faded for weight in self._weights]
        self._weights[0 if answered else 1] += 1
        self._weighed = now

    def _heed(self, allowances: tuple[Allowance, ...], now: float) -> None:
        """Spread what remains over the time until there is more: a bucket that refills as it is
        drawn from stays half full then, one that is filled at once lasts until it is.

        The times are to the second, so those shorter than that say only that nothing is left.
        """
        caps = [math.inf]
        for own in allowances:
            if not math.isfinite(own.remaining + own.reset):
                continue
            left = own.remaining if own.requests else own.remaining / (self._tokens_each or 1.0)
            if left < 1:
                self._held_until = max(self._held_until, now + min(own.reset, _LONGEST_HOLD))
            elif own.reset > 1:
                caps.append(max(left / own.reset, 1 / _LONGEST_HOLD))
        if allowances:
            self._cap = min(caps)
