"""A client of OpenAI's Batch API: chat completions at half the price, answered within a day.

A batch is an uploaded file of requests. Its results are a file of answers and a file of errors. The
first line below is from a file of requests, the second one from a file of answers:

    {"custom_id": "a1b2-0", "method": "POST", "url": "/v1/chat/completions", "body": {...}}
    {"custom_id": "a1b2-0", "response": {"status_code": 200, "body": {...}}, "error": null}

A batch may have at most 50,000 requests and 200 MB (https://platform.openai.com/docs/guides/batch).
Before a batch is sent, its plan is stored on disk (annotation/batch_plans.py), and the name of the
plan is put into the metadata of the batch. If the response with the id of the batch is lost, the
batch is found by this name.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import openai

from scicot.errors import ScicotError, StoppedEarly
from scicot.teachers.base import BatchNotFound, Reply, Request, TeacherBusy, TeacherError
from scicot.teachers.batches import Batch, Unanswered, results_in
from scicot.teachers.chat_wire import TROUBLE, decoded, json_in, outcome_of, reply_of
from scicot.teachers.error_table import classify, classify_typed
from scicot.text import one_line

_SLOW = 600.0  # timeout in seconds for a call that transfers a whole batch
_ENDPOINT: Any = "/v1/chat/completions"
_NAME = "scicot_batch"  # key in the batch's metadata
_ENDED = ("completed", "failed", "expired", "cancelled")
_UNANSWERED = {"batch_expired": "expired", "batch_cancelled": "cancelled"}


class ChatBatches:
    """A client for the batches of one teacher (see `batches.Batches`)."""

    api = "the Batch API"
    most_requests = 50_000
    most_bytes = 190_000_000  # below the limit of 200 MB

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        parameters: Callable[[Request], dict[str, Any]],
        timeout: float,
    ) -> None:
        """Configure the client. `parameters` builds the JSON body of a request. `timeout` is the
        time limit in seconds of each API call, except for calls that transfer a whole batch."""
        # Unlike in time_limit.done_within, time in which the event loop is blocked counts too. If a
        # response is missed for this reason, it can be fetched again at no cost.
        self._client = client.with_options(timeout=timeout)
        self._parameters = parameters

    def encoded(self, custom_id: str, request: Request) -> bytes:
        fields = {"custom_id": custom_id, "method": "POST", "url": _ENDPOINT}
        return json.dumps({**fields, "body": self._parameters(request)}).encode()

    async def send(self, requests: Sequence[bytes], name: str) -> Batch:
        lines = b"".join(request + b"\n" for request in requests)
        try:
            uploaded = await self._client.files.with_raw_response.create(
                file=(f"{name}.jsonl", lines), purpose="batch", timeout=_SLOW
            )
            file = json_in(uploaded.http_response)
            identity = file.get("id") if isinstance(file, dict) else None
            if not isinstance(identity, str):
                raise TeacherBusy("the server's response to the upload has no file id")
            raw = await self._client.batches.with_raw_response.create(
                input_file_id=identity,
                endpoint=_ENDPOINT,
                completion_window="24h",
                metadata={_NAME: name},
            )
            return _batch(json_in(raw.http_response))
        except openai.NotFoundError as error:  # the server has no batch API, so nothing was created
            raise TeacherError(f"404 {one_line(str(error), 200)}") from None
        except TROUBLE as error:
            raise outcome_of(error) from None

    async def state(self, identity: str) -> Batch:
        fields = await self._retrieved(identity)
        batch = _batch(fields)
        if batch.archived and batch.requests and fields.get("status") == "completed":
            # Sending its requests again would pay for them twice.
            raise TeacherBusy(f"batch {identity} is completed, but has no results file yet")
        return batch

    async def since(self, moment: datetime) -> list[Batch]:
        found: dict[str, Batch] = {}
        cursor: dict[str, Any] = {}
        try:
            while True:
                raw = await self._client.batches.with_raw_response.list(limit=100, **cursor)
                page = json_in(raw.http_response)
                listed = [_batch(item) for item in page["data"]]
                new = [
                    batch for batch in listed if batch.created >= moment and batch.id not in found
                ]
                found.update((batch.id, batch) for batch in new)
                # A server without pagination returns its first page every time.
                if not new or not page.get("has_more"):
                    return sorted(found.values(), key=lambda batch: batch.created, reverse=True)
                cursor = {"after": listed[-1].id}
        except openai.NotFoundError:
            raise TeacherBusy("the server returned 404 for the list of batches") from None
        except TROUBLE as error:
            raise outcome_of(error) from None

    async def cancel(self, identity: str) -> None:
        try:
            await self._client.batches.with_raw_response.cancel(identity)
        except (openai.BadRequestError, openai.ConflictError):
            return
        except TROUBLE as error:
            raise _of_batch(identity, error) from None

    async def results(
        self, identity: str
    ) -> AsyncGenerator[tuple[str | None, Reply | Unanswered], None]:
        batch = await self._retrieved(identity)
        for name in ("output_file_id", "error_file_id"):
            file = batch.get(name)
            if not isinstance(file, str) or not file:
                continue
            async with aclosing(self._results_of(identity, file)) as results:
                async for result in results:
                    yield result

    async def _retrieved(self, identity: str) -> dict[str, Any]:
        try:
            raw = await self._client.batches.with_raw_response.retrieve(identity)
            batch = json_in(raw.http_response)
        except TROUBLE as error:
            raise _of_batch(identity, error) from None
        if not isinstance(batch, dict):
            raise TeacherBusy(_NO_BATCH)
        return batch

    async def _results_of(
        self, identity: str, file: str
    ) -> AsyncGenerator[tuple[str | None, Reply | Unanswered], None]:
        opened = self._client.files.with_streaming_response.content(file, timeout=_SLOW)
        name = f"file {file} of the batch's results"
        try:
            async with (
                opened as response,
                aclosing(results_in(response.iter_bytes(), name, _result)) as results,
            ):
                async for result in results:
                    yield result
        except TROUBLE as error:
            raise _of_batch(identity, error) from None


_NO_BATCH = "the server's response is not a batch of the Batch API"


def _of_batch(identity: str, error: Exception) -> Exception:
    if isinstance(error, openai.NotFoundError):
        return BatchNotFound(f"the server returned 404 for batch {identity}")
    return outcome_of(error)


def _batch(fields: Any) -> Batch:
    fields = fields if isinstance(fields, dict) else {}
    identity, status, created = fields.get("id"), fields.get("status"), fields.get("created_at")
    timed = isinstance(created, int | float) and 0 <= created < 1e11
    if not (isinstance(identity, str) and isinstance(status, str) and timed):
        raise TeacherBusy(_NO_BATCH)
    counts = fields.get("request_counts")
    total = counts.get("total") if isinstance(counts, dict) else None
    metadata = fields.get("metadata")
    name = metadata.get(_NAME) if isinstance(metadata, dict) else None
    ended = status in _ENDED
    files = [fields.get("output_file_id"), fields.get("error_file_id")]
    return Batch(
        identity,
        ended,
        datetime.fromtimestamp(created, UTC),
        {"total": total} if type(total) is int and total > 0 else {},
        archived=ended and not any(files),
        name=name if isinstance(name, str) else None,
        canceled=status == "cancelled",
        failure=_failure(identity, fields) if status == "failed" and not any(files) else None,
    )


def _failure(identity: str, batch: Mapping[str, Any]) -> ScicotError:
    """Return the error to raise for a batch that the server rejected as a whole. The error is
    StoppedEarly if the server may accept the same batch later (for example, when fewer requests are
    queued), else ScicotError."""
    errors = batch.get("errors")
    data = errors.get("data") if isinstance(errors, dict) else None
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    code = str(first.get("code"))
    reason = f"{code}: {first.get('message')}" if first else "no reason given"
    problem = f"the server rejected batch {identity} ({' '.join(reason.split())[:300]})"
    limited = code == "token_limit_exceeded" or isinstance(
        classify(400, {"error": first}), TeacherBusy
    )
    if limited:
        return StoppedEarly(f"{problem}; run the same command later to send its requests again")
    return ScicotError(
        f"{problem}; nothing was billed; fix the cause, then run the same command again"
    )


def _result(line: bytes) -> tuple[str | None, Reply | Unanswered]:
    try:
        value = decoded(line)
    except (ValueError, RecursionError):
        value = None
    value = value if isinstance(value, dict) else {}
    name = value.get("custom_id")
    return name if isinstance(name, str) else None, _outcome(value)


def _outcome(value: Mapping[str, Any]) -> Reply | Unanswered:
    response, error = value.get("response"), value.get("error")
    if isinstance(response, dict) and isinstance(response.get("status_code"), int):
        body, status = response.get("body"), response["status_code"]
        if status >= 400:
            return Unanswered(classify(status, body))
        try:
            return reply_of(body)
        except (TeacherBusy, TeacherError, ScicotError) as unreadable:
            return Unanswered(unreadable)
    if isinstance(error, dict):
        kind = _UNANSWERED.get(str(error.get("code")))
        if kind is not None:
            problem = TeacherBusy(f"the request was not processed (batch {kind})")
            return Unanswered(problem, canceled=kind == "cancelled")
        return Unanswered(classify_typed(error, otherwise=500))
    return Unanswered(TeacherBusy("the server's response is not a batch result"))
