"""The Message Batches API: many requests at half the price, answered within a day.

https://docs.claude.com/en/docs/build-with-claude/batch-processing: at most 100,000 requests or
256 MB a batch, results in any order and only when all of the batch has ended.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import anthropic
import httpx2

from scicot.teachers.base import Reply, Request, TeacherBusy, TeacherError
from scicot.teachers.messages import MessagesTeacher, outcome_of, reply_of

MOST_REQUESTS = 100_000
MOST_BYTES = 200_000_000  # of 256 MB, for what HTTP and the SDK put around
_SLOW = 600.0  # seconds for a call that carries a whole batch
_TROUBLE = (anthropic.AnthropicError, httpx2.HTTPError, json.JSONDecodeError)


@dataclass(frozen=True, slots=True)
class Batch:
    """What the server says of a batch. `ended`: its results can be had."""

    id: str
    ended: bool
    created: datetime
    counts: Mapping[str, int]  # requests by what became of them, "processing" while nothing has
    archived: bool = False  # its results cannot be had any more

    @property
    def requests(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request without a reply. `again`: it was not its own fault (expired, canceled, server)."""

    problem: str
    again: bool


class MessageBatches:
    """Batches of one teacher's requests. All raise TeacherBusy for what may pass, TeacherError for
    a batch the server does not take, ScicotError for what concerns every request."""

    def __init__(self, teacher: MessagesTeacher) -> None:
        self._teacher = teacher
        self._api = teacher.client.messages.batches

    def encoded(self, custom_id: str, request: Request) -> bytes:
        """A request as it goes into a batch."""
        parameters = self._teacher.parameters(request)
        parameters.update(parameters.pop("extra_body", {}))
        return json.dumps({"custom_id": custom_id, "params": parameters}).encode()

    async def send(self, requests: Sequence[bytes]) -> Batch:
        try:
            sent = await self._api.create(
                requests=[json.loads(request) for request in requests], timeout=_SLOW
            )
        except _TROUBLE as error:
            raise outcome_of(error) from None
        return _batch(sent)

    async def state(self, identity: str) -> Batch:
        try:
            return _batch(await self._api.retrieve(identity))
        except anthropic.NotFoundError:
            raise TeacherError(f"the server knows no batch {identity}") from None
        except _TROUBLE as error:
            raise outcome_of(error) from None

    async def since(self, moment: datetime) -> list[Batch]:
        """The batches that were made since then, the latest first."""
        found = []
        try:
            async for one in self._api.list(limit=100):
                batch = _batch(one)
                if batch.created < moment:
                    break
                found.append(batch)
        except _TROUBLE as error:
            raise outcome_of(error) from None
        return found

    async def cancel(self, identity: str) -> None:
        """Take a batch back; nothing where it has ended already."""
        try:
            await self._api.cancel(identity)
        except (anthropic.BadRequestError, anthropic.ConflictError):
            return
        except _TROUBLE as error:
            raise outcome_of(error) from None

    async def results(self, identity: str) -> AsyncIterator[tuple[str, Reply | Unanswered]]:
        """(custom id, what came of it) for the requests of a batch that has ended."""
        try:
            async for one in await self._api.results(identity, timeout=_SLOW):
                yield one.custom_id, _outcome(one.result)
        except _TROUBLE as error:
            raise outcome_of(error) from None


def _batch(sent: Any) -> Batch:
    counts = getattr(sent, "request_counts", None)
    created, identity = getattr(sent, "created_at", None), getattr(sent, "id", None)
    if counts is None or not isinstance(created, datetime) or not isinstance(identity, str):
        raise TeacherBusy("the server's answer is no batch of the Message Batches API")
    ended = sent.processing_status == "ended"
    numbers = {name: n for name, n in counts.model_dump().items() if isinstance(n, int)}
    return Batch(identity, ended, created, numbers, getattr(sent, "archived_at", None) is not None)


def _outcome(result: Any) -> Reply | Unanswered:
    kind = getattr(result, "type", None)
    if kind == "succeeded":
        try:
            return reply_of(result.message)
        except TeacherBusy as unreadable:
            return Unanswered(str(unreadable), again=True)
    if kind == "errored":
        error = getattr(result.error, "error", None)
        kind, said = getattr(error, "type", "error"), getattr(error, "message", "")
        # What was wrong with the request itself stays so; the rest is trouble of the server.
        again = kind not in ("invalid_request_error", "not_found_error", "request_too_large")
        return Unanswered(" ".join(f"{kind}: {said}".split())[:300], again)
    return Unanswered(str(kind), again=True)
