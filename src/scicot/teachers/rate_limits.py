"""Parse rate limits and retry delays from the headers of a response. These headers are understood:

retry-after: 3                                          seconds, or an HTTP date
anthropic-ratelimit-requests-remaining: 12
anthropic-ratelimit-requests-reset: 2026-11-23T08:00:05Z
x-ratelimit-remaining-requests: 12                      as OpenAI and many others write it
x-ratelimit-reset-requests: 1m2.5s
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from scicot.teachers.base import Allowance

_NUMBER = r"(\d{1,9}(?:\.\d{1,9})?)"
_DURATION = re.compile(
    "".join(rf"(?:{_NUMBER}{unit})?" for unit in ("d", "h", "m(?!s)", "s", "ms"))
)
_COUNT = re.compile(r"\d{1,15}")
_KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
# Upper limit of a wait: a server that asks for 1e308 seconds is treated like one that asks for a
# year.
LONGEST = 366 * 86400.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the number of seconds that the server asks to wait before a retry, or LONGEST (a year)
    if it asks for more. Return None if there is no valid retry-after header."""
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = _http_date(value)
        if until is None:
            return None
        seconds = (until - _now(headers)).total_seconds()
    return min(max(0.0, seconds), LONGEST) if math.isfinite(seconds) else None


def allowances(headers: Mapping[str, str]) -> tuple[Allowance, ...]:
    """Return the rate limits for which these headers give both the remaining amount and the reset
    time."""
    found = _openai_allowances(headers)
    for kind in _KINDS:
        remaining = headers.get(f"anthropic-ratelimit-{kind}-remaining")
        reset = headers.get(f"anthropic-ratelimit-{kind}-reset")
        if remaining is None or reset is None:
            continue
        try:
            resets_at = datetime.fromisoformat(reset)
            amount = float(remaining)
        except ValueError:
            continue
        if not math.isfinite(amount):
            continue
        resets_at = resets_at if resets_at.tzinfo else resets_at.replace(tzinfo=UTC)
        seconds = min(max(0.0, (resets_at - _now(headers)).total_seconds()), LONGEST)
        found.append(Allowance(kind == "requests", max(0.0, amount), seconds))
    return tuple(found)


def _openai_allowances(headers: Mapping[str, str]) -> list[Allowance]:
    found = []
    for kind in ("requests", "tokens"):
        remaining = headers.get(f"x-ratelimit-remaining-{kind}") or ""
        reset = _DURATION.fullmatch(headers.get(f"x-ratelimit-reset-{kind}") or "")
        # Some servers send a plain number, which may be seconds or a point in time, so it is
        # ignored.
        if reset is None or not reset[0] or not _COUNT.fullmatch(remaining):
            continue
        seconds = sum(
            float(number) * unit
            for number, unit in zip(
                reset.groups(), (86400.0, 3600.0, 60.0, 1.0, 0.001), strict=True
            )
            if number
        )
        found.append(Allowance(kind == "requests", float(remaining), min(seconds, LONGEST)))
    return found


def _now(headers: Mapping[str, str]) -> datetime:
    """Return the server's time, from the Date header. Return the local time instead if the headers
    have no valid Date, or if Date differs from the local time by less than two seconds. In the
    latter case, the local time is more precise."""
    local = datetime.now(UTC)
    server = _http_date(headers.get("date") or "")
    # The Date header has a resolution of one second, so the local time is more precise.
    if server is None or abs((local - server).total_seconds()) < 2:
        return local
    return server


def _http_date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    # an invalid date such as "Mon, 01 Jan 99999999999 00:00:00 GMT"
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
