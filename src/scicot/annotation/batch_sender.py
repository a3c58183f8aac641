"""Send each planned batch exactly once. If an earlier run was killed while it was sending a batch,
look for this batch on the server first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from scicot.annotation.batch_plans import Plan
from scicot.annotation.generation import Generation
from scicot.annotation.retries import (
    GRACE_SECONDS,
    Patience,
    Stopped,
    finished_or_stopped,
    sleep,
)
from scicot.errors import ScicotError
from scicot.reporting import number_of
from scicot.teachers import BatchNotFound, TeacherBusy, TeacherError

if TYPE_CHECKING:
    from scicot.teachers.batches import Batch, Batches

T = TypeVar("T")

POLL_SECONDS = (1.0, 60.0)  # first and longest interval in seconds between polls of a batch
LISTED = 30.0  # seconds until a new batch is assumed to be in the server's list
_CLOCKS = timedelta(minutes=10)  # tolerance for a server clock that is behind ours


class Sender:
    """Sends the planned batches in `folder` and fetches their state from the server. `reserved`
    holds the names of the plans whose cost this run has already reserved in the budget."""

    def __init__(self, job: Generation, api: Batches, folder: Path) -> None:
        self._job = job
        self._api = api
        self._folder = folder
        self._cancel = job.work.settings.cancel_batches
        self.reserved: set[str] = set()

    async def sent(self, plan: Plan) -> Plan | None:
        """Send a plan's batch unless it was sent before, and return the plan with the batch's id.

        With --cancel-batches, nothing is sent:

        - If the batch was sent before, cancel the batch on the server and return its plan.
        - Otherwise delete the plan and return None.
        """
        if plan.id is None and plan.began is not None:
            found = await self._found(plan)
            plan = plan if found is None else plan.sent(found)
        if plan.id is None and self._cancel:
            plan.drop()
            return None
        if plan.id is None:
            plan = await self._send(plan)
        if self._cancel:
            await self.patiently(lambda: self._api.cancel(str(plan.id)))
        return plan

    async def _send(self, plan: Plan) -> Plan:
        row_requests = list(plan.row_requests(self._job.work.builder))
        if plan.name not in self.reserved:  # the plan is from an earlier run
            for row_request in row_requests:
                self._job.work.budget.reserve(row_request.request, batched=True)
        self.reserved.add(plan.name)
        requests = [
            self._api.encoded(plan.custom_id(line), row_request.request)
            for line, row_request in enumerate(row_requests)
        ]
        patience = self._patience()
        while True:
            self._job.poll()  # so that no further batch is sent after a request to stop
            plan = plan.beginning()
            try:
                return await self._sent_as_batch(plan, requests)
            except Stopped as stopped:  # the plan stays, and the next run looks for the batch
                raise stopped.reason from None
            except TeacherBusy as busy:
                self._job.work.reporter.warn(
                    f"{busy}; looking for the batch on the server for up to {LISTED:.0f} s"
                )
                await patience.wait(busy)
                # the batch may have been created although the reply was lost
                found = await self._found(plan)
                if found is not None:
                    return plan.sent(found)

    async def _sent_as_batch(self, plan: Plan, requests: list[bytes]) -> Plan:
        """Send the encoded requests of a plan as one batch, and return the plan with the batch's
        id.

        Raises ScicotError if the server rejects the batch. Raises TeacherBusy if it is unknown
        whether the server created the batch. Raises Stopped if the run has to stop.
        """
        send = self._api.send(requests, plan.name)
        try:
            batch, stop = await finished_or_stopped(send, self._job.poll, self._note_stop)
        except TeacherError as error:
            plan.drop()  # the server certainly rejected it, so no batch exists
            raise ScicotError(
                f"the server rejected the batch ({error}); fix the cause, then run the same command"
                " again"
            ) from None
        except ScicotError:
            plan.drop()
            raise
        self._job.work.reporter.note(
            f"batch {batch.id}: {number_of(plan.requests, 'request')} sent; they are answered"
            " within a day"
        )
        plan = plan.sent(batch.id)
        if stop is not None:
            raise Stopped(stop)
        return plan

    def _note_stop(self) -> None:
        self._job.work.reporter.note(
            f"stopping: waiting up to {GRACE_SECONDS:.0f} s for the server to confirm a batch;"
            " otherwise the next run looks for it on the server"
        )

    async def _found(self, plan: Plan) -> str | None:
        """Search the server for the batch of `plan`. Call this if the sending of the batch was
        interrupted. Return the batch's id, or None if the server has no such batch."""
        # The server may list a new batch with a delay of up to LISTED seconds.
        known_ids = {known_plan.id for known_plan in Plan.all_in(self._folder)}
        intervals = poll_intervals()
        while True:
            late = datetime.now(UTC) - _began_at(plan) >= timedelta(seconds=LISTED)
            for batch in await self.patiently(lambda: self._api.since(_began_at(plan) - _CLOCKS)):
                if batch.id not in known_ids and await self._is_batch_of(batch, plan):
                    return batch.id
            if late:
                return None
            await self.sleep(next(intervals))

    async def _is_batch_of(self, batch: Batch, plan: Plan) -> bool:
        """Return True if a batch on the server belongs to this plan.

        If the API stores batch names, compare the names. Otherwise wait for the batch to end,
        without a time limit. Then look for the plan's name in the custom_id of the first result.

        Raises StoppedEarly in two cases:

        - The server is too busy to answer requests for more than --max-wait seconds.
        - The server returns no result within --max-wait seconds after the batch has ended.
        """
        if batch.name is not None:
            return batch.name == plan.name
        if batch.archived or batch.requests not in (0, plan.requests):
            return False
        intervals = poll_intervals()
        if not batch.ended:
            self._job.work.reporter.note(
                f"batch {batch.id} may be the one that was being sent at {plan.began}; waiting for"
                " it to end, since only its results show this"
            )
        identity = batch.id
        while not batch.ended:
            await self.sleep(next(intervals))
            batch = await self.patiently(lambda: self._api.state(identity))
        if batch.archived or batch.requests != plan.requests:
            return False

        async def first() -> str:
            async with aclosing(self._api.results(identity)) as results:
                async for name, _ in results:
                    if name is not None:
                        return name
            # If the batch is ours after all, sending its requests again would pay for them twice.
            raise TeacherBusy(f"batch {identity} has ended, but the server returns no results")

        return plan.line_of(await self.patiently(first)) is not None

    async def state(self, plan: Plan) -> Batch:
        """Fetch the state of a plan's batch. If the server does not find the batch by its id,
        search the server's list of batches. Raises StoppedEarly if the batch is not found within
        --max-wait seconds."""

        async def state() -> Batch:
            try:
                return await self._api.state(str(plan.id))
            except BatchNotFound as missing:
                for batch in await self._api.since(_began_at(plan) - _CLOCKS):
                    if batch.id == plan.id:
                        return batch
                raise BatchNotFound(
                    f"{missing} and does not list it; check that the API key is the one it was"
                    f" sent with (nothing is sent again while {plan.path} exists)"
                ) from None

        return await self.patiently(state)

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await `call()` and return its result. While the server is busy, call again with growing
        delays. Raises StoppedEarly if the delays would add up to more than --max-wait seconds."""
        return await self._patience().call(call)

    async def sleep(self, seconds: float) -> None:
        await sleep(seconds, self._job.poll)

    def _patience(self) -> Patience:
        return Patience(self._job.work.settings.max_wait, self._job.poll)


def _began_at(plan: Plan) -> datetime:
    """Return the time at which sending the plan began. If it is not recorded, return a time in
    1970, so that batches of any age are searched."""
    if plan.began is None:
        return datetime.fromtimestamp(_CLOCKS.total_seconds(), UTC)
    return datetime.fromisoformat(plan.began)


def poll_intervals() -> Iterator[float]:
    """Yield the seconds to wait before each poll of a batch. The waits grow from 1 s to 60 s, by a
    factor of 1.5 each."""
    seconds, longest = POLL_SECONDS
    while True:
        yield seconds
        seconds = min(1.5 * seconds, longest)
