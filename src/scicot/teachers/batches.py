"""The common interface of batch APIs, which accept many requests at once and answer within a day.

message_batches.py implements it for Anthropic's Message Batches API, chat_batches.py for OpenAI's
Batch API.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from scicot.errors import ScicotError
from scicot.teachers.base import Reply, Request, TeacherBusy

_LONGEST_LINE = 64_000_000  # bytes of one result; a longer line is not a result


@dataclass(frozen=True, slots=True)
class Batch:
    """The state of a batch, as reported by the server.

    ended: the server is done with the batch. Its results can be downloaded unless `archived` is
    True.
    counts: the number of requests for each outcome. Empty if the numbers are not known yet.
    archived: there are no results to download, because the server has deleted them or because the
        batch ended without results.
    name: the name given at creation, if the API stores names.
    canceled: the batch was cancelled, so requests without a result were not processed.
    failure: the reason why the server rejected the whole batch, else None. A server may create a
        batch first, and check its requests later.
    """

    id: str
    ended: bool
    created: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    archived: bool = False
    name: str | None = None
    canceled: bool = False
    failure: ScicotError | None = None

    @property
    def requests(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The outcome of a batched request that got no reply. `error` gives the cause: TeacherError if
    the server rejected this request (see error_table.py), TeacherBusy for a temporary failure,
    ScicotError for an error that affects all requests. `canceled` is True if the request was
    cancelled."""

    error: Exception
    canceled: bool = False


class Batches(Protocol):
    """A client of the batch API of one teacher. All methods raise TeacherBusy for temporary errors,
    TeacherError for a batch that the server rejects, and ScicotError for errors that concern every
    request."""

    api: str  # name of the API, for messages
    most_requests: int  # maximum number of requests in a batch
    most_bytes: int

    def encoded(self, custom_id: str, request: Request) -> bytes:
        """Encode a request as JSON for `send`. The result of this request will have the same
        `custom_id`."""

    async def send(self, requests: Sequence[bytes], name: str) -> Batch:
        """Send encoded requests as one batch, under a name that no other batch has. Return the
        state of the batch."""

    async def state(self, identity: str) -> Batch:
        """Fetch the state of a batch by its id. Raises BatchNotFound if the server has no batch
        with this id."""

    async def since(self, moment: datetime) -> list[Batch]:
        """Return the batches that were created at `moment` or later, newest first."""

    async def cancel(self, identity: str) -> None:
        """Cancel a batch by its id. Does nothing if the batch has ended already."""

    def results(self, identity: str) -> AsyncGenerator[tuple[str | None, Reply | Unanswered], None]:
        """Yield (custom_id, outcome) for each request of an ended batch. The custom_id is
        None if the server sent no valid custom_id. A caller that stops before the end must close
        the generator (`aclosing`)."""


async def results_in(
    parts: AsyncIterator[bytes],
    name: str,
    decoded: Callable[[bytes], tuple[str | None, Reply | Unanswered]],
) -> AsyncGenerator[tuple[str | None, Reply | Unanswered], None]:
    """Yield `decoded(line)` for each line of a file of results, except blank lines. The bytes of
    the file arrive in `parts`. `name` describes the file.

    If the file has lines, but no line has a custom_id, raises TeacherBusy at the end of the file.
    Such a file may be the error page of a proxy.
    """
    named = any_line = False
    async with aclosing(_lines(parts, name)) as lines:
        async for line in lines:
            custom_id, outcome = decoded(line)
            named, any_line = named or custom_id is not None, True
            yield custom_id, outcome
    if any_line and not named:
        raise TeacherBusy(f"{name} holds no results")


async def _lines(parts: AsyncIterator[bytes], name: str) -> AsyncGenerator[bytes, None]:
    """Yield the lines that are not blank. Lines are split only at line feeds, because texts may
    contain other line separators."""
    rest = b""
    async for part in parts:
        *complete, rest = (rest + part).split(b"\n")
        for line in complete:
            if line.strip():
                yield line
        if len(rest) > _LONGEST_LINE:
            raise TeacherBusy(
                f"{name} is not JSONL: a line has more than {_LONGEST_LINE // 1_000_000} MB"
            )
    if rest.strip():
        yield rest
