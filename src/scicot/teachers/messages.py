"""`anthropic:MODEL`: a teacher behind the Messages API, called through the Anthropic SDK.

With a base URL the same client reaches any server that implements this API: vLLM, Ollama,
llama.cpp's server, SGLang, the LiteLLM proxy. Such servers usually need no API key, so the key is
optional with a base URL.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anthropic
import httpx2

from scicot.errors import ScicotError
from scicot.prompts import Prompt
from scicot.teachers.base import Reply, Request
from scicot.teachers.endpoint import (
    ADDRESS,
    check_environment,
    check_headers,
    check_url,
    has_key,
    origin_of,
    raise_error_in,
)
from scicot.teachers.message_batches import MessageBatches
from scicot.teachers.messages_wire import TROUBLE, outcome_of, parsed, reply_of
from scicot.teachers.time_limit import done_within, too_late
from scicot.text import one_line

_KEY_OR_BILLING = (401, 402, 403)
# Matches an error message about the way thinking was requested: it names the parameters.
_THINKING = re.compile(r"thinking|adaptive|budget_tokens|\bdisplay\b", re.I)
_LEAST_BUDGET = 1024  # tokens; the API's minimum for budget_tokens
_FOR_THE_REPLY = 1024  # tokens that such a budget leaves to the reply


class MessagesTeacher:
    """A teacher that sends requests to one model through the Messages API.

    `timeout` is the time limit of each request in seconds. `sampling` holds the temperature and
    top_p, if given. Without a base URL, requests go to Anthropic's server, and ScicotError is
    raised if `sampling` is given. `only_counts` is True if the teacher is only
    used to estimate the cost. No API key is needed then, because no reply is requested.
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
        self.name = f"anthropic:{model}"
        self.model = model
        self.timeout = timeout
        self._sampling = dict(sampling or {})
        self._caching = True  # False once a server rejected cache_control
        self._thinking = 0  # index in _THINKING_FORMS of the form that the server accepts
        base_url = os.environ.get("ANTHROPIC_BASE_URL") if base_url is None else base_url
        if base_url is not None:
            check_url(base_url)
        elif self._sampling:
            options = ", ".join(f"--{name.replace('_', '-')}" for name in self._sampling)
            raise ScicotError(
                f"{options}: Anthropic's API does not accept sampling parameters; leave them out,"
                " or name a local server with --base-url"
            )
        keyed = has_key(os.environ, "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
        self._other_server = base_url is not None
        self._counts = keyed or base_url is not None
        if not (self._counts or only_counts):
            raise ScicotError(
                "--teacher anthropic: no API key; set ANTHROPIC_API_KEY,"
                " or name a local server with --base-url"
            )
        check_headers("ANTHROPIC_CUSTOM_HEADERS")
        check_environment()
        # max_retries=0: the SDK would obey any retry-after, even one beyond --max-wait.
        # timeout=None: `done_within` limits the time. The SDK's own limit would also count time in
        # which the event loop is blocked.
        try:
            self.client = anthropic.AsyncAnthropic(
                api_key=None if keyed else "none",
                base_url=base_url,
                timeout=None,
                max_retries=0,
            )
        except (anthropic.AnthropicError, httpx2.InvalidURL, ValueError) as error:
            raise ScicotError(f"--base-url: {one_line(str(error), 200)}; {ADDRESS}") from None

    async def ask(self, request: Request) -> Reply:
        caching, form, parameters = self._caching, self._thinking, self.parameters(request)
        task = asyncio.ensure_future(self._send(parameters))
        try:
            if not await done_within([task], self.timeout):
                raise too_late(self.timeout)
            return task.result()
        except anthropic.BadRequestError as error:
            if caching and "cache_control" in str(error.body):
                self._caching = False
                return await self.ask(request)
            if "thinking" in parameters and _THINKING.search(_message(error)):
                self._use_next_thinking_form(form, error)
                return await self.ask(request)
            raise outcome_of(error) from None
        finally:
            task.cancel()

    async def _send(self, parameters: dict[str, Any]) -> Reply:
        message: Any
        try:
            raw = await self.client.messages.with_raw_response.create(**parameters)
            message = await parsed(raw)
        except anthropic.BadRequestError:
            raise
        except TROUBLE as error:
            raise outcome_of(error) from None
        if not isinstance(getattr(message, "content", None), list):
            raise_error_in(raw.http_response.content, raw.headers)
        return reply_of(message, raw.headers, origin_of(raw.http_response))

    def _use_next_thinking_form(self, form: int, error: anthropic.BadRequestError) -> None:
        """Use the next entry of _THINKING_FORMS in all later requests, because the server rejected
        the entry at index `form`. Raises ScicotError if no entry is left."""
        if form < self._thinking:  # another request has switched already
            return
        if form + 1 == len(_THINKING_FORMS) - (not self._other_server):
            raise ScicotError(
                f"--rationale-source thinking: {self.name} does not support thinking"
                f" ({one_line(_message(error), 200)}); use another model, or leave the option out"
            )
        self._thinking = form + 1

    def parameters(self, request: Request) -> dict[str, Any]:
        """Build the parameters of a Messages API call for a request. Raises ScicotError if the
        model needs a thinking budget and max_tokens is too small for one."""
        prompt = request.prompt
        parameters: dict[str, Any] = {
            "model": self.model,
            "max_tokens": request.max_tokens,
            "messages": _turns(prompt, self._caching),
        }
        if prompt.system:
            parameters["system"] = prompt.system
        thinking = _THINKING_FORMS[self._thinking] if request.thinking else None
        if thinking is not None:
            parameters["thinking"] = thinking(request.max_tokens)
        if self._sampling:
            parameters["extra_body"] = self._sampling
        return parameters

    async def count_tokens(self, request: Request) -> int | None:
        """Return the number of input tokens of a request, as counted by the server.

        Return None in these cases:

        - There is neither an API key nor a base URL. Nothing is sent.
        - The server sends an invalid count.
        - The server sends an error with a status other than 401, 402 and 403.
        - The connection fails, or the time limit is exceeded.

        For status 401, 402 or 403 (credentials or billing), raise the exception that `outcome_of`
        returns.
        """
        if not self._counts:
            return None
        # Without thinking, whose budget may not fit into a small `max_tokens`.
        parameters = self.parameters(replace(request, thinking=False))
        del parameters["max_tokens"]
        parameters.pop("extra_body", None)
        try:
            async with asyncio.timeout(self.timeout):
                counted = (await self.client.messages.count_tokens(**parameters)).input_tokens
        except (TimeoutError, *TROUBLE) as error:
            if isinstance(error, anthropic.APIStatusError) and error.status_code in _KEY_OR_BILLING:
                raise outcome_of(error) from None
            return None
        usage = Reply("", usage={"input_tokens": counted}).usage
        return usage.get("input_tokens")

    def batches(self) -> MessageBatches:
        """Return a client of the Message Batches API for the same model."""
        return MessageBatches(self.client, self.parameters, self.timeout)

    async def close(self) -> None:
        await self.client.close()


def _adaptive(max_tokens: int) -> dict[str, Any]:  # noqa: ARG001
    """Return the API's "thinking" parameter that lets the model decide how much it thinks."""
    return {"type": "adaptive", "display": "summarized"}


def _with_budget(max_tokens: int) -> dict[str, Any]:
    """Return the API's "thinking" parameter with a fixed budget. The budget is `max_tokens` - 1024,
    or 1024 (the API's minimum) if `max_tokens` is below 2048. Raises ScicotError if `max_tokens` is
    at most 1024."""
    if max_tokens <= _LEAST_BUDGET:
        raise ScicotError(
            f"--max-tokens {max_tokens}: too low for this model, which needs {_LEAST_BUDGET} tokens"
            f" for thinking and more for the reply; give {_LEAST_BUDGET + _FOR_THE_REPLY} or more"
        )
    return {
        "type": "enabled",
        "budget_tokens": max(_LEAST_BUDGET, max_tokens - _FOR_THE_REPLY),
    }


# Ways to request thinking, tried in order. Newer models accept the first form, older ones the
# second. Other servers may reject both; then thinking is not requested (None), since their models
# think anyway. Without "display" some models return no thinking
# (https://platform.claude.com/docs/en/build-with-claude/thinking).
_THINKING_FORMS = (_adaptive, _with_budget, None)


def _message(error: anthropic.BadRequestError) -> str:
    """Return the message of an error response, without the copy of the request that some servers
    include."""
    body: Any = error.body
    detail = body.get("error") if isinstance(body, dict) else None
    detail = detail.get("message") if isinstance(detail, dict) else None
    return detail if isinstance(detail, str) else str(error.body or error)


def _turns(prompt: Prompt, caching: bool) -> list[dict[str, Any]]:
    """Return the messages of a conversation, with the few-shot examples as earlier turns.

    With `caching`, the last example is marked as the end of the prefix that all requests share. The
    server can then cache this prefix
    (https://docs.claude.com/en/docs/build-with-claude/prompt-caching).
    """
    turns: list[dict[str, Any]] = []
    for question, answer in prompt.examples:
        turns.append({"role": "user", "content": question})
        turns.append({"role": "assistant", "content": answer})
    if turns and caching:
        block = {"type": "text", "text": turns[-1]["content"]}
        turns[-1]["content"] = [{**block, "cache_control": {"type": "ephemeral"}}]
    return [*turns, {"role": "user", "content": prompt.user}]
