"""`anthropic:MODEL` asks a model through the Messages API of the Anthropic SDK.

With a base URL the same client reaches whatever speaks that API: vLLM, Ollama, llama.cpp's server,
SGLang, the LiteLLM proxy. Such a server wants no key as a rule, so none need be set for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import anthropic
from anthropic.types import Message, Usage

from scicot.errors import ScicotError
from scicot.teachers.base import Reply, Request, TeacherBusy, TeacherError

_CREDENTIALS = (401, 402, 403)
_RETRYABLE = (408, 409, 429)


class MessagesTeacher:
    def __init__(self, model: str, *, base_url: str | None, timeout: float) -> None:
        self.name = f"anthropic:{model}"
        self._model = model
        base_url = os.environ.get("ANTHROPIC_BASE_URL") if base_url is None else base_url
        if base_url is not None:
            _check_url(base_url)
        has_key = any(os.environ.get(f"ANTHROPIC_{x}") for x in ("API_KEY", "AUTH_TOKEN"))
        if base_url is None and not has_key:
            raise ScicotError(
                "--teacher anthropic: no API key; set ANTHROPIC_API_KEY,"
                " or name a local server with --base-url"
            )
        # max_retries=0: the SDK obeys retry-after without a cap and would sleep past a walltime.
        self._client = anthropic.AsyncAnthropic(
            api_key=None if has_key else "none",
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
        )

    async def ask(self, request: Request) -> Reply:
        try:
            message = await self._client.messages.create(
                model=self._model,
                max_tokens=request.max_tokens,
                system=request.prompt.system,
                messages=[{"role": "user", "content": request.prompt.user}],
            )
        except anthropic.APIStatusError as error:
            raise _outcome(error) from None
        except (anthropic.APIConnectionError, anthropic.APIResponseValidationError) as error:
            raise TeacherBusy(_one_line(str(error))) from None
        except json.JSONDecodeError:
            raise TeacherBusy("the server's answer is not JSON") from None
        if not isinstance(message, Message) or not isinstance(message.content, list):
            raise TeacherBusy("the server's answer is no message of the Messages API")
        # The SDK does not check what a server of another make sends: every field may be anything.
        texts = [getattr(block, "text", None) for block in message.content]
        text = "".join(text for text in texts if isinstance(text, str))
        return Reply(text, message.stop_reason or "end_turn", _usage(message))

    async def close(self) -> None:
        await self._client.close()


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ScicotError(f"--base-url {url!r}: give the server as http://HOST:PORT")


def _outcome(error: anthropic.APIStatusError) -> Exception:
    """Which of the three kinds of trouble an HTTP status is."""
    status = error.status_code
    said = f"{status} {_message(error)}"
    billing = "credit" in said.lower() or "spend_limit" in str(error.body)
    if status in _CREDENTIALS or (billing and status in (400, 429)):
        return ScicotError(f"the teacher's server refuses: {said}; mend it and run the same again")
    if status == 404:
        return ScicotError(f"the teacher's server does not know the model or path: {said}")
    if status in _RETRYABLE or status >= 500:
        return TeacherBusy(said, _seconds(error.response.headers.get("retry-after")))
    return TeacherError(said)


def _usage(message: Message) -> dict[str, int]:
    """Every count of tokens there is; local servers may leave some or all of them out."""
    usage = message.usage.model_dump() if isinstance(message.usage, Usage) else {}
    return {name: count for name, count in usage.items() if isinstance(count, int) and count}


def _message(error: anthropic.APIStatusError) -> str:
    body = error.body
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        body = body["error"].get("message", body)
    return _one_line(str(body or error.message))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None  # an HTTP date: our own backoff is as good
