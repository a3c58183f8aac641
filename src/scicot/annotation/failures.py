"""Which failed requests become `error` rows: those whose question is at fault.

A server's words do not always tell whether it refuses this question or every question. An error
that is not `certain` is therefore held back. It is recorded once a request that was sent after it
has been answered: the server does answer, so the fault lies in the question. Where no other
request is left, or many failed in a row, the job asks a question of its own (PROBE) to find out.
"""

from __future__ import annotations

import time

from scicot.annotation.asking import Ask
from scicot.records import Choice, Question
from scicot.teachers import TeacherError

Failed = tuple[Ask, TeacherError]

# Nothing in it can be the reason why it is refused.
PROBE = Question(
    "probe", "Which of these is a metal?", (Choice("A", "wood"), Choice("B", "copper")), answer="B"
)


class Failures:
    """The failed requests of one run."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self._held: list[tuple[float, Failed]] = []

    def answer(self, sent: float) -> list[Failed]:
        """Record that a request sent at this time (time.monotonic) was answered. Returns the held
        errors that are older: they lie in their questions."""
        self.in_a_row = 0
        own = [failed for at, failed in self._held if at <= sent]
        self._held = [(at, failed) for at, failed in self._held if at > sent]
        return own

    def hold(self, ask: Ask, error: TeacherError) -> None:
        """Keep an error that may be the fault of its question or not."""
        self._held.append((time.monotonic(), (ask, error)))

    @property
    def held(self) -> int:
        """The number of errors held back."""
        return len(self._held)
