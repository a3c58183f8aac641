"""`openai:MODEL`: a teacher behind the Chat Completions API, which most servers implement.

    POST /v1/chat/completions
    {"model": ..., "messages": [{"role": "user", "content": ...}], "max_tokens": 1024}
    -> {"choices": [{"message": {"content": ...}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7}}

With `--base-url` the teacher may be a model on vLLM, SGLang, Ollama, llama.cpp's server, LM Studio,
OpenRouter, DeepSeek and others. These servers differ in the requests that they accept. If a server
rejects `max_completion_tokens` (or the older `max_tokens`), all later requests use the other name.
If a server rejects a system message, all later requests put the instructions at the start of the
first user message.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from scicot.errors import ScicotError
from scicot.prompts import Prompt
from scicot.teachers.base import Reply, Request
from scicot.teachers.chat_batches import ChatBatches
from scicot.teachers.chat_wire import TROUBLE, json_in, outcome_of, reply_of
from scicot.teachers.endpoint import (
    ADDRESS,
    check_environment,
    check_headers,
    check_url,
    has_key,
    origin_of,
    raise_error_in,
)
from scicot.teachers.time_limit import done_within, too_late
from scicot.text import one_line

# OpenAI's newer models reject "max_tokens"; older servers know only "max_tokens".
_LIMITS = ("max_tokens", "max_completion_tokens")
_NO_SYSTEM = re.compile(r"\bsystem (?:role|message|prompt)s?\b|\brole\b.{0,20}\bsystem\b", re.I)
_UNKNOWN = re.compile(
    r"unsupported|not supported|not permitted|unknown|unexpected|unrecogni[sz]ed|extra", re.I
)
_ONLY = re.compile(r"\bonly\b|\bmust\b|\bshould\b|\binvalid\b|\bdoes not\b|\bcannot\b", re.I)
# statuses of rejected requests; errors of a server's chat template come with 500
_REFUSED = (400, 422, 500)


class ChatTeacher:
    """A teacher that sends requests to one model through the Chat Completions API.

    `timeout` is the time limit of each request in seconds. `sampling` holds the temperature and
    top_p, if given. `only_counts` is True if the teacher is only used to estimate the cost. No API
    key is needed then, because no request is sent.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None,
        timeout: float,
        sampling: Mapping[str, float] | None = None,
        only_counts: bool = False,
    ) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._timeout = timeout
        self._sampling = dict(sampling or {})
        base_url = os.environ.get("OPENAI_BASE_URL") or None if base_url is None else base_url
        self._limit = _LIMITS[base_url is None]
        self._tried = {self._limit}
        self._system = True  # False once the server rejected a system message
        if base_url is not None:
            check_url(base_url)
            if urlsplit(base_url).path in ("", "/"):
                base_url = f"{base_url.rstrip('/')}/v1"
        keyed = has_key(os.environ, "OPENAI_API_KEY")
        if not (keyed or only_counts or base_url is not None):
            raise ScicotError(
                "--teacher openai: no API key; set OPENAI_API_KEY, or name a server that needs none"
                " with --base-url"
            )
        check_headers("OPENAI_CUSTOM_HEADERS", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
        check_environment()
        # max_retries=0: the scheduler retries, within --max-wait.
        # timeout=None: `done_within` limits the time. The SDK's own limit would also count time in
        # which the event loop is blocked.
        try:
            self._client = openai.AsyncOpenAI(
                api_key=None if keyed else "none", base_url=base_url, timeout=None, max_retries=0
            )
        except (openai.OpenAIError, httpx2.InvalidURL, ValueError) as error:
            raise ScicotError(f"--base-url: {one_line(str(error), 200)}; {ADDRESS}") from None

    async def ask(self, request: Request) -> Reply:
        """Send one request and return the reply. Raises TeacherBusy, TeacherError or ScicotError
        (see `base.Teacher`)."""
        parameters = self._parameters(request)
        task = asyncio.ensure_future(self._send(parameters))
        try:
            if not await done_within([task], self._timeout):
                raise too_late(self._timeout)
            return task.result()
        except openai.APIStatusError as error:
            if self._adapts(error, parameters):
                return await self.ask(request)
            raise outcome_of(error) from None
        finally:
            task.cancel()

    async def _send(self, parameters: dict[str, Any]) -> Reply:
        try:
            raw = await self._client.chat.completions.with_raw_response.create(**parameters)
            response: httpx2.Response = raw.http_response
            answer = json_in(response)
        except openai.APIStatusError:
            raise
        except TROUBLE as error:
            raise outcome_of(error) from None
        if not (isinstance(answer, dict) and isinstance(answer.get("choices"), list)):
            raise_error_in(response.content, response.headers)
        return reply_of(answer, response.headers, origin_of(response))

    def _adapts(self, error: openai.APIStatusError, sent: Mapping[str, Any]) -> bool:
        """Adapt later requests if `error` says that the server rejects one of these parts of the
        request `sent`:

        - The name of the token limit. Later requests use the other name.
        - The system message. Later requests have the instructions in the first user message.

        Return True if the request should be sent again.
        """
        if error.status_code not in _REFUSED:
            return False
        message = _message(error)
        old, new = _LIMITS if _LIMITS[0] in sent else _LIMITS[::-1]
        names = {name for name in _LIMITS if re.search(rf"\b{name}\b", message)}
        # "'max_tokens' is too large" does not mean an unsupported parameter. Each parameter name is
        # tried only once, whatever the server says.
        if old in names and (new in names or _UNKNOWN.search(message)):
            if self._limit == new:  # another request has changed it meanwhile
                return True
            if new in self._tried:
                return False
            self._limit = new
            self._tried.update(_LIMITS)
            return True
        refused = _NO_SYSTEM.search(message) and (_UNKNOWN.search(message) or _ONLY.search(message))
        if sent["messages"][0]["role"] == "system" and refused:
            self._system = False
            return True
        return False

    def _parameters(self, request: Request) -> dict[str, Any]:
        """Build the parameters of a Chat Completions call."""
        return {
            "model": self._model,
            "messages": _messages(request.prompt, self._system),
            self._limit: request.max_tokens,
            **self._sampling,
        }

    def batches(self) -> ChatBatches:
        """Return a client of the Batch API for the same model."""
        return ChatBatches(self._client, self._parameters, self._timeout)

    async def close(self) -> None:
        await self._client.close()


def _message(error: openai.APIStatusError) -> str:
    """Return the message of an error response, without the copy of the request that some servers
    include."""
    body: Any = error.body
    message = body.get("message") if isinstance(body, dict) else None
    if isinstance(message, str):
        return message
    return json.dumps(body, default=str)[:2000] if body else str(error)


def _messages(prompt: Prompt, system: bool) -> list[dict[str, str]]:
    """Return the messages of a conversation, with the few-shot examples as earlier turns. If
    `system` is True, the instructions are a system message. If `system` is False, the instructions
    are put at the start of the first user message."""
    turns: list[dict[str, str]] = []
    for question, answer in prompt.examples:
        turns.append({"role": "user", "content": question})
        turns.append({"role": "assistant", "content": answer})
    turns.append({"role": "user", "content": prompt.user})
    if prompt.system and system:
        return [{"role": "system", "content": prompt.system}, *turns]
    if prompt.system:
        turns[0]["content"] = f"{prompt.system}\n\n{turns[0]['content']}"
    return turns
