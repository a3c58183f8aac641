"""What a teacher is: something with a name that answers one request, and says why it could not.

A teacher is one file here and one row in the table of `scicot.teachers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scicot.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Request:
    """One question put to a teacher for the `sample`-th time."""

    question_id: str
    sample: int
    prompt: Prompt
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a server says of one of its limits: `remaining` of what it counts, which are whole
    requests or else tokens, until all of it is there again in `reset` seconds."""

    requests: bool
    remaining: float
    reset: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `stop_reason` is "end_turn", "max_tokens", "refusal" or the server's own."""

    text: str
    stop_reason: str = "end_turn"
    usage: Mapping[str, int] = field(default_factory=dict)
    allowances: tuple[Allowance, ...] = field(default=(), compare=False)


class TeacherBusy(Exception):
    """Not now: rate limits, overload, a broken connection. Asking again later may help."""

    def __init__(
        self,
        problem: str,
        retry_after: float | None = None,
        *,
        limited: bool = False,
        allowances: tuple[Allowance, ...] = (),
    ) -> None:
        super().__init__(problem)
        self.retry_after = retry_after  # seconds the server asked for, where it did
        self.limited = limited  # too many requests for the server, so fewer should come
        self.allowances = allowances


class TeacherError(Exception):
    """This one request cannot be answered (too long, malformed); others may well be.

    What concerns every request (credentials, billing, an unknown model) is a ScicotError instead.
    """


class Teacher(Protocol):
    """The one-method seam.

    A teacher that answers many requests at a time faster than one by one may say with an attribute
    `in_flight` how many it wants to have at a time, whatever --concurrency says. It may also have
    `count_tokens(request)` (how many a request sends), `batches()` (many requests, answered within
    a day: message_batches.py) and `identity`, where its name may stand for several.
    """

    @property
    def name(self) -> str:
        """KIND:NAME, as rows record it."""

    async def ask(self, request: Request) -> Reply:
        """Answer one request; raises TeacherBusy, TeacherError or ScicotError as said there."""

    async def close(self) -> None:
        """Let go of connections."""
