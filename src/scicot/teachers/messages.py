"""`anthropic:MODEL` asks a model through the Messages API of the Anthropic SDK.

With a base URL the same client reaches whatever speaks that API: vLLM, Ollama, llama.cpp's server,
SGLang, the LiteLLM proxy. Such a server wants no key as a rule, so none need be set for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2

from scicot.errors import ScicotError
from scicot.prompts import Prompt
from scicot.teachers.base import Reply, Request
from scicot.teachers.endpoint import ADDRESS, check_url, has_key, raise_error_in
from scicot.teachers.message_batches import MessageBatches
from scicot.teachers.messages_wire import TROUBLE, outcome_of, reply_of
from scicot.teachers.time_limit import done_within, too_late
from scicot.text import one_line

_CREDENTIALS = (401, 402, 403)


class MessagesTeacher:
    """One model behind the Messages API. `sampling` holds temperature or top_p, for servers that
    take them: Anthropic's does not, and its SDK has no argument for them. One that `only_counts`
    needs no key."""

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
        self._caching = True  # until a server says that it does not know what that is
        base_url = os.environ.get("ANTHROPIC_BASE_URL") if base_url is None else base_url
        if base_url is not None:
            check_url(base_url)
        elif self._sampling:
            given = ", ".join(f"--{name.replace('_', '-')}" for name in self._sampling)
            raise ScicotError(
                f"{given}: Anthropic's API takes no sampling parameters; leave it out, or name a"
                " local server with --base-url"
            )
        keyed = has_key(os.environ, "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
        self._counts = keyed or base_url is not None
        if not (self._counts or only_counts):
            raise ScicotError(
                "--teacher anthropic: no API key; set ANTHROPIC_API_KEY,"
                " or name a local server with --base-url"
            )
        # max_retries=0: the SDK obeys retry-after without a cap and would sleep past a walltime.
        # timeout=None: its limits are by the wall clock, ours (done_within) is not.
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
        caching, parameters = self._caching, self.parameters(request)
        asked = asyncio.ensure_future(self._asked(parameters))
        try:
            if not await done_within([asked], self.timeout):
                raise too_late(self.timeout)
            return asked.result()
        except anthropic.BadRequestError as error:
            if caching and "cache_control" in str(error.body):
                self._caching = False
                return await self.ask(request)
            raise outcome_of(error) from None
        finally:
            asked.cancel()

    async def _asked(self, parameters: dict[str, Any]) -> Reply:
        message: Any
        try:
            raw = await self.client.messages.with_raw_response.create(**parameters)
            message = await raw.parse()
        except anthropic.BadRequestError:
            raise
        except TROUBLE as error:
            raise outcome_of(error) from None
        if not isinstance(getattr(message, "content", None), list):
            raise_error_in(raw.http_response.content, raw.headers)
        return reply_of(message, raw.headers)

    def parameters(self, request: Request) -> dict[str, Any]:
        """Build the parameters of a Messages API call."""
        prompt = request.prompt
        parameters: dict[str, Any] = {
            "model": self.model,
            "max_tokens": request.max_tokens,
            "messages": _turns(prompt, self._caching),
        }
        if prompt.system:
            parameters["system"] = prompt.system
        if self._sampling:
            parameters["extra_body"] = self._sampling
        return parameters

    async def count_tokens(self, request: Request) -> int | None:
        """Count the input tokens of a request on the server. None if there is neither an API
        key nor a --base-url, if the call fails, or if its count is not valid. For status 401,
        402 or 403 raises the exception of `outcome_of`."""
        if not self._counts:
            return None
        parameters = self.parameters(request)
        del parameters["max_tokens"]
        parameters.pop("extra_body", None)
        try:
            async with asyncio.timeout(self.timeout):
                counted = (await self.client.messages.count_tokens(**parameters)).input_tokens
        except (TimeoutError, *TROUBLE) as error:
            if isinstance(error, anthropic.APIStatusError) and error.status_code in _CREDENTIALS:
                raise outcome_of(error) from None
            return None
        usage = Reply("", usage={"input_tokens": counted}).usage
        return usage.get("input_tokens")

    def batches(self) -> MessageBatches:
        """Return a client of the Message Batches API for the same model."""
        return MessageBatches(self.client, self.parameters, self.timeout)

    async def close(self) -> None:
        await self.client.close()


def _turns(prompt: Prompt, caching: bool) -> list[dict[str, Any]]:
    """The conversation: the examples as if they had been asked and answered before.

    The last of them ends what all requests begin with, which the server may keep
    (https://docs.claude.com/en/docs/build-with-claude/prompt-caching).
    """
    turns: list[dict[str, Any]] = []
    for asked, answered in prompt.examples:
        turns.append({"role": "user", "content": asked})
        turns.append({"role": "assistant", "content": answered})
    if turns and caching:
        block = {"type": "text", "text": turns[-1]["content"]}
        turns[-1]["content"] = [{**block, "cache_control": {"type": "ephemeral"}}]
    return [*turns, {"role": "user", "content": prompt.user}]
