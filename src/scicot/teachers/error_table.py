"""Classify a server's errors by their effect on the run, with one table of rules.

    classify(400, {"error": {"message": "prompt is too long: 210000 tokens > 200000 maximum"}})
        -> TeacherError             this question cannot be answered, but others can
    classify(400, {"error": {"message": "You have reached your specified API usage limits. You will
        regain access on 2026-12-01 at 00:00 UTC."}})
        -> StoppedEarly             no request is answered until then
    classify(401, {"error": {"message": "invalid x-api-key"}})
        -> ScicotError              no request is answered until the user acts
    classify(529, {"error": {"message": "Overloaded"}})
        -> TeacherBusy              retry later

Of these exceptions, only TeacherError may lead to a rejected row (with the reason `error`).

Status codes do not suffice to tell these cases apart. Anthropic reports its spend limit and an
exhausted credit as 400. LiteLLM reports an exceeded budget as 400 or 429. llama.cpp reports a
prompt that is too long as 400 or 500. The responses that the rules were written for are in
tests/test_error_table.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from scicot.errors import ScicotError, StoppedEarly
from scicot.teachers.base import TeacherBusy, TeacherError
from scicot.teachers.rate_limits import allowances, retry_after
from scicot.text import one_line

_LENGTH = 300  # characters shown of a server's message


class Cause(Enum):
    """The cause of an error, which determines whether the run continues, retries or stops."""

    QUESTION = "this question"  # becomes an error row; other questions continue
    # becomes an error row once a later request is answered
    UNCLEAR = "this question or the settings"
    ACCOUNT = "the account or the settings"  # exit code 1: the user must act
    PAUSED = "a limit that is lifted by itself"  # exit code 75: waiting helps
    LIMITED = "too many requests"  # retried at a lower rate
    PASSING = "the server, for the moment"  # retried


@dataclass(frozen=True)
class _Rule:
    cause: Cause
    statuses: tuple[int, ...] = ()  # empty: any status
    words: re.Pattern[str] | None = None  # searched in the error's type, code and message


def _rule(cause: Cause, *statuses: int, words: str = "") -> _Rule:
    return _Rule(cause, statuses, re.compile(words, re.I) if words else None)


_REFUSED = (400, 413, 422, 500)  # llama.cpp and Ollama report a prompt that is too long with 500

# The first matching rule applies. Rules with words come first, since a status alone is ambiguous.
_RULES = (
    _rule(Cause.PAUSED, words=r"\bregain access\b"),
    _rule(
        Cause.ACCOUNT,
        words=r"spend[_ ]limit|specified API usage limits|credit balance|insufficient[_ ]"
        r"(?:quota|balance|credits?|funds)|billing_error|usage credits are required"
        r"|extra usage is required|budget has been exceeded|exceeded[_ ]?budget|budget_exceeded"
        r"|over budget|crossed budget|organization_on_hold"
        r"|(?:organization|account|workspace|key)\b[\w ]{0,40}\b(?:disabled|suspended|deactivated"
        r"|expired|revoked|archived|not valid)|authentication_error|invalid (?:x-)?api[- ]key"
        r"|permission_error|only authorized for use with",
    ),
    _rule(Cause.PASSING, 408, 409, 424, 425, 460, 499),
    _rule(
        Cause.QUESTION,
        *(400, 403, 422, 500),
        words=r"content[_ ](?:filter|policy|management)|ContentPolicyViolation|input was flagged"
        r"|requires moderation|prompt was flagged"
        r"|blocked by (?:content|safety)|safety (?:system|filter|settings)",
    ),
    # A firewall's HTML page: it may block this text, or every request.
    _rule(Cause.UNCLEAR, 403, words=r"^\s*<"),
    _rule(Cause.ACCOUNT, 401, 402, 403),
    # --max-tokens exceeds the model's maximum output, so every request fails.
    _rule(
        Cause.ACCOUNT,
        *_REFUSED,
        words=r"max_tokens: \d+ > \d+|maximum allowed number of output tokens"
        r"|max_tokens\b.{0,40}\bmust be",
    ),
    # The sum of prompt and --max-tokens is too large; either of the two may be the cause.
    _rule(
        Cause.UNCLEAR,
        *_REFUSED,
        words=r"max(?:_completion)?_tokens\b.{0,40}\b(?:too large|exceeds?)\b"
        r"|maximum context length.*\b(?:completion|output)\b",
    ),
    _rule(
        Cause.QUESTION,
        *_REFUSED,
        words=r"(?:prompt|input|request|message)s?\b[^.]{0,40}(?<!took )\btoo (?:long|large)"
        r"|too many (?:input |prompt )?tokens|context[_ ](?:length|window|size|limit)"
        r"|ContextWindowExceeded|exceed_context_size|request_too_large"
        r"|maximum (?:context|input|prompt|model) length|input length",
    ),
    _rule(
        Cause.ACCOUNT,
        *(400, 404, 405, 415, 422, 501),
        words=r"model\b.{0,200}\b(?:not found|not exist|does ?n.t exist|not available|not supported"
        r"|deprecated|retired)|(?:invalid|unknown|unsupported) model|not_found_error|NotFoundError"
        r"|(?:is|are) (?:not supported|not permitted|deprecated)|does not support|not_supported"
        r"|(?:unknown|unexpected|unsupported) (?:parameter|field|argument|keyword|value)"
        r"|LLM Provider NOT provided",
    ),
    _rule(Cause.ACCOUNT, 404, 405, 501),
    _rule(
        Cause.LIMITED,
        words=r"rate_limit_error|rate limit|too many requests|throttl|overloaded|server busy"
        r"|no deployments? available|no healthy deployment|queue is full",
    ),
    _rule(Cause.LIMITED, 429, 529),
    _rule(Cause.QUESTION, 413),
)

# HTTP status for each error type, for errors that come without one: results of a batch, and errors
# that are sent with status 200.
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def classify_typed(error: Mapping[str, Any], otherwise: int) -> Exception:
    """Return the exception to raise for an `error` object without an HTTP status. The status is
    inferred from the object's "type". If the type is unknown, `otherwise` is the status."""
    status = _STATUSES.get(str(error.get("type")), otherwise)
    return classify(status, {"error": error})


