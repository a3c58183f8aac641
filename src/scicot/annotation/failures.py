"""Which failed requests become `error` rows: those whose question is at fault.

A server's words do not always tell whether it refuses this question or every question. So an error
that is not `certain` is held back until a question that was asked after it has been answered: then
the server does answer, and the fault lies in the question. Where nothing is answered any more, the
run stops with nothing recorded against the questions, and the same command asks them again.
"""

from __future__ import annotations

import time

from scicot.annotation.asking import Ask
from scicot.errors import ScicotError, StoppedEarly
from scicot.reporting import number_of
from scicot.teachers import TeacherError

Failed = tuple[Ask, TeacherError]


class Failures:
    """The failed requests of one run. `most` in a row end it; `answered_before` says whether the
    teacher answered questions of this output in an earlier run."""

    def __init__(self, teacher: str, most: int, *, answered_before: bool) -> None:
        self._teacher = teacher
        self._most = most
        self._answered = answered_before
        self._in_a_row = 0
        self._held: list[tuple[float, Failed]] = []

    def answer(self, asked_at: float) -> list[Failed]:
        """A request sent at this time (time.monotonic) was answered; the errors that are the fault
        of their questions for certain now."""
        self._in_a_row, self._answered = 0, True
        own = [failed for at, failed in self._held if at <= asked_at]
        self._held = [(at, failed) for at, failed in self._held if at > asked_at]
        return own

    def hold(self, ask: Ask, error: TeacherError) -> None:
        """Keep an error that may be the fault of its question or not."""
        self._held.append((time.monotonic(), (ask, error)))

    def check(self, error: TeacherError) -> None:
        """Count one more failure in a row; StoppedEarly where these are too many."""
        self._in_a_row += 1
        if self._in_a_row < self._most:
            return
        told = f"{self._teacher}: {number_of(self._in_a_row, 'request')} in a row failed"
        again = "the same command with --retry-rejected asks them again"
        if self._held:
            again = (
                f"nothing is recorded against {number_of(len(self._held), 'question')}, and the"
                " same command asks again"
            )
        raise StoppedEarly(f"{told} (the last: {error}); mend the cause: {again}")

    def rest(self) -> list[Failed]:
        """The errors held back when there is nothing more to ask; ScicotError where the teacher
        has answered nothing at all, so that nothing speaks against the questions."""
        held = [failed for _, failed in self._held]
        self._held = []
        if len(held) > 1 and not self._answered:
            raise ScicotError(
                f"{self._teacher}: refuses all of {number_of(len(held), 'question')} (the last:"
                f" {held[-1][1]}); nothing is recorded against them: mend the cause, and the same"
                " command asks again"
            )
        return held
