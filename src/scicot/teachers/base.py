"""The Teacher protocol: an object with a `name` and the methods `ask` and `close`. Each call of
`ask` answers one request, or raises an exception that says why the request cannot be answered.

To add a teacher, write a module in this folder and an entry in `scicot.teachers.load_teacher`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scicot.prompts import Prompt
from scicot.text import whole_characters


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a teacher."""

    question_id: str
    sample: int  # 0, 1, ...; distinguishes several requests for the same question
    prompt: Prompt
    max_tokens: int  # limit of thinking and reply together
    thinking: bool = False  # True if a reasoning model should think and return its thinking


@dataclass(frozen=True, slots=True)
class Allowance:
    """The state of one rate limit, as reported by a server. `remaining` is the number of requests
    that may still be sent or, if `requests` is False, the number of tokens. `reset` is the number
    of seconds until the limit is fully available again."""

    requests: bool
    remaining: float
    reset: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of a teacher. `thinking` is the thinking that the server returned separately from
    `text`. `text` may contain more thinking in `<think>` tags. `stop_reason` is "end_turn",
    "max_tokens", "refusal" or another value that the server sent. `usage` maps kinds of tokens to
    their counts. `allowances` are the rate limits that the server reported. `saw_answer` is True
    for a recorded reply to a prompt that contained the gold answer.

    The constructor sanitises the fields: lone surrogates in strings become U+FFFD, and implausible
    token counts are removed from `usage`. `misstated` holds the kinds whose counts were removed.
    """

    text: str
    stop_reason: str = "end_turn"
    usage: Mapping[str, int] = field(default_factory=dict)
    allowances: tuple[Allowance, ...] = field(default=(), compare=False)
    misstated: tuple[str, ...] = field(default=(), init=False, compare=False)
    thinking: str = field(default="", kw_only=True)
    saw_answer: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "text", whole_characters(self.text))
        put(self, "thinking", whole_characters(self.thinking))
        put(self, "stop_reason", whole_characters(self.stop_reason))
        wrong = tuple(name for name, count in self.usage.items() if not _is_count(count))
        if wrong:
            put(self, "misstated", tuple(map(whole_characters, wrong)))
            valid = {name: count for name, count in self.usage.items() if name not in wrong}
            put(self, "usage", valid)


_MOST_TOKENS = 1_000_000_000  # of one reply; a larger count is an error of the server


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST_TOKENS


class TeacherBusy(Exception):
    """Raised if the server cannot answer now, because of a rate limit, overload, a timeout or a
    broken connection. A retry may succeed."""

    def __init__(
        self,
        problem: str,
        retry_after: float | None = None,
        *,
        limited: bool = False,
        timed_out: bool = False,
        allowances: tuple[Allowance, ...] = (),
    ) -> None:
        super().__init__(whole_characters(problem))
        self.retry_after = retry_after  # seconds that the server asked to wait, if it did
        # True if the server got too many requests, so that the rate is lowered
        self.limited = limited
        self.timed_out = timed_out  # True if there was no answer within --timeout
        self.allowances = allowances


class BatchNotFound(TeacherBusy):
    """Raised if the server returns 404 for a batch that it accepted earlier. The batch may still
    exist: servers have returned a wrong 404 for minutes (anthropic-sdk-python#1432)."""


class TeacherError(Exception):
    """Raised if this request cannot be answered, for example because it is too long. Other requests
    may still be answered.

    Errors that concern every request (credentials, billing, an unknown model) raise ScicotError
    instead. `certain` is False if the server's message does not show whether the error concerns
    every request.
    """

    def __init__(self, problem: str, *, certain: bool = True) -> None:
        super().__init__(whole_characters(problem))
        self.certain = certain


class Teacher(Protocol):
    """The protocol that every teacher implements.

    A teacher may also have these attributes:

    in_flight: the number of requests that the teacher can take at a time. Overrides --concurrency.
    count_tokens(request): returns the number of input tokens of a request.
    batches(): returns a client of the teacher's batch API (batches.py).
    identity: a fingerprint that distinguishes teachers of the same name.
    """

    @property
    def name(self) -> str:
        """The name of the teacher, KIND:NAME, which is recorded in rows."""

    async def ask(self, request: Request) -> Reply:
        """Answer one request. Raises TeacherBusy, TeacherError or ScicotError if the request cannot
        be answered."""

    async def close(self) -> None:
        """Close the teacher's connections."""
