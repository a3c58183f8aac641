"""The request rate, tested with a simulated clock."""

import asyncio
import math
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Protocol

import pytest

from scicot.annotation.pace import Pace
from scicot.teachers import Allowance
from scicot.teachers.rate_limits import LONGEST, allowances, retry_after


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr("scicot.annotation.pace.asyncio.sleep", fake.sleep)
    return fake


class Bucket:
    """A server that allows `rate` requests per second, with bursts of `rate / 5` requests."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self.rate, self.clock = rate, clock
        self.left, self.filled = rate / 5, clock.now

    def takes(self) -> bool:
        more = (self.clock.now - self.filled) * self.rate
        self.left, self.filled = min(self.rate / 5, self.left + more), self.clock.now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Server(Protocol):
    def takes(self) -> bool: ...


def driven(
    clock: Clock, server: Server, seconds: float, natural: float
) -> list[tuple[float, bool]]:
    """Simulate a client that waits for its Pace before each request. Without the Pace it would
    send `natural` requests per second. Return (seconds since the start, True if accepted) for
    each request."""

    async def ask() -> list[tuple[float, bool]]:
        pace, outcomes = Pace(clock), []
        while clock.now < 100.0 + seconds:
            clock.now += 1 / natural
            await pace.turn()
            taken = server.takes()
            if taken:
                pace.answered((), 100)
            else:
                pace.refused(None, ())
            outcomes.append((clock.now - 100.0, taken))
        return outcomes

    return asyncio.run(ask())


@pytest.mark.parametrize("rate", [8.0, 50.0, 120.0])
def test_a_limit_is_found_and_used(rate: float, clock: Clock) -> None:
    outcomes = driven(clock, Bucket(rate, clock), 60.0, natural=160.0)
    late = [taken for moment, taken in outcomes if moment > 10]
    assert sum(late) / 50.0 >= 0.9 * rate
    assert late.count(False) < 0.05 * len(late)


class Overloaded:
    """A server that refuses a share of all requests at any rate. From a given time on it also has a
    rate limit."""

    def __init__(self, share: float, clock: Clock, seed: int, limit: Bucket | None = None) -> None:
        self.share, self.clock, self.limit = share, clock, limit
        self.draw = random.Random(seed)
        self.limited_from = 100.0

    def takes(self) -> bool:
        if self.limit is not None and self.clock.now >= self.limited_from:
            return self.limit.takes()
        return self.draw.random() >= self.share


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.03, 0.05, 0.15, 0.4])
def test_refusals_that_have_nothing_to_do_with_the_rate_do_not_slow(
    share: float, seed: int, clock: Clock
) -> None:
    outcomes = driven(clock, Overloaded(share, clock, seed), 70.0, natural=160.0)
    for begin in (10, 30, 50):  # the rate must not change over time
        answered = sum(taken for moment, taken in outcomes if begin < moment <= begin + 20) / 20
        assert answered >= 0.8 * 160 * (1 - share)


def test_a_limit_that_comes_later_is_found_behind_refusals_at_random(clock: Clock) -> None:
    server = Overloaded(0.15, clock, 0, Bucket(50.0, clock))
    server.limited_from = 130.0
    outcomes = driven(clock, server, 90.0, natural=160.0)
    late = [taken for moment, taken in outcomes if moment > 45]
    assert sum(late) / 45.0 >= 0.85 * 50.0
    assert late.count(False) < 0.1 * len(late)


def test_a_few_refusals_in_a_row_by_chance_keep_nobody_waiting(clock: Clock) -> None:
    pace = Pace(clock)
    for _ in range(20):
        pace.answered((), 100)
        pace.refused(None, ())
    for _ in range(3):
        pace.refused(30.0, ())
    asyncio.run(pace.turn())
    assert clock.now < 101.0


def test_what_is_not_limited_is_not_slowed(clock: Clock) -> None:
    outcomes = driven(clock, Bucket(1e9, clock), 10.0, natural=160.0)
    assert len(outcomes) >= 1590


def test_a_limit_that_is_gone_is_left_behind(clock: Clock) -> None:
    server = Bucket(20.0, clock)
    usual = server.takes

    def takes() -> bool:
        server.rate = 20.0 if clock.now < 120.0 else 1e9
        return usual()

    server.takes = takes  # type: ignore[method-assign]
    outcomes = driven(clock, server, 45.0, natural=160.0)
    assert sum(moment > 42 for moment, _ in outcomes) / 3.0 > 140


def test_where_nobody_is_answered_all_wait_as_long_as_was_asked(clock: Clock) -> None:
    pace = Pace(clock)
    for _ in range(3):
        pace.refused(30.0, ())
    asyncio.run(pace.turn())
    assert clock.now == pytest.approx(130.0)


def test_what_a_server_says_is_left_is_spread_until_there_is_more(clock: Clock) -> None:
    pace = Pace(clock)
    pace.answered((Allowance(requests=True, remaining=20, reset=10.0),), 100)
    assert pace.rate == pytest.approx(2.0)
    pace.answered((Allowance(requests=False, remaining=1000, reset=5.0),), 100)
    assert pace.rate == pytest.approx(2.0), "10 requests of 100 tokens in 5 s"
    pace.answered((Allowance(requests=True, remaining=0, reset=7.0),), 100)
    asyncio.run(pace.turn())
    assert clock.now == pytest.approx(107.0)


def test_an_allowance_for_a_day_is_used_at_full_speed(clock: Clock) -> None:
    """Spread over the day, 984 requests would be one in 88 seconds."""
    pace = Pace(clock)
    pace.answered((Allowance(requests=True, remaining=984, reset=86_000.0),), 100)
    assert pace.rate == math.inf
    used_up = Allowance(requests=True, remaining=0, reset=3600.0)
    pace.answered((used_up,), 100)
    asyncio.run(pace.turn())
    assert clock.now == 100.0, "only a refusal shows that the server enforces it"
    assert pace.seconds_until_reset((used_up,)) == 3600.0
    assert (
        pace.seconds_until_reset((Allowance(requests=False, remaining=50, reset=3600.0),)) == 3600.0
    )
    assert pace.seconds_until_reset((Allowance(requests=True, remaining=1, reset=3600.0),)) is None


def test_headers_tell_seconds_dates_and_what_is_left() -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(seconds=30)
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert retry_after({"retry-after": "-3"}) == 0.0
    nothing: tuple[str, ...] = ("", "soon", "inf", "nan", "1e999")
    for value in (*nothing, "Mon, 01 Jan 99999999999 00:00:00 GMT"):
        assert retry_after({"retry-after": value}) is None
    for long in ("1e308", "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"):
        assert retry_after({"retry-after": long}) == LONGEST
    assert retry_after({"retry-after": format_datetime(soon)}) == pytest.approx(30, abs=2)
    ahead = now + timedelta(hours=3)  # a server with a wrong clock
    late = {"retry-after": format_datetime(ahead + timedelta(seconds=30))}
    assert retry_after({**late, "date": format_datetime(ahead)}) == pytest.approx(30, abs=1)
    prefix = "anthropic-ratelimit-requests"
    headers = {f"{prefix}-remaining": "12", f"{prefix}-reset": soon.isoformat()}
    (allowance,) = allowances(headers)
    assert (allowance.requests, allowance.remaining) == (True, 12.0)
    assert allowance.reset == pytest.approx(30, abs=2)
    assert allowances({f"{prefix}-remaining": "12"}) == ()
    assert allowances({**headers, f"{prefix}-reset": "later"}) == ()
    assert allowances({**headers, f"{prefix}-remaining": "nan"}) == ()
    (far,) = allowances({**headers, f"{prefix}-reset": "9999-12-31T23:59:59Z"})
    assert far.reset == LONGEST