def classify(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Exception:
    """Return the exception to raise for an error response.

    `body` is the decoded JSON of the response, or its text if it is not JSON. If the body contains
    a status code too, as with llama.cpp and LiteLLM, that code replaces the HTTP status.
    """
    headers = headers or {}
    response = _ErrorResponse.of(status, body)
    cause = response.cause()
    message = f"{response.status} {response.message}"
    if cause is Cause.QUESTION:
        return TeacherError(message)
    if cause is Cause.UNCLEAR:
        return TeacherError(message, certain=False)
    if cause is Cause.PAUSED:
        return StoppedEarly(
            f"the teacher's server has limited this account for now: {message}; wait, then {_AGAIN}"
        )
    if cause is Cause.ACCOUNT:
        problem = "has no such model or path" if response.status == 404 else "rejects requests"
        return ScicotError(
            f"the teacher's server {problem}: {message}; fix the cause, then {_AGAIN}"
        )
    return TeacherBusy(
        message,
        retry_after(headers),
        limited=cause is Cause.LIMITED,
        allowances=allowances(headers),
    )


_AGAIN = "run the same command again to resume"


@dataclass(frozen=True)
class _ErrorResponse:
    """The status, type and message of an error response, extracted from any of the layouts that
    servers use."""

    status: int
    kind: str  # type and codes of the error
    message: str

    @classmethod
    def of(cls, status: int, body: Any) -> _ErrorResponse:
        error: Any = body
        if isinstance(error, Mapping):  # {"error": {...}}, {"error": "..."}, {"detail": ...}
            inner = error.get("error") or error.get("detail")
            # {"error": "Bad Request", "message": ...}, {"error": true, "message": ...}
            error = (
                inner
                if inner and not (error.get("message") and _is_string_or_bool(inner))
                else error
            )
        if not isinstance(error, Mapping):
            return cls(status, "", one_line(str(error or "no reason given"), _LENGTH))
        details = error.get("details")
        codes = [error.get("type"), error.get("code")]
        codes += [details.get("error_code")] if isinstance(details, Mapping) else []
        message = error.get("message") or error.get("msg") or error
        code_status = _status(error.get("code"))
        kind = " ".join(str(code)[:100] for code in codes if code is not None)
        return cls(code_status or status, kind, one_line(str(message), _LENGTH))

    def cause(self) -> Cause:
        text = f"{self.kind} {self.message}"
        for rule in _RULES:
            by_status = not rule.statuses or self.status in rule.statuses
            if by_status and (rule.words is None or rule.words.search(text)):
                return rule.cause
        return Cause.PASSING if self.status >= 500 else Cause.UNCLEAR


def _is_string_or_bool(value: Any) -> bool:
    return isinstance(value, str | bool)


def _status(code: Any) -> int | None:
    """Convert `code`, the "code" field of an error, to an HTTP status. `code` may be a number or a
    string such as "400". Return None if `code` is not a number from 400 to 599."""
    text = str(code) if isinstance(code, int | str) else ""
    return int(text) if re.fullmatch(r"[45]\d\d", text) else None
