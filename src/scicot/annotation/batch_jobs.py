"""Run requests through a batch API: plan batches on disk, send each once, fetch the results.

Before a batch is sent, batch_plans.py writes its requests and the start time to disk. If a later
run finds such a plan without a batch id, batch_sender.py searches the server's recent batches for
the plan's batch. Some APIs store the plan's name with the batch. With other APIs, the batch is
recognised by the number and the custom_ids of its requests. So no batch is paid for twice, even if
the process is killed while sending it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scicot.annotation.batch_plans import FOLDER, Plan, plans_of
from scicot.annotation.batch_sender import Sender, poll_intervals
from scicot.annotation.first_replies import no_thinking
from scicot.annotation.generation import Generation
from scicot.annotation.judging import NO_THINKING
from scicot.annotation.requests import RowRequest
from scicot.annotation.setup import Setup
from scicot.errors import ScicotError, StoppedEarly, UsageError
from scicot.outputs import STDOUT, beside
from scicot.reporting import number_of, some_of
from scicot.teachers import Reply, TeacherBusy, TeacherError

if TYPE_CHECKING:
    from scicot.teachers.batches import Batch, Batches, Unanswered

_FETCHES = 2  # further attempts to fetch incomplete results
_ROUNDS = 3  # attempts in total for a request that expires or fails with a server error


def check(work: Setup, output: Path, *, force: bool) -> None:
    """Check that no unfinished batch would be abandoned. If --batch or --cancel-batches is given,
    also check that the option can be carried out.

    Raises ScicotError in these cases:
    - A batch is unfinished, and `force` is True.
    - A batch is unfinished, and neither --batch nor --cancel-batches is given.
    - --cancel-batches is given, but no batch is unfinished.
    - --batch or --cancel-batches is given, but the questions or the output are not files.
    - --batch or --cancel-batches is given, but the teacher has no batch API.
    """
    settings, under_way = work.settings, plans_of(output)
    folder, batched = beside(output, FOLDER), settings.batch or settings.cancel_batches
    if settings.cancel_batches and not under_way:
        raise ScicotError(f"--cancel-batches: {output} has no unfinished batch to cancel")
    if under_way and (force or not batched):
        more = "; leave out --force" if force else ""
        raise ScicotError(
            f"{folder}: a batch is unfinished; fetch its results with --batch, or cancel it with"
            f" --cancel-batches{more}"
        )
    if not batched:
        return
    option = "--batch" if settings.batch else "--cancel-batches"
    if not work.rows.rereadable:
        raise UsageError(f"{option}: needs a file of questions, which it reads more than once")
    if str(output) == STDOUT or (output.exists() and not output.is_file()):
        raise ScicotError(
            f"{option}: the output {output} is not a regular file; give one with -o, so that no"
            " paid reply is lost"
        )
    if not hasattr(work.teacher, "batches"):
        raise UsageError(f"{option}: {work.teacher.name} has no batch API; leave out {option}")


async def run(job: Generation) -> None:
    """Send all requests that have no row yet, in batches. Wait for the results and write their
    rows."""
    # `check` made sure that the teacher has a batch API and that OUT is a file.
    teacher: Any = job.work.teacher
    folder = beside(Path(job.output.name), FOLDER)
    folder.mkdir(exist_ok=True)
    Plan.tidy(folder)
    api: Batches = teacher.batches()
    runner = _Runner(job, api, folder)
    try:
        await runner.run()
    except (KeyboardInterrupt, asyncio.CancelledError):
        runner.note_open_batches()
        raise
    except TeacherError as error:
        raise ScicotError(f"{api.api}: {error}") from None
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


class _Runner:
    def __init__(self, job: Generation, api: Batches, folder: Path) -> None:
        self._job = job
        self._api = api
        self._folder = folder
        self._cancel = job.work.settings.cancel_batches
        self._sender = Sender(job, api, folder)
        self._rounds = 0  # rounds after which some requests were unanswered
        self._unanswered = 0  # requests that the last round left unanswered
        self._canceled = 0  # of these, the requests cancelled by somebody else
        self._fetched: dict[str, int] = {}  # incomplete fetches so far, by plan name
        self._answered = 0  # replies received in results during this run
        # Errors of which it is unclear whether the question caused them.
        self._unclear: list[tuple[RowRequest, TeacherError]] = []
        self._refused: ScicotError | None = None  # the reason why the server will answer no request

    async def run(self) -> None:
        while True:
            await self._run_planned()
            if self._refused is not None:
                raise self._refused
            if self._cancel:
                raise StoppedEarly(
                    "batches cancelled; their finished results are kept; run the same command"
                    " without --cancel-batches to continue"
                )
            if self._canceled:
                raise StoppedEarly(
                    f"{number_of(self._canceled, 'request')} unanswered, because a batch was"
                    " cancelled; run the same command again to resume"
                )
            if not await self._plan():
                self._job.poll()  # shows the requests that were done before on the progress bar
                return

    def note_open_batches(self) -> None:
        sent = [plan.id for plan in Plan.all_in(self._folder) if plan.id]
        if sent:
            self._job.work.reporter.note(
                f"batches on the server: {some_of(sent)}; run the same command again to fetch"
                " their results, or with --cancel-batches to cancel them"
            )

    async def _plan(self) -> bool:
        """Divide the pending requests into batches and write a plan for each, as far as the budget
        allows. Return True if any plan was written.

        If this run has no reply yet, first send a single request by an ordinary API call. Raises
        ScicotError if rationales are made from thinking, but the reply to this request contains
        no thinking. Raises StoppedEarly if the budget does not cover any request.
        """
        with closing(self._pending()) as pending:
            return await self._plan_of(pending)

    async def _plan_of(self, pending: Iterator[RowRequest]) -> bool:
        budget = self._job.work.budget
        most_requests, most_bytes = self._api.most_requests, self._api.most_bytes
        if self._job.summary.kept + self._job.summary.rejected.total() == 0:
            first = next(pending, None)
            if first is None:
                return False
            # An error that affects all requests shows up with a single one, not a day later in a
            # batch.
            await self._job.send_each(iter([first]))
            if self._job.summary.rejected[NO_THINKING]:
                teacher = self._job.work.teacher.name
                raise ScicotError(
                    f"--rationale-source thinking: the first reply of {teacher} contains no"
                    f" thinking, so no batch was sent; {no_thinking(teacher)}. Running the same"
                    " command again tests another question"
                )
        planned, row_requests, size, budget_error = False, list[RowRequest](), 0, None
        for row_request in pending:
            try:
                budget.reserve(row_request.request, batched=True)
            except StoppedEarly as error:
                budget_error = error
                break
            length = len(self._api.encoded("x" * 64, row_request.request))
            if row_requests and (len(row_requests) == most_requests or size + length > most_bytes):
                self._add_plan(row_requests)
                planned, row_requests, size = True, [], 0
            row_requests.append(row_request)
            size += length
        if row_requests:
            self._add_plan(row_requests)
        elif budget_error is not None and not planned:
            raise budget_error
        return planned or bool(row_requests)

    def _pending(self) -> Generator[RowRequest]:
        for row_request in self._job.pending():
            if row_request is None:
                self._job.poll()
            else:
                yield row_request

    def _add_plan(self, row_requests: list[RowRequest]) -> None:
        plan = Plan.make(self._folder, row_requests, retry=self._job.work.settings.retry_rejected)
        self._sender.reserved.add(plan.name)

    async def _run_planned(self) -> None:
        """Send the planned batches, wait until all have ended, and write their results."""
        self._unanswered = self._canceled = 0
        plans = [await self._sender.sent(plan) for plan in Plan.all_in(self._folder)]
        waiting = [plan for plan in plans if plan is not None]
        intervals = poll_intervals()
        while waiting:
            for plan in list(waiting):
                batch = await self._sender.state(plan)
                if batch.ended:
                    await self._collect(plan, batch)
                    waiting.remove(plan)
            if waiting:
                await self._sender.sleep(next(intervals))
        self._rounds += self._unanswered > 0

    async def _collect(self, plan: Plan, batch: Batch) -> None:
        """Write the rows of a batch that has ended, release the cost reserved for it, and delete
        its plan."""
        row_requests = list(plan.row_requests(self._job.work.builder))
        if batch.failure is not None:  # a batch that was rejected as a whole has no results
            self._refused = batch.failure
        else:
            counts = self._unanswered, self._canceled

            async def record_all() -> set[int]:
                # A repeated attempt reads the results from the start, so counting starts over too.
                self._unanswered, self._canceled = counts
                return await self._record_all(plan, row_requests, batch)

            seen = await self._sender.patiently(record_all)
            for line in sorted({*range(len(row_requests))} - seen):
                await self._record(row_requests[line], _missing(batch))
        await self._record_unclear(plan)
        if plan.name in self._sender.reserved:
            for row_request in row_requests:
                self._job.work.budget.release(row_request.request, batched=True)
        self._job.ledger.commit()
        plan.drop()

    async def _record_all(
        self, plan: Plan, row_requests: list[RowRequest], batch: Batch
    ) -> set[int]:
        """Fetch the results of a batch and write their rows (see _record). Return the numbers of
        the requests that have a result. A request's number is its line in the plan's
        .requests.jsonl file, counted from 0.

        Raises TeacherBusy if results are missing, so that the caller fetches them again. This
        exception is raised at most _FETCHES times for a batch, and never for a cancelled batch.
        """
        seen, foreign = set[int](), 0
        self._unclear.clear()
        async with aclosing(self._api.results(str(plan.id))) as results:
            async for name, outcome in results:
                line = None if name is None else plan.line_of(name)
                if line is None:
                    foreign += 1
                    continue
                if line not in seen:
                    seen.add(line)
                    await self._record(row_requests[line], outcome)
                if len(seen) % 100 == 0:
                    self._job.poll()
        incomplete = len(seen) < len(row_requests) and not batch.canceled
        if incomplete and self._fetched.get(plan.name, 0) < _FETCHES:
            self._fetched[plan.name] = self._fetched.get(plan.name, 0) + 1
            raise TeacherBusy(
                f"batch {plan.id}: {len(row_requests) - len(seen)} results are missing"
            )
        if foreign:
            self._job.work.reporter.warn(
                f"batch {plan.id}: ignored {number_of(foreign, 'result')} without a custom_id of"
                " this batch"
            )
        return seen

    async def _record(self, row_request: RowRequest, outcome: Reply | Unanswered) -> None:
        """Handle one result. The first case that applies decides:

        1. An earlier run wrote the row of the result: do not write it again.
        2. The request must be sent again: count the request as unanswered.
        3. The result is an error of unclear cause: store the error for `_record_unclear`.
        4. Otherwise: write the row.
        """
        key = row_request.row.sample, row_request.row.saw_answer
        attempt = self._job.ledger.attempts(row_request.row.question).get(key)
        if attempt is not None and not attempt.retry:
            self._answered += attempt.reason != "error"
            return
        if isinstance(outcome, Reply):
            self._answered += 1
            await self._job.enter(row_request, outcome, batched=True)
            return
        error = outcome.error
        if outcome.canceled:
            self._canceled += 1
            self._unanswered += 1
        elif isinstance(error, ScicotError):
            self._refused = error
            self._unanswered += 1
        elif isinstance(error, TeacherBusy) and self._rounds + 1 < _ROUNDS:
            self._unanswered += 1
        elif isinstance(error, TeacherError) and error.certain:
            self._job.reject_failed(row_request, error)
        else:
            self._unclear.append((row_request, TeacherError(str(error), certain=False)))

    async def _record_unclear(self, plan: Plan) -> None:
        """Handle the stored errors of unclear cause:

        - If any request of this run was answered, the server works, so the questions caused the
          errors. Write `error` rows.
        - If no request was answered, and there is one error, find the cause with the harmless
          question PROBE (see Failures.settle).
        - If no request was answered, and there are several errors, stop the run and write no rows.
        """
        if self._answered:
            for row_request, error in self._unclear:
                self._job.reject_failed(row_request, error)
        elif len(self._unclear) == 1:
            self._job.failures.hold(*self._unclear[0])
            await self._job.failures.settle(self._job.poll)
        elif self._unclear:
            _, error = self._unclear[-1]
            self._refused = StoppedEarly(
                f"batch {plan.id}: none of {number_of(len(self._unclear), 'request')} was answered"
                f" (last error: {error}); run the same command again to resend them, or without"
                " --batch to send them as single requests"
            )
        self._unclear.clear()


def _missing(batch: Batch) -> Unanswered:
    from scicot.teachers.batches import Unanswered

    problem = TeacherBusy("the batch ended without a result for this request")
    return Unanswered(problem, canceled=batch.canceled)
