"""Send the requests that have no row yet, judge the replies, and write their rows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from scicot import sources
from scicot.annotation.budget import missing_counts
from scicot.annotation.failures import Failures
from scicot.annotation.first_replies import FirstReplies, no_thinking
from scicot.annotation.judging import NO_THINKING, Verdict, verdict_on
from scicot.annotation.ledger import COST, Ledger
from scicot.annotation.requests import RowRequest
from scicot.annotation.scheduler import Scheduler
from scicot.annotation.setup import Setup
from scicot.annotation.watermark import Watermark
from scicot.errors import StoppedEarly
from scicot.outputs import Output
from scicot.records import Rationale
from scicot.reporting import Speed, Task, some_of
from scicot.teachers import Reply, TeacherError
from scicot.teachers.stop_reasons import is_unusual

_SHORT = 20_000  # characters; a shorter text is parsed faster than a thread starts
_POLL_SECONDS = 0.2  # between two updates of the progress bar
_SPEED_SECONDS = 5.0  # window over which the speed is measured


@dataclass
class GenerateSummary:
    """Counts and costs of a generate-rationales run.

    Of this run:

    kept: the number of kept rows.
    rejected: the number of rejected rows by reason.
    truncated: for each stop reason, the number of replies rejected as "truncated".
    tokens: the number of tokens by kind, such as "input_tokens".
    cost: the cost in dollars, None if the price is unknown.
    saved: the dollars that the server's prompt cache saved.
    first_error: the first error message of a request, "" if there was none.

    Of earlier runs:

    already_done: the number of finished requests.

    Of all runs together:

    all_kept: the number of kept rows.
    named: the number of kept rows in which the rationale names the gold choice and no other.
    errors: the number of requests that got an error instead of a reply.
    spent: the cost in dollars, None if the price is unknown.
    """

    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    already_done: int = 0
    errors: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    cost: float | None = None
    spent: float | None = None
    saved: float = 0.0
    all_kept: int = 0
    named: int = 0
    first_error: str = ""
    truncated: Counter[str] = field(default_factory=Counter)


class Generation:
    """One run of generate-rationales: its counts, and the files it writes."""

    def __init__(self, work: Setup, output: Output, ledger: Ledger, task: Task) -> None:
        self.summary = GenerateSummary(cost=work.budget.initial_cost)
        self.work = work
        self.output = output
        self.ledger = ledger
        self._task = task
        self._watermark = Watermark(work.rows, ledger, work.settings)
        # Requests by question whose rows this run wrote before its first pass over the questions,
        # such as the results of a batch that an earlier run sent.
        self._finished_first: Counter[str] = Counter()
        self._first_pass = True
        self.failures = Failures(work, reject=self.reject_failed, spend=self._spend)
        self._stopping = False
        # Each reply is compared with the kept samples of the same question, so replies are judged
        # one at a time.
        self._judging = asyncio.Lock()
        self._warned_of_usage = False
        name, thinking = work.teacher.name, work.settings.rationale_source == "thinking"
        self._first_replies = FirstReplies(name, work.reporter, thinking=thinking)
        # set when the budget cannot pay for a follow-up request
        self._budget_error: StoppedEarly | None = None
        self._unreported = 0  # requests done since the last update of the progress bar
        self._speed = Speed(_SPEED_SECONDS)
        work.budget.spent = ledger.spent

    async def send_each(self, row_requests: Iterator[RowRequest | None]) -> None:
        """Send the requests one per API call, several of them concurrently, and write the rows of
        the replies. A None among `row_requests` means that no request is ready at the moment."""
        rows, settings = self.work.rows, self.work.settings
        scheduler = Scheduler(
            self.work.teacher,
            settings,
            self.work.reporter,
            poll=self.poll,
            blocking=not rows.rereadable,
        )
        await scheduler.run(self._within_budget(row_requests), self.take)
        await self.failures.settle(self.poll)

    def pending(self) -> Generator[RowRequest | None]:
        """Yield the requests that have no row yet. While a long series of finished questions is
        skipped, yield None about every _POLL_SECONDS, so that the scheduler is not blocked."""
        builder, ledger = self.work.builder, self.ledger
        last_yield = time.monotonic()
        self._watermark = Watermark(self.work.rows, ledger, self.work.settings)
        first, self._first_pass = self._first_pass, False
        if first and self.work.rows.skipped is not None:
            self._count_done(self.work.rows.skipped.rows * self.work.settings.samples)
        for question in sources.unique(self.work.rows, self.work.reporter):
            row_requests = builder.pending(question, ledger)
            if first:
                done = self.work.settings.samples - len(row_requests)
                self._count_done(max(0, done - self._finished_first.pop(question.id, 0)))
            self._watermark.add_question(question.id, len(row_requests))
            yield from row_requests
            if time.monotonic() - last_yield > _POLL_SECONDS:
                last_yield = time.monotonic()
                yield None

    def _count_done(self, requests: int) -> None:
        self.summary.already_done += requests
        self._unreported += requests

    def _within_budget(
        self, row_requests: Iterator[RowRequest | None]
    ) -> Iterator[RowRequest | None]:
        """Reserve the worst-case cost of each request, then yield the request. Yield None while a
        request has to wait until requests in flight free a part of the budget. Raises StoppedEarly
        once the budget allows no further request."""
        budget = self.work.budget
        for row_request in row_requests:
            while row_request is not None and budget.waits(row_request.request):
                yield None
            if row_request is not None:
                budget.reserve(row_request.request)
            yield row_request
        if self._budget_error is not None:
            raise self._budget_error

    async def take(
        self, row_request: RowRequest, outcome: Reply | TeacherError, sent: float
    ) -> RowRequest | None:
        """Write the row for the reply to a request, or handle its error. `sent` is the time when
        the request was sent (time.monotonic). Return the second request of the same sample, which
        reveals the answer, if it is needed and the budget covers it; else None."""
        if isinstance(outcome, Reply):
            self.failures.answer(sent)
            follow_up = await self.enter(row_request, outcome)
        else:
            follow_up = None
            self.work.budget.release(row_request.request)
            # Not `poll`: in a worker task of the scheduler, its KeyboardInterrupt would end the
            # event loop before the replies in flight have arrived.
            await self.failures.fail(row_request, outcome, self._end_if_stopping)
        if follow_up is not None:
            try:
                self.work.budget.reserve(follow_up.request)
            except StoppedEarly as short:
                self._budget_error = short
                return None
        return follow_up

    def reject_failed(self, row_request: RowRequest, error: TeacherError) -> None:
        """Write the `error` row of a request that cannot be answered."""
        self._reject(row_request.row, "error", {"error": str(error)})
        self.summary.first_error = self.summary.first_error or str(error)
        self._count_finished(row_request.row.question.id)

    async def enter(
        self, row_request: RowRequest, reply: Reply, *, batched: bool = False
    ) -> RowRequest | None:
        """Add the cost of a reply to the budget, judge the reply, and write its row. Return the
        second request of the same sample, which reveals the answer, if it is needed; else None.
        `batched` is True for a reply from a batch API."""
        budget = self.work.budget
        self.summary.tokens.update(reply.usage)
        usage: dict[str, float] = dict(reply.usage)
        cost = budget.pay(row_request.request, reply, batched=batched)
        if not batched:
            budget.release(row_request.request)
        if cost is not None:
            usage[COST] = round(cost, 9)
            self.summary.cost = (self.summary.cost or 0.0) + cost
            self.summary.saved += budget.saved(reply.usage)
        self._warn_of_usage(reply)
        saw_answer = row_request.row.saw_answer or reply.saw_answer
        row = structs.replace(row_request.row, usage=usage, saw_answer=saw_answer)
        async with self._judging if self.work.settings.samples > 1 else nullcontext():
            verdict = await self._judged(row, reply)
            if verdict.reason is not None:
                fields = self._reason_fields(verdict.reason, reply)
                self._reject(verdict.row, verdict.reason, fields)
                if verdict.reason == "truncated":
                    self.summary.truncated[reply.stop_reason] += 1
            else:
                self.ledger.keep(verdict.row, named=verdict.named)
                self.summary.kept += 1
            self._first_replies.watch(reply, verdict.row, batched=batched)
        follow_up = self.work.builder.follow_up(verdict.row, verdict.reason, self.ledger)
        if follow_up is None:
            self._count_finished(row.question.id)
        return follow_up

    def _count_finished(self, question_id: str) -> None:
        """Count one request of a question as finished by this run."""
        self._unreported += 1
        self._watermark.answered(question_id)
        if self._first_pass:
            self._finished_first[question_id] += 1

    async def _judged(self, row: Rationale, reply: Reply) -> Verdict:
        """Parse a reply and decide whether to keep it. A long reply is parsed in a thread, because
        blocking the event loop would make other requests time out."""
        others = self.ledger.other_samples(row) if self.work.settings.samples > 1 else []

        def judged() -> Verdict:
            return verdict_on(row, reply, self.work.settings, others)

        if len(reply.text) + len(reply.thinking) <= _SHORT:
            return judged()
        return await asyncio.to_thread(judged)

    def _reason_fields(self, reason: str, reply: Reply) -> dict[str, Any]:
        """Return the extra fields of a rejected row:

        - "reply": the raw reply
        - "stop_reason": the stop reason, only if it is unusual
        - "error": an error message with advice, only if `reason` is NO_THINKING
        """
        fields = {"reply": reply.text}
        if is_unusual(reply.stop_reason):
            fields["stop_reason"] = reply.stop_reason
        if reason == NO_THINKING:
            remedy = no_thinking(self.work.teacher.name)
            fields["error"] = f"the reply contains no thinking; {remedy}"
        return fields

    def _warn_of_usage(self, reply: Reply) -> None:
        """Warn, once in a run, if the token counts of a reply are impossible or incomplete."""
        missing = missing_counts(reply) if self.work.budget.price is not None else []
        if reply.misstated:
            problem = f"impossible token counts ({some_of(reply.misstated)})"
        elif len(missing) == 1:
            problem = f"no {missing[0]}"
        else:
            return
        if not self._warned_of_usage:
            self._warned_of_usage = True
            priced = self.work.budget.price is not None
            consequence = "; such replies are counted at their maximum cost" if priced else ""
            self.work.reporter.warn(f"{self.work.teacher.name}: reports {problem}{consequence}")

    def _reject(self, row: Rationale, reason: str, fields: dict[str, Any]) -> None:
        self.ledger.reject(row, reason, fields)
        self.summary.rejected[reason] += 1

    def poll(self) -> None:
        """Update the progress bar. Raises KeyboardInterrupt if a signal has asked the run to
        stop."""
        steps, self._unreported = self._unreported, 0
        self._watermark.remember()
        figures: dict[str, int | str] = {"kept": self.summary.kept}
        figures |= {reason: count for reason, count in self.summary.rejected.items() if count}
        self._speed.record(time.monotonic(), self.summary.kept + self.summary.rejected.total())
        figures["requests/s"] = str(self._speed)
        figures["tokens"] = f"{sum(self.summary.tokens.values()):,}"
        if self.summary.cost is not None:
            figures["dollars"] = f"{self.summary.cost:.2f}"
        try:
            self._task.advance(steps, **figures)
        except BaseException:
            self._stopping = True
            raise

    def _end_if_stopping(self) -> None:
        """Raise StoppedEarly if `poll` has raised an exception before."""
        if self._stopping:
            raise StoppedEarly(
                "stopped before the cause of the failed requests was found; run the same command"
                " again to resume"
            )

    def _spend(self, cost: float) -> None:
        """Add the cost in dollars of a request without a row, such as PROBE, to the totals."""
        if self.summary.cost is not None:
            self.summary.cost += cost
        self.ledger.spent += cost

    def update_summary(self) -> None:
        """Copy the counts and the cost of all runs, which the ledger has added up, into the
        summary."""
        self._watermark.remember()
        ledger, summary = self.ledger, self.summary
        summary.errors = ledger.rejected["error"]
        summary.all_kept, summary.named = ledger.kept, ledger.named
        summary.spent = None if self.work.budget.price is None else ledger.spent
