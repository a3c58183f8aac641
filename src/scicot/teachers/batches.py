"""The common interface of batch APIs, which take many requests at once and answer within a day.

message_batches.py implements Anthropic's Message Batches API, chat_batches.py OpenAI's Batch API.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from scicot.errors import ScicotError
from scicot.teachers.base import Reply, Request


@dataclass(frozen=True, slots=True)
class Batch:
    """State of a batch, as reported by the server.

    ended: its results are available.
    counts: number of requests by outcome; empty if not known yet.
    archived: the server has no results of the batch, or has deleted them.
    name: the name given at creation, if the API stores one.
    canceled: the batch was canceled; requests without a result were not processed.
    failure: why the server rejected the whole batch after accepting it.
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
    """A request without a reply. `error` gives the cause: TeacherError for a fault of this request
    (see error_table.py), TeacherBusy for a temporary fault, ScicotError for one that affects all
    requests."""

    error: Exception
    canceled: bool = False


class Batches(Protocol):
    """The batches of one teacher. All methods raise TeacherBusy for temporary errors, TeacherError
    for a batch that the server rejects, ScicotError for errors that concern every request."""

    api: str  # name of the API, for messages
    most_requests: int  # maximum number of requests in a batch
    most_bytes: int

    def encoded(self, custom_id: str, request: Request) -> bytes:
        """Encode a request for a batch."""

    async def send(self, requests: Sequence[bytes], name: str) -> Batch:
        """Send requests as one batch, under a name that no other batch has."""

    async def state(self, identity: str) -> Batch:
        """Fetch the state of a batch; raises BatchNotFound if the server does not find it."""

    async def since(self, moment: datetime) -> list[Batch]:
        """Return the batches created at `moment` or later, newest first."""

    async def cancel(self, identity: str) -> None:
        """Cancel a batch. Does nothing if it has ended already."""

    def results(self, identity: str) -> AsyncGenerator[tuple[str | None, Reply | Unanswered], None]:
        """Yield (custom id, outcome) for the requests of a batch that has ended; the id is None if
        a line has none. Close the generator (`aclosing`) if you leave it before its end."""
