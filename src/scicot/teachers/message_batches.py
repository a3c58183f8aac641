"""A client of Anthropic's Message Batches API: requests at half the price, answered within a day.

A batch may have at most 100,000 requests and 256 MB. Its results come in any order, and only when
the whole batch has ended (https://docs.claude.com/en/docs/build-with-claude/batch-processing).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import anthropic
from anthropic.types.messages import MessageBatchIndividualResponse

from scicot.teachers.base import BatchNotFound, Reply, Request, TeacherBusy
from scicot.teachers.batches import Batch, Unanswered, results_in
from scicot.teachers.endpoint import origin_of
from scicot.teachers.error_table import classify_typed
from scicot.teachers.messages_wire import TROUBLE, fields_of, outcome_of, parsed, reply_of

_SLOW = 600.0  # timeout in seconds for a call that transfers a whole batch
# types of results of requests that were not processed, and their words in messages
_UNPROCESSED = {"canceled": "cancelled", "expired": "expired"}


class MessageBatches:
    """A client for the batches of one teacher (see `batches.Batches`). The API does not store batch
    names, so a batch whose id was lost is recognised by the custom_ids in its results."""

    api = "the Message Batches API"
    most_requests = 100_000
    most_bytes = 200_000_000  # below the limit of 256 MB, leaving room for HTTP and the SDK

    def __init__(
        self,
        client: anthropic.AsyncAnthropic,
        parameters: Callable[[Request], dict[str, Any]],
        timeout: float,
    ) -> None:
        """Configure the client. `parameters` builds the JSON body of a request. `timeout` is the
        time limit in seconds of each API call, except for calls that transfer a whole batch."""
        # Unlike in time_limit.done_within, time in which the event loop is blocked counts too. If a
        # response is missed for this reason, it can be fetched again at no cost.
        self._api = client.with_options(timeout=timeout).messages.batches
        self._parameters = parameters

    def encoded(self, custom_id: str, request: Request) -> bytes:
        """Encode a request as JSON for `send`. The result of this request will have the same
        `custom_id`."""
        parameters = self._parameters(request)
        parameters.update(parameters.pop("extra_body", {}))
        return json.dumps({"custom_id": custom_id, "params": parameters}).encode()

    async def send(self, requests: Sequence[bytes], name: str) -> Batch:  # noqa: ARG002
        """Send encoded requests as one batch, and return its state. `name` is not used, because the
        API does not store the names of batches."""
        decoded = [json.loads(request) for request in requests]
        try:
            raw = await self._api.with_raw_response.create(requests=decoded, timeout=_SLOW)
            return _batch(await parsed(raw), origin_of(raw.http_response))
        except TROUBLE as error:
            raise outcome_of(error) from None

    async def state(self, identity: str) -> Batch:
        """Fetch the state of a batch by its id. Raises BatchNotFound if the server has no batch
        with this id."""
        try:
            raw = await self._api.with_raw_response.retrieve(identity)
            return _batch(await parsed(raw), origin_of(raw.http_response))
        except TROUBLE as error:
            raise _of_batch(identity, error) from None

    async def since(self, moment: datetime) -> list[Batch]:
        """Return the batches that were created at `moment` or later, newest first."""
        found: dict[str, Batch] = {}
        try:
            page: Any = await self._api.list(limit=100)
            while True:
                known_count = len(found)
                for listed in page.data:
                    batch = _batch(listed)
                    if batch.created < moment:
                        return list(found.values())
                    found[batch.id] = batch
                # A server without pagination returns its first page every time.
                if len(found) == known_count or not page.has_next_page():
                    return list(found.values())
                page = await page.get_next_page()
        except anthropic.NotFoundError:
            raise TeacherBusy("the server returned 404 for the list of batches") from None
        except TROUBLE as error:
            raise outcome_of(error) from None

    async def cancel(self, identity: str) -> None:
        """Cancel a batch by its id. Does nothing if the batch has ended already."""
        try:
            await self._api.cancel(identity)
        except (anthropic.BadRequestError, anthropic.ConflictError):
            return
        except TROUBLE as error:
            raise _of_batch(identity, error) from None

    async def results(
        self, identity: str
    ) -> AsyncGenerator[tuple[str | None, Reply | Unanswered], None]:
        """Yield (custom_id, outcome) for each request of a batch that has ended. The custom_id is
        None if the server sent no valid custom_id. A caller that stops before the end must close
        the generator (`aclosing`)."""
        # Decoded here and not by the SDK, which stops at the first line that is not JSON.
        opened = self._api.with_streaming_response.results(identity, timeout=_SLOW)
        name = f"the results file of batch {identity}"
        try:
            async with (
                opened as response,
                aclosing(results_in(response.iter_bytes(), name, _result)) as results,
            ):
                async for result in results:
                    yield result
        except TROUBLE as error:
            raise _of_batch(identity, error) from None


def _of_batch(identity: str, error: Exception) -> Exception:
    if isinstance(error, anthropic.NotFoundError):
        return BatchNotFound(f"the server returned 404 for batch {identity}")
    return outcome_of(error)


def _batch(sent: Any, origin: str = "") -> Batch:
    counts = getattr(sent, "request_counts", None)
    created, identity = getattr(sent, "created_at", None), getattr(sent, "id", None)
    if counts is None or not isinstance(created, datetime) or not isinstance(identity, str):
        raise TeacherBusy(
            f"the server's response is not a batch of the Message Batches API{origin}"
        )
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    ended = getattr(sent, "processing_status", None) == "ended"
    numbers = {name: n for name, n in fields_of(counts).items() if isinstance(n, int)}
    return Batch(identity, ended, created, numbers, getattr(sent, "archived_at", None) is not None)


def _result(line: bytes) -> tuple[str | None, Reply | Unanswered]:
    """Decode a line of the results into (custom_id, outcome). The custom_id is None if the line has
    no valid custom_id."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("custom_id"), str):
        return None, _outcome(None)
    result = MessageBatchIndividualResponse.construct(
        custom_id=fields["custom_id"], result=fields.get("result")
    )
    return result.custom_id, _outcome(result.result)


def _outcome(result: Any) -> Reply | Unanswered:
    kind = getattr(result, "type", None)
    if kind == "succeeded":
        try:
            return reply_of(getattr(result, "message", None))
        except TeacherBusy as unreadable:
            return Unanswered(unreadable)
    if kind == "errored":
        error = getattr(getattr(result, "error", None), "error", None)
        fields = {name: getattr(error, name, None) for name in ("type", "message")}
        return Unanswered(classify_typed(fields, otherwise=500))
    done = _UNPROCESSED.get(str(kind))
    problem = "the server's response is not a batch result"
    if done:
        problem = f"the request was not processed (batch {done})"
    return Unanswered(TeacherBusy(problem), canceled=kind == "canceled")
