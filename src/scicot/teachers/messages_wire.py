"""What comes back from the Messages API, whoever speaks it: replies and errors of the SDK as ours.

The SDK does not check what it receives: in an answer of another server, or of a broken proxy,
every field may be missing or of any type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
from anthropic import BaseModel
from anthropic.types import Message

from scicot.errors import ScicotError
from scicot.teachers.base import Reply, TeacherBusy
from scicot.teachers.error_table import classify, classify_typed
from scicot.teachers.rate_limits import allowances
from scicot.text import one_line, whole_characters

# What the SDK raises for an answer that is an error, that is cut short, or that cannot be decoded.
TROUBLE = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.StreamError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)


def reply_of(message: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """The reply that a message holds; raises TeacherBusy where there is none in it."""
    if not isinstance(message, Message) or not isinstance(message.content, list):
        raise TeacherBusy("the server's answer is no message of the Messages API")
    texts = [getattr(block, "text", None) for block in message.content]
    text = "".join(text for text in texts if isinstance(text, str))
    reason: Any = message.stop_reason
    reason = reason if isinstance(reason, str) and reason else "end_turn"
    return Reply(text, reason[:100], _usage(message), allowances(headers or {}))


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


def outcome_of(error: Exception) -> Exception:
    """The exception of ours that an exception of the SDK stands for (see error_table.py)."""
    if isinstance(error, anthropic.APIStatusError):
        return classify(error.status_code, error.body or error.message, error.response.headers)
    if isinstance(error, anthropic.CredentialsError):
        return ScicotError(f"no request can be sent: {one_line(str(error), 300)}; fix the key")
    if isinstance(error, anthropic.AnthropicError | httpx2.HTTPError | httpx2.StreamError):
        cause = str(error.__cause__ or "")
        if "header" in cause.lower():
            return ScicotError(f"no request can be sent: {one_line(cause, 300)}; fix the key")
        return TeacherBusy(one_line(f"{error} {cause and f'({cause})'}", 300))
    if isinstance(error, json.JSONDecodeError):
        return TeacherBusy("the server's answer is not JSON")
    return TeacherBusy(one_line(f"the server's answer cannot be read ({error})", 300))


def _usage(message: Message) -> dict[str, Any]:
    """Every number there is; local servers leave some or all out, and broken ones make them up."""
    numbers: dict[str, Any] = {}
    for name, count in fields_of(message.usage).items():
        if isinstance(count, int | float) and not isinstance(count, bool) and count:
            whole = isinstance(count, float) and count.is_integer()
            numbers[whole_characters(name)] = int(count) if whole else count
    return numbers


def fields_of(model: Any) -> dict[str, Any]:
    """The fields of an object of the SDK as they came; pydantic's own dump fails on odd ones."""
    if not isinstance(model, BaseModel):
        return {}
    return {**model.__dict__, **(model.__pydantic_extra__ or {})}
