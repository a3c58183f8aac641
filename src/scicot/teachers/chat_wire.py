"""Convert Chat Completions responses and SDK errors into scicot's Reply and exceptions.

The JSON is decoded here and not by the SDK, which does not validate responses. If a response comes
from a server other than OpenAI's, or through a broken proxy, any field may be missing or have any
type.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from scicot.teachers.base import Reply, TeacherBusy
from scicot.teachers.endpoint import (
    UNREADABLE,
    counts_in,
    error_without_status,
    origin_of,
    stop_reason_of,
)
from scicot.teachers.error_table import classify, classify_typed
from scicot.teachers.rate_limits import allowances

# Exceptions of the SDK for error responses, and for responses that are cut short or cannot be
# decoded.
TROUBLE = (openai.OpenAIError, *UNREADABLE)
# Finish reasons, and the stop reasons of the Messages API that rows contain instead.
_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
_COUNTS = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # DeepSeek and vLLM; OpenRouter; Ollama


def decoded(body: bytes) -> Any:
    """Decode the JSON body of a response, which may begin with a byte order mark. Raises ValueError
    if the body is invalid."""
    return json.loads(body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogatepass"))


def json_in(response: httpx2.Response) -> Any:
    """Decode the JSON body of a response. If the body is not JSON, raise TeacherBusy with a message
    that names the status and the address of the response."""
    try:
        return decoded(response.content)
    except (ValueError, RecursionError) as error:
        raise TeacherBusy(f"{error_without_status(error)}{origin_of(response)}") from None


def reply_of(answer: Any, headers: Mapping[str, str] | None = None, origin: str = "") -> Reply:
    """Convert `answer`, a decoded chat completion, to a Reply.

    If `answer` contains an error, as OpenRouter sends it, the exception for this error is raised
    (see error_table.py). If `answer` contains neither a reply nor an error, TeacherBusy is raised.
    A proxy may have answered instead of the server, so a retry may succeed.

    origin: the end of the message of TeacherBusy (see endpoint.origin_of).
    """
    choices = answer.get("choices") if isinstance(answer, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, dict) and isinstance(choice.get("error"), dict):
        raise classify_typed(choice["error"], otherwise=500)
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise TeacherBusy(f"the server's response is not a chat completion{origin}")
    text, thinking = _parts(message.get("content"))
    thoughts = [message.get(name) for name in _THOUGHTS]
    separate = [thought for thought in thoughts if isinstance(thought, str) and thought]
    thinking = "".join([*separate[:1], thinking])
    reason = stop_reason_of(choice.get("finish_reason"))
    reason = _REASONS.get(reason.lower(), reason)
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        text, reason = text or message["refusal"], "refusal"
    usage = answer.get("usage")
    counts = counts_in(usage) if isinstance(usage, dict) else {}
    named = {_COUNTS[name]: count for name, count in counts.items() if name in _COUNTS}
    return Reply(text, reason, named, allowances(headers or {}), thinking=thinking)


def _parts(content: Any) -> tuple[str, str]:
    """Return (text, thinking) of the content of a message. The content is a string or, from
    Mistral, a list of parts."""
    if isinstance(content, str):
        return content, ""
    text, thinking = [], []
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("text"), str):
            text.append(part["text"])
        thought = part.get("thinking")
        if isinstance(thought, str):
            thinking.append(thought)
        elif isinstance(thought, list):
            thinking.append(_parts(thought)[0])
    return "".join(text), "".join(thinking)


def outcome_of(error: Exception) -> Exception:
    """Return scicot's exception that corresponds to an exception of the SDK (see
    error_table.py)."""
    if isinstance(error, openai.APIStatusError):
        return classify(error.status_code, error_body(error), error.response.headers)
    return error_without_status(error)


def error_body(error: openai.APIStatusError) -> Any:
    """Return the whole decoded body of an error response. The SDK keeps only the part under
    "error"."""
    try:
        return decoded(error.response.content)
    except (ValueError, RecursionError, httpx2.StreamError):
        return error.body or error.message
