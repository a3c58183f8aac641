"""Adapt the request rate to the server's limit, estimated from its refusals (status 429 and 529).

While few requests are refused, the rate is limited only by --concurrency and by the allowances in
the server's responses (teachers/rate_limits.py). If more than a few percent are refused, there are
two possible causes:

- The rate exceeds a limit of the server. A lower rate helps.
- The server is overloaded and refuses requests at random. A lower rate does not help.

A trial (trial.py) finds the cause. During the trial, the rate is 80 % of the server's throughput.

- If the share of refusals falls, the throughput is confirmed as the limit.
- If the share does not fall, the refusals are random, and the rate is raised again. Until _RETRIED
  seconds after the start of the trial, refusals up to this random share are ignored. After that
  time, all refusals count again. A new trial starts if more than a few percent of the requests
  are refused.

If an earlier trial has confirmed a limit close to the present throughput, no new trial is made: the
limit counts as confirmed.

Once the limit is confirmed, the rate is set to 90 % of the limit. Then the rate grows as TCP's
congestion window does in CUBIC (Ha, Rhee, Xu 2008): quickly back to the limit, then slowly for some
seconds, and then faster and faster. So the rate stays close to a limit that lasts, and soon exceeds
a limit that has been lifted.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from scicot.annotation.trial import Trial
from scicot.teachers import Allowance

# Outcomes (answers and refusals) are counted over a window of _WINDOW seconds, or over the last
# _ENOUGH outcomes if the window has fewer.
_WINDOW = 1.0  # seconds; also the least time between two decreases
_ENOUGH = 20  # outcomes
_LONGEST = 10.0  # seconds for which outcomes are stored
_MEMORY = 5.0  # seconds after which the weight of an outcome in the average has dropped to 1/e

# When to decrease the rate.
_FEW = 0.02  # share of refusals, beyond the random ones, that is tolerated
_SURE = 3.0  # standard deviations by which refusals must exceed the expected random ones
_MANY = 0.2  # share of refusals above which the throughput of answered requests counts as the limit

# How far to decrease the rate, and how fast it grows back.
_DECREASE = 0.1  # share of the rate
_PLATEAU = 100.0  # requests after which the rate is back at a confirmed limit
_SECONDS = (2.0, 10.0)  # shortest and longest time in seconds until then
_FIRST_PLATEAU = 1.0  # seconds until the rate is back at an unconfirmed limit
_SLOWEST = 0.1  # requests per second

# Trials of a decrease, and their results.
_IN_TRIAL = 0.2  # share of the rate by which it is decreased during a trial
_SETTLING = 0.5  # seconds after a decrease during which outcomes are not counted
_ALIKE = (0.93, 1.5)  # a limit within these multiples of the last proven one needs no trial
_RETRIED = 20.0  # seconds after which the share of random refusals is tested again
_FORGETTING = 20.0  # time constant in seconds with which a drop in random refusals is followed

# Pauses.
_STEP = 0.1  # seconds between two checks of the rate while waiting for a turn
_LATE = 0.05  # seconds by which a request may leave late without delaying those after it
# Seconds until the reset of an allowance, above which its window counts as long (an hour, a day).
# An allowance with a long window is used up at full speed.
LONG_WINDOW = 120.0
_HOLD_AFTER = 3  # refusals in a row after which all requests wait for retry-after
# A longer row is needed if random refusals produce such a row with more than this probability.
_HOLD_CHANCE = 1e-4


@dataclass(frozen=True, slots=True)
class _Limit:
    """An estimate of the server's limit: `rate` requests per second.

    After a refusal, requests are sent more slowly than that. Their speed then grows along the curve
    of TCP CUBIC (RFC 9438): first up to the estimate, and later above it, because the real limit
    may be higher. The method `rate_at` returns the speed at a given time.
    """

    rate: float = math.inf
    since: float = -math.inf  # time when the rate was decreased
    plateau: float = _FIRST_PLATEAU  # seconds until the rate is back at the limit

    def rate_at(self, now: float) -> float:
        if math.isinf(self.rate):
            return math.inf
        phase = (now - self.since) / self.plateau - 1
        return self.rate * (1 + _DECREASE * min(phase, 1e3) ** 3)


class Pace:
    """Limits the number of requests per second to `rate`. At first, `rate` is infinite. Refusals
    and reported allowances lower `rate`. `clock` returns the current time in seconds
    (time.monotonic unless given)."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or time.monotonic
        self._limit = _Limit()
        self._created = self._last_trial = self._clock()  # when the last trial began
        self._trial: Trial[_Limit] | None = None
        self._proven = _Limit()  # the last limit that a trial confirmed
        self._random = 0.0  # share of requests that is refused at any rate
        # time of the last request; time until which none may be sent
        self._last = self._held_until = -math.inf
        self._queue = asyncio.Lock()
        self._cap = math.inf
        self._outcomes: deque[tuple[float, bool]] = deque()  # (time, whether answered)
        self._weights = [0.0, 0.0]  # answers and refusals; recent ones have the highest weight
        self._weighed_at = self._clock()
        self._in_a_row = 0  # refusals in a row
        self._tokens_each = 0.0  # average tokens of a request

    @property
    def rate(self) -> float:
        # the rate must not grow in a trial, which compares the shares of refusals at two rates
        if self._trial is not None:
            return min(self._limit.rate * (1 - _IN_TRIAL), self._cap)
        return min(self._limit.rate_at(self._clock()), self._cap)

    @property
    def lets_some_through(self) -> bool:
        """False if each of the last _ENOUGH requests was refused, else True."""
        return self._in_a_row < _ENOUGH

    async def turn(self) -> None:
        """Wait until the next request may be sent. Waiting tasks are served in the order in which
        they came."""
        async with self._queue:
            while True:
                now = self._clock()
                slot = max(now - _LATE, self._last + 1 / self.rate, self._held_until)
                if slot <= now:
                    self._last = slot
                    return
                # Sleep in short steps, because the rate may grow meanwhile.
                await asyncio.sleep(min(slot - now, _STEP))

    def answered(
        self, allowances: tuple[Allowance, ...], tokens: int, sent_at: float | None = None
    ) -> None:
        """Count an answer. `allowances` are the rate limits that the server reported with the
        answer. `tokens` is the number of tokens of request and reply together. `sent_at` is the
        time when the request was sent."""
        now = self._clock()
        self._in_a_row = 0
        self._weigh(now, sent_at, answered=True)
        if tokens:
            average = self._tokens_each or tokens
            self._tokens_each = average + 0.1 * (tokens - average)
        self._apply_allowances(allowances, now)

    def refused(
        self,
        retry_after: float | None,
        allowances: tuple[Allowance, ...],
        sent_at: float | None = None,
    ) -> None:
        """Count a refusal (status 429 or 529), and lower the rate if there are too many refusals.
        `retry_after` is the number of seconds that the server told the client to wait, or None.
        `allowances` are the rate limits that the server reported. `sent_at` is the time when the
        request was sent."""
        now = self._clock()
        self._in_a_row += 1
        self._weigh(now, sent_at, answered=False)
        self._apply_allowances(allowances, now)
        if retry_after and self._in_a_row >= self._refusals_to_hold():
            self._held_until = max(self._held_until, now + retry_after)
        settled = now - max(self._limit.since, self._created) >= _WINDOW
        if self._trial is None and settled and self._is_too_fast(now):
            self._slow_down(now)

    def _refusals_to_hold(self) -> int:
        """Return the number of refusals in a row after which all requests wait as long as the
        server's Retry-After header says. After fewer refusals, only the refused request waits."""
        answers, refusals = self._weights
        earlier = max(0.0, refusals - self._in_a_row)  # without the current row of refusals
        share = max(self._random, earlier / max(1.0, earlier + answers))
        if not share or not answers:
            return _HOLD_AFTER
        # If the server refuses this share of the requests at random, a row of as many refusals has
        # a probability of at most _HOLD_CHANCE.
        return max(_HOLD_AFTER, math.ceil(math.log(_HOLD_CHANCE) / math.log(share)))

    def _is_too_fast(self, now: float) -> bool:
        """Return True if significantly more requests are refused than expected. Random refusals,
        which occur at any request rate, are expected."""
        # The share of random refusals counts as 0 if it was measured long ago. Refusals then start
        # a trial, which measures the share again.
        random_share = self._random if now - self._last_trial < _RETRIED else 0.0
        answers, refusals = self._weights
        expected = random_share * (answers + refusals)
        # The refusals beyond the expected ones have to be significant, and more than a small share.
        least_excess = 1.5 if math.isfinite(self._limit.rate) else 2.5
        excess = refusals - expected - _SURE * math.sqrt(expected * (1 - random_share))
        return excess >= least_excess and refusals - expected >= _FEW * (answers + refusals)

    def _slow_down(self, now: float) -> None:
        recent = [(when, answer) for when, answer in self._outcomes if when >= now - _WINDOW]
        if len(recent) < _ENOUGH:
            recent = list(self._outcomes)[-_ENOUGH:]
        seconds = max(now - recent[0][0], _WINDOW)
        answered = sum(outcome for _, outcome in recent)
        if not answered:
            # without any answer the rate is not the cause, and refused requests back off anyway
            return
        throughput = max(_SLOWEST, answered / seconds)
        low, high = _ALIKE
        confirmed = low * self._proven.rate < throughput < high * self._proven.rate
        if confirmed and answered > (1 - _MANY - self._random) * len(recent):
            throughput = max(_SLOWEST, min(self.rate, len(recent) / seconds))
        shortest, longest = _SECONDS
        plateau = (
            min(max(shortest, _PLATEAU / throughput), longest) if confirmed else _FIRST_PLATEAU
        )
        if not confirmed:
            refused_share = self._weights[1] / sum(self._weights)
            self._trial = Trial(now + _SETTLING, refused_share, undone=self._limit)
            self._last_trial = now
        self._limit = _Limit(throughput, now, plateau)

    def _weigh(self, now: float, sent_at: float | None, *, answered: bool) -> None:
        self._outcomes.append((now, answered))
        while self._outcomes[0][0] < now - _LONGEST:
            self._outcomes.popleft()
        passed = now - self._weighed_at
        faded = math.exp(-passed / _MEMORY)
        self._weights = [weight * faded for weight in self._weights]
        self._weights[0 if answered else 1] += 1
        self._weighed_at = now
        total = sum(self._weights)
        share = self._weights[1] / total
        if share < self._random and total >= _ENOUGH:
            self._random += (share - self._random) * -math.expm1(-passed / _FORGETTING)
        if self._trial is not None and (sent_at is None or sent_at >= self._trial.starts_at):
            self._count_in_trial(answered)

    def _count_in_trial(self, answered: bool) -> None:
        """Count one outcome in the current trial, which tests a lower limit. End the trial once
        its result is clear: keep the lower limit if the share of refusals fell, else return to an
        earlier limit."""
        trial = self._trial
        assert trial is not None
        helped = trial.helped(answered)
        if helped is None:
            return
        self._trial = None
        if helped:
            self._proven = self._limit = replace(self._limit, since=self._clock())
        else:
            self._limit = self._proven if math.isfinite(self._proven.rate) else trial.undone
            self._random = max(self._random, min(trial.share, trial.share_before))

    def seconds_until_reset(self, allowances: tuple[Allowance, ...]) -> float | None:
        """Return the seconds until all used-up long allowances are reset. An allowance is long if
        its reset is more than LONG_WINDOW seconds away. Return None if no long allowance is used
        up."""
        resets = [
            allowance.reset
            for allowance in allowances
            if LONG_WINDOW < allowance.reset < math.inf and self._requests_in(allowance) < 1
        ]
        return max(resets, default=None)

    def _requests_in(self, allowance: Allowance) -> float:
        """Return the number of requests that an allowance still covers."""
        if allowance.requests:
            return allowance.remaining
        return allowance.remaining / (self._tokens_each or 1.0)

    def _apply_allowances(self, allowances: tuple[Allowance, ...], now: float) -> None:
        """Adapt the rate to the allowances that the server reported. `now` is the current time.

        For each allowance, the first case that applies decides:

        1. The reset is more than LONG_WINDOW seconds away: ignore the allowance. So a daily
           allowance may be used up at full speed.
        2. The allowance is used up: send no request until its reset.
        3. Otherwise spread the remaining requests evenly until the reset. For example, if 30
           requests remain for 60 seconds, send at most 0.5 requests per second.
        """
        caps = [math.inf]
        for allowance in allowances:
            remaining = self._requests_in(allowance)
            if not math.isfinite(remaining) or allowance.reset > LONG_WINDOW:
                continue
            if remaining < 1:
                self._held_until = max(self._held_until, now + allowance.reset)
            elif allowance.reset > 1:  # reset times have a resolution of one second
                # This is right both for limits that refill continuously and for limits that reset
                # at once.
                caps.append(remaining / allowance.reset)
        if allowances:
            self._cap = min(caps)
