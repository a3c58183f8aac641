"""Convert Messages API responses and SDK errors into scicot's Reply and exceptions.

The SDK does not validate responses. If a response comes from a server other than Anthropic's, or
through a broken proxy, any field may be missing or have any type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anthropic
from anthropic import BaseModel
from anthropic.types import Message

from scicot.errors import ScicotError
from scicot.teachers.base import Reply, TeacherBusy
from scicot.teachers.endpoint import (
    UNREADABLE,
    counts_in,
    error_without_status,
    origin_of,
    stop_reason_of,
)
from scicot.teachers.error_table import classify
from scicot.teachers.rate_limits import allowances
from scicot.text import one_line

# Exceptions of the SDK for error responses, and for responses that are cut short or cannot be
# decoded.
TROUBLE = (anthropic.AnthropicError, *UNREADABLE)


async def parsed(raw: Any) -> Any:
    """Return the SDK's object for `raw`, a raw response of the SDK. If `raw` cannot be decoded,
    raise TeacherBusy with a text that names the HTTP status and the URL."""
    try:
        return await raw.parse()
    except TROUBLE as error:
        raise TeacherBusy(f"{outcome_of(error)}{origin_of(raw.http_response)}") from None


def reply_of(message: Any, headers: Mapping[str, str] | None = None, origin: str = "") -> Reply:
    """Convert `message`, an object that the SDK returned, to a Reply.

    Raises TeacherBusy if `message` is not a message of the Messages API. A proxy may have answered
    instead of the server, so a retry may succeed.

    origin: text appended to the error text of TeacherBusy (see endpoint.origin_of).
    """
    if not isinstance(message, Message) or not isinstance(message.content, list):
        raise TeacherBusy(f"the server's response is not a message of the Messages API{origin}")
    text = "".join(_texts(message.content, "text"))
    thinking = "\n\n".join(_texts(message.content, "thinking"))
    reason = stop_reason_of(message.stop_reason)
    counts = counts_in(fields_of(message.usage))
    return Reply(text, reason, counts, allowances(headers or {}), thinking=thinking)


def _texts(blocks: list[Any], name: str) -> list[str]:
    """Return the values of the field `name` in the content blocks, without missing, empty and
    non-string values."""
    texts = [getattr(block, name, None) for block in blocks]
    return [text for text in texts if isinstance(text, str) and text]


def outcome_of(error: Exception) -> Exception:
    """Return scicot's exception that corresponds to an exception of the SDK (see
    error_table.py)."""
    if isinstance(error, anthropic.APIStatusError):
        return classify(error.status_code, error.body or error.message, error.response.headers)
    if isinstance(error, anthropic.CredentialsError):
        return ScicotError(
            f"cannot send requests: {one_line(str(error), 300)}; correct the credentials, or set"
            " ANTHROPIC_API_KEY"
        )
    return error_without_status(error)


def fields_of(model: Any) -> dict[str, Any]:
    """Return the fields of an SDK object by name, or {} for any other object."""
    if not isinstance(model, BaseModel):
        return {}
    # Pydantic's model_dump is not used, because it fails on unexpected values.
    return {**model.__dict__, **(model.__pydantic_extra__ or {})}
