"""Helpers for teachers behind an HTTP server: checks of the URL and the API key, and conversion of
errors without a status or with status 200."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from scicot.errors import ScicotError
from scicot.teachers.base import TeacherBusy
from scicot.teachers.error_table import classify, classify_typed
from scicot.text import one_line, whole_characters

# What HTTP clients and SDKs raise beside their own errors: for an answer that is cut short, and for
# one that cannot be decoded.
UNREADABLE = (
    httpx2.HTTPError,
    httpx2.StreamError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)

ADDRESS = "give the server as http://HOST:PORT, the port from 1 to 65535"


def check_url(url: str) -> None:
    """Raise ScicotError for what is no server's address. It may hold a password, so it is not
    shown."""
    try:
        parts = urlsplit(url)
        port = parts.port  # ValueError beyond 65,535
    except ValueError:
        parts, port = urlsplit(""), None
    named = re.fullmatch(r"[\w.:%-]+", parts.hostname or "")
    if parts.scheme not in ("http", "https") or not named or port == 0:
        raise ScicotError(f"--base-url {_without_password(url)!r}: {ADDRESS}")


def _without_password(url: str) -> str:
    before, at, host = url.rpartition("@")
    return f"...@{host}" if at else before + host


def has_key(environment: Mapping[str, str], *names: str) -> bool:
    """Return whether one of these variables holds a key. Raises ScicotError for a key that no
    header can carry; it is never shown."""
    given = [name for name in names if environment.get(name)]
    for name in given:
        key = environment[name]
        if not (key.isascii() and key.isprintable()) or key != key.strip():
            raise ScicotError(
                f"{name}: holds a character that no key has (a space, a line break or a byte that"
                " is not ASCII); set it anew"
            )
    return bool(given)


def unanswered(error: Exception) -> Exception:
    """Return the exception of ours for an HTTP client's error that has no status: the connection
    failed, or the answer could not be decoded."""
    if isinstance(error, json.JSONDecodeError):
        return TeacherBusy("the server's answer is not JSON")
    if isinstance(error, ValueError | TypeError | KeyError | AttributeError | RecursionError):
        return TeacherBusy(one_line(f"the server's answer cannot be read ({error})", 300))
    cause = str(error.__cause__ or "")
    if "header" in cause.lower():
        return ScicotError(f"no request can be sent: {one_line(cause, 300)}; fix the key")
    return TeacherBusy(one_line(f"{error} {cause and f'({cause})'}", 300))


def raise_error_in(body: bytes, headers: Mapping[str, str]) -> None:
    """Raise the error that an answer with status 200 holds; llama.cpp and proxies send such."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        raise classify_typed(error, otherwise=400)
    if error:
        raise classify(400, value, headers)


def counts_in(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return every number of a usage object; local servers leave some or all out, and broken ones
    make them up."""
    numbers: dict[str, Any] = {}
    for name, count in usage.items():
        if isinstance(count, int | float) and not isinstance(count, bool) and count:
            whole = isinstance(count, float) and count.is_integer()
            numbers[whole_characters(name)] = int(count) if whole else count
    return numbers
