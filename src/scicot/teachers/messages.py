"""`anthropic:MODEL` asks a model through the Messages API of the Anthropic SDK.

With a base URL the same client reaches whatever speaks that API: vLLM, Ollama, llama.cpp's server,
SGLang, the LiteLLM proxy. Such a server wants no key as a rule, so none need be set for it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anthropic
from anthropic.types import Message, Usage

from scicot.errors import ScicotError
from scicot.prompts import Prompt
from scicot.teachers.base import Reply, Request, TeacherBusy, TeacherError
from scicot.teachers.limits import allowances, retry_after

if TYPE_CHECKING:
    from scicot.teachers.message_batches import MessageBatches

_CREDENTIALS = (401, 402, 403)
_LIMITED = (429, 529)
_RETRYABLE = (408, 409, *_LIMITED)


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
        self._timeout = timeout
        self._sampling = dict(sampling or {})
        self._caching = True  # until a server says that it does not know what that is
        base_url = os.environ.get("ANTHROPIC_BASE_URL") if base_url is None else base_url
        if base_url is not None:
            _check_url(base_url)
        elif self._sampling:
            given = ", ".join(f"--{name.replace('_', '-')}" for name in self._sampling)
            raise ScicotError(
                f"{given}: Anthropic's API takes no sampling parameters; leave it out, or name a"
                " local server with --base-url"
            )
        has_key = any(os.environ.get(f"ANTHROPIC_{x}") for x in ("API_KEY", "AUTH_TOKEN"))
        self._counts = has_key or base_url is not None
        if not (self._counts or only_counts):
            raise ScicotError(
                "--teacher anthropic: no API key; set ANTHROPIC_API_KEY,"
                " or name a local server with --base-url"
            )
        # max_retries=0: the SDK obeys retry-after without a cap and would sleep past a walltime.
        self.client = anthropic.AsyncAnthropic(
            api_key=None if has_key else "none",
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
        )

    async def ask(self, request: Request) -> Reply:
        caching, parameters = self._caching, self.parameters(request)
        try:
            # The SDK's own timeout is for each read: a body that drips would never end.
            async with asyncio.timeout(self._timeout):
                raw = await self.client.messages.with_raw_response.create(**parameters)
                message = await _parsed(raw)
        except TimeoutError:
            raise TeacherBusy(f"no answer within {self._timeout:g} s") from None
        except anthropic.BadRequestError as error:
            if caching and "cache_control" in _message(error):
                self._caching = False
                return await self.ask(request)
            raise outcome_of(error) from None
        except (anthropic.APIError, json.JSONDecodeError) as error:
            raise outcome_of(error) from None
        return reply_of(message, raw.headers)

    def parameters(self, request: Request) -> dict[str, Any]:
        """What the Messages API is sent for a request."""
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
        """How many tokens a request sends; None where the server does not count, or has no key to
        be asked with."""
        if not self._counts:
            return None
        parameters = self.parameters(request)
        del parameters["max_tokens"]
        parameters.pop("extra_body", None)
        try:
            async with asyncio.timeout(self._timeout):
                return (await self.client.messages.count_tokens(**parameters)).input_tokens
        except (TimeoutError, anthropic.APIError, json.JSONDecodeError, AttributeError) as error:
            if isinstance(error, anthropic.APIStatusError) and error.status_code in _CREDENTIALS:
                raise outcome_of(error) from None
            return None

    def batches(self) -> MessageBatches:
        """The same model behind the Message Batches API."""
        from scicot.teachers.message_batches import MessageBatches

        return MessageBatches(self)

    async def close(self) -> None:
        await self.client.close()


async def _parsed(raw: Any) -> Any:
    try:
        return await raw.parse()
    except (anthropic.APIError, json.JSONDecodeError):
        raise
    except (ValueError, TypeError, AttributeError) as error:  # of a body of another make
        raise TeacherBusy(_one_line(f"the server's answer cannot be read ({error})")) from None


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


def reply_of(message: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """What a message of the API says; raises TeacherBusy for what is none."""
    if not isinstance(message, Message) or not isinstance(message.content, list):
        raise TeacherBusy("the server's answer is no message of the Messages API")
    # The SDK does not check what a server of another make sends: every field may be anything.
    texts = [getattr(block, "text", None) for block in message.content]
    text = "".join(text for text in texts if isinstance(text, str))
    reason = message.stop_reason or "end_turn"
    return Reply(text, reason, _usage(message), allowances(headers or {}))


def outcome_of(error: Exception) -> Exception:
    """Which of the three kinds of trouble an error of the SDK is."""
    if isinstance(error, json.JSONDecodeError):
        return TeacherBusy("the server's answer is not JSON")
    if not isinstance(error, anthropic.APIStatusError):
        cause = str(error.__cause__ or "")
        if "header" in cause.lower():  # a key with a line break in it
            return ScicotError(f"the request cannot be sent: {_one_line(cause)}; mend the API key")
        return TeacherBusy(_one_line(f"{error} {cause and f'({cause})'}"))
    status = error.status_code
    said = f"{status} {_message(error)}"
    billing = "credit balance" in said.lower() or "spend_limit" in str(error.body)
    if status in _CREDENTIALS or (billing and status in (400, 429)):
        return ScicotError(f"the teacher's server refuses: {said}; mend it and run the same again")
    if status == 404:
        return ScicotError(f"the teacher's server does not know the model or path: {said}")
    if status in _RETRYABLE or status >= 500:
        headers = error.response.headers
        return TeacherBusy(
            said,
            retry_after(headers),
            limited=status in _LIMITED,
            allowances=allowances(headers),
        )
    return TeacherError(said)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ScicotError(f"--base-url {url!r}: give the server as http://HOST:PORT")


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
