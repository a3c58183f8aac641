"""Decide which failed requests become `error` rows: those whose question caused the failure.

The server may have rejected a request because of its question, or it may reject all requests. If
the error message does not show which (TeacherError.certain is False), the error is held back: the
error is stored, but no row is written yet. Once a later request is answered, the server evidently
works. So the question caused the error, and the `error` row is written. A harmless question of our
own (PROBE) is sent to find the cause in two cases: if no other request is left, or if many
consecutive requests failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from scicot.annotation.requests import RowRequest
from scicot.annotation.retries import Patience
from scicot.annotation.setup import Setup
from scicot.errors import ScicotError, StoppedEarly
from scicot.records import Choice, Question
from scicot.reporting import number_of
from scicot.teachers import TeacherError

# A harmless question. If a server rejects it, the reason is not the question.
PROBE = Question(
    "probe", "Which of these is a metal?", (Choice("A", "wood"), Choice("B", "copper")), answer="B"
)


class Failures:
    """Decides which failed requests of one run become `error` rows.

    `reject` is called to write an `error` row. If it is unclear what caused a failure, the harmless
    question PROBE may be sent. `spend` is then called with the cost of PROBE in dollars.
    """

    def __init__(
        self,
        work: Setup,
        *,
        reject: Callable[[RowRequest, TeacherError], None],
        spend: Callable[[float], None],
    ) -> None:
        self._work = work
        self._reject = reject
        self._spend = spend
        self._in_a_row = 0
        self._held: list[tuple[float, RowRequest, TeacherError]] = []  # (time, request, error)
        self._probing = asyncio.Lock()

    def answer(self, sent: float) -> None:
        """Record that the server answered a request that was sent at the time `sent`
        (time.monotonic). Write an `error` row for each held-back error that occurred before `sent`.

        The server evidently works, so the questions probably caused these errors. Errors that
        occurred after `sent` stay held back.
        """
        self._in_a_row = 0
        held, self._held = self._held, [entry for entry in self._held if entry[0] > sent]
        for failed_at, row_request, error in held:
            if failed_at <= sent:
                self._reject(row_request, error)

    def hold(self, row_request: RowRequest, error: TeacherError) -> None:
        """Hold back the error of a request: store the error, and write no row yet. Whether the
        question or the server caused the error is decided later: when another request is answered,
        or in `settle`."""
        self._held.append((time.monotonic(), row_request, error))

    async def fail(
        self, row_request: RowRequest, error: TeacherError, poll: Callable[[], None]
    ) -> None:
        """If the error certainly concerns only this request (`error.certain`), write the request's
        `error` row. Otherwise hold the error back.

        If fewer than --max-failures consecutive requests have failed, do nothing else. Otherwise:

        - If errors are held back, call `settle(poll)`.
        - If no errors are held back, raise StoppedEarly.
        """
        if error.certain:
            self._reject(row_request, error)
        else:
            self.hold(row_request, error)
        self._in_a_row += 1
        if self._in_a_row < self._work.settings.max_failures:
            return
        if self._held:
            await self.settle(poll)
        else:
            raise StoppedEarly(
                f"{self._work.teacher.name}: {number_of(self._in_a_row, 'request')} in a row failed"
                f" (last error: {error}); fix the cause, then run the same command with"
                " --retry-rejected to resend them"
            )

    async def settle(self, poll: Callable[[], None]) -> None:
        """Find the cause of the held-back errors by sending the harmless question PROBE. Do nothing
        if no errors are held back.

        - If PROBE is answered, the questions caused the errors. Write their `error` rows.
        - If PROBE is rejected too, raise ScicotError and write no rows.
        - If the server stays busy beyond --max-wait, raise StoppedEarly.
        - If the budget does not cover PROBE, raise StoppedEarly.

        `poll` is called regularly and raises an exception if the run has to stop.
        """
        async with self._probing:
            if not self._held:
                return
            revealed = self._work.settings.reveal_answer == "always"
            request = self._work.builder.of(PROBE, 0, revealed=revealed).request
            budget = self._work.budget
            budget.reserve(request)
            sent = time.monotonic()
            try:
                patience = Patience(self._work.settings.max_wait, poll)
                reply = await patience.call(lambda: self._work.teacher.ask(request))
            except TeacherError as error:
                refused = number_of(len(self._held), "question")
                raise ScicotError(
                    f"{self._work.teacher.name}: fails on {refused}, and on a harmless test"
                    f" question too ({error}); fix the cause, then run the same command again to"
                    " resume"
                ) from None
            finally:
                budget.release(request)
            self._spend(budget.pay(request, reply) or 0.0)
            self.answer(sent)
