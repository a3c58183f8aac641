"""The kinds of faults that server.py sends: whole responses, and changes to a reply."""

from __future__ import annotations

import json
import re
from typing import Any

from fakes.teacher_server import _error, _json, message
from fakes.wire import Answered

NUMBER = re.compile(r"reply-(\d+)-of")
TYPED = {"content-type": "application/json"}
_RATE_LIMIT = {"type": "error", "error": {"type": "rate_limit_error", "message": "rate limit"}}
SPENT = {"type": "error", "error": {"type": "invalid_request_error", "message": "You have reached"
    " your specified API usage limits. You will regain access on 2026-12-01."}}  # fmt: skip


def _body(text: str | bytes, status: int = 200, **headers: str) -> Answered:
    body = text.encode() if isinstance(text, str) else text
    return (
        status,
        {**TYPED, **{name.replace("_", "-"): value for name, value in headers.items()}},
        body,
    )


def _limited(retry_after: str) -> Answered:
    return _body(json.dumps(_RATE_LIMIT), 429, retry_after=retry_after)


def _wired(wire: str) -> Answered:
    status, headers, body = _json(
        200, message({"messages": [{"role": "user", "content": "A. x"}]}, None)
    )
    return status, {**headers, "x-wire": wire}, body


# Responses instead of a reply; a retry gets one.
PASSING: dict[str, Answered] = {
    **{
        f"status {n}": _error(n, "some trouble")
        for n in (408, 409, 429, 500, 502, 503, 504, 520, 529)
    },
    "html 503": _body("<html>down</html>", 503, content_type="text/html"),
    "empty 500": _body("", 500),
    "overloaded in words": _body('{"error": "overloaded"}', 529),
    "retry-after 0.2": _limited("0.2"),
    "retry-after in the year 99999999999": _limited("Mon, 01 Jan 99999999999 00:00:00 GMT"),
    "retry-after -5": _limited("-5"),
    "retry-after nan": _limited("nan"),
    "retry-after in words": _limited("soon"),
    "reset": _wired("reset"),
    "torn": _wired("torn"),
    "drip": _wired("drip 4"),
    "html 200": _body("<html>a proxy's page</html>", content_type="text/html"),
    "html as json": _body("<html>a proxy's page</html>"),
    "empty 200": _body(""),
    "half a body": _body('{"id": "msg_1", "type": "message", "content": [{"type": "text", "te'),
    "null": _body("null"),
    "a list": _body("[]"),
    "a number": _body("7"),
    "deep nesting": _body("[" * 5000 + "]" * 5000),
    "no UTF-8": _body(b'{"id": "\xff\xfe"}'),
    "content null": _body('{"id": "m", "type": "message", "role": "assistant", "content": null}'),
    "an error with status 200": _body(json.dumps(_RATE_LIMIT)),
}
# Replies that are complete but unusual; each must become a row. In a change, "text" is filled with
# the reply's text, "usage.X" is a count, "headers.X" a header; other names are fields.
ODD: dict[str, dict[str, Any]] = {
    "usage of 400 digits": {"usage.input_tokens": "@digits"},
    "usage negative": {"usage.output_tokens": -7},
    "usage NaN": {"usage.output_tokens": "@nan"},
    "usage null": {"usage": None},
    "usage a list": {"usage": [1, 2]},
    "usage text": {"usage.input_tokens": "many"},
    "lone surrogate": {"text": "\ud83d{}"},
    "65536 dashes": {"text": "{}\n" + "-" * 65536},
    "65536 spaces and a word": {"text": "{}" + " " * 65536 + "so"},
    "stop_reason null": {"stop_reason": None},
    "stop_reason odd": {"stop_reason": "because"},
    "more blocks": {"more": ["odd", {"type": "text", "text": None}, {"type": "image"}]},
    "odd allowances": {
        "headers.anthropic-ratelimit-requests-remaining": "1e308",
        "headers.anthropic-ratelimit-requests-reset": "9999-12-31T23:59:59Z",
        "headers.anthropic-ratelimit-tokens-remaining": "-inf",
        "headers.anthropic-ratelimit-tokens-reset": "0001-01-01T00:00:00+23:59",
    },
    "odd date": {
        "headers.date": "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "headers.anthropic-ratelimit-requests-remaining": "100",
        "headers.anthropic-ratelimit-requests-reset": "2026-11-23T08:00:05",
    },
    "bidi and control characters": {"text": "\u202e\x1b[2J\x00{}\u2028"},
    "refusal": {"stop_reason": "refusal"},
    "cut off": {"stop_reason": "max_tokens"},
}
# Faults of a question itself, which cause one error row each.
LASTING = ("status 400", "status 413")
# Faults in the results of a batch.
RESULTS = (
    "html 200", "torn", "duplicates", "reset", "missing", "status 404", "custom_id null",
    "status 500", "foreign ids", "half a line", "lone surrogate", "empty 200", "usage odd",
)  # fmt: skip


def numbered(text: str, number: int) -> str:
    return f"This is reply-{number}-of the server. {text}"


def dumped(message: dict[str, Any]) -> bytes:
    return json.dumps(message).replace('"@digits"', "9" * 400).replace('"@nan"', "NaN").encode()


def make_odd(kind: str, message: dict[str, Any], headers: dict[str, str]) -> None:
    for path, value in ODD[kind].items():
        first, _, name = path.partition(".")
        if first == "headers":
            headers[name] = value
        elif first == "text":
            message["content"][0]["text"] = value.format(message["content"][0]["text"])
        elif first == "more":
            message["content"] += value
        elif name:
            message[first][name] = value
        else:
            message[first] = value
