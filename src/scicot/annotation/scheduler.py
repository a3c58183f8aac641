"""Send requests concurrently, with retries, backoff and a time limit.

A request holds a slot until its row is written, except while the request waits for a retry. During
this wait, another request can use the slot. So a server that refuses some requests at random still
gets as many requests as it can answer. in_flight.py limits the number of slots.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from scicot.annotation import retries
from scicot.annotation.in_flight import InFlight
from scicot.annotation.pace import Pace
from scicot.annotation.requests import RowRequest
from scicot.annotation.retries import out_of_patience, time_in
from scicot.config import GenerateSettings
from scicot.errors import ScicotError
from scicot.reporting import Reporter, number_of
from scicot.teachers import Reply, Teacher, TeacherBusy, TeacherError
from scicot.teachers.rate_limits import LONGEST

_POLL_SECONDS = 0.2  # between two checks whether the run has to stop
_IDLE_SECONDS = 0.005  # pause when no request is ready
_END = object()  # marks the end of the requests
_BACKOFF = (0.5, 60.0)  # seconds before the first retry, and before the last ones
_WORKERS = 8  # worker tasks per slot, since workers that wait for a retry use no slot


class Take(Protocol):
    """The callback that writes the row of a reply or an error. It returns a further request to send
    for the same sample, or None. `sent` is the time when the request was sent (time.monotonic)."""

    async def __call__(
        self, row_request: RowRequest, outcome: Reply | TeacherError, sent: float
    ) -> RowRequest | None: ...


class Scheduler:
    """Sends requests to one teacher, up to --concurrency at a time.

    `poll` is called regularly and raises an exception if the run has to stop. `blocking` is True if
    taking the next request from the iterator of requests may block, for example on a pipe. The
    request is then taken in a thread.
    """

    def __init__(
        self,
        teacher: Teacher,
        settings: GenerateSettings,
        reporter: Reporter,
        *,
        poll: Callable[[], None],
        blocking: bool = False,
    ) -> None:
        in_flight: int = getattr(teacher, "in_flight", None) or settings.concurrency
        self._count = _WORKERS * in_flight
        self._slots = InFlight(in_flight)
        self._teacher = teacher
        self._settings = settings
        self._reporter = reporter
        self._poll = poll
        self._blocking = blocking
        self._pace = Pace()
        self._closing = False
        self._in_flight = 0  # requests in flight, which will be paid for
        self._writing = 0  # outcomes that are being evaluated and written
        self._answered_at = -1.0
        self._warned: set[str] = set()
        # time when a reply first reported that an allowance of an hour or a day is used up
        self._used_up_at = math.inf
        self._enforced = True  # False once a request that was sent after this time was answered
        self._yielded_at = time.monotonic()

    async def run(self, row_requests: Iterator[RowRequest | None], take: Take) -> None:
        """Send all requests and pass their outcomes to `take`.

        If an exception stops the run, first wait a limited time for the replies to requests in
        flight, and pass these replies to `take`. Then raise the exception.
        """
        pull = asyncio.Lock()
        workers = [
            asyncio.create_task(self._work(row_requests, take, pull)) for _ in range(self._count)
        ]
        # Wait for the replies in flight: 10 s after a signal, --timeout after an error of our own.
        patience = retries.GRACE_SECONDS
        try:
            await self._watch(workers)
        except (ScicotError, OSError):
            patience = self._settings.timeout
            raise
        finally:
            self._closing = True
            try:
                await self._drain(workers, patience)
            finally:
                while self._writing:  # replies that have arrived are paid for, and are written soon
                    await asyncio.sleep(_IDLE_SECONDS)
                for worker in workers:  # replies that are still in flight are lost
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def _watch(self, workers: list[asyncio.Task[None]]) -> None:
        waiting = set(workers)
        while waiting:
            done, waiting = await asyncio.wait(
                waiting, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_EXCEPTION
            )
            for worker in done:
                worker.result()
            self._poll()

    async def _drain(self, workers: list[asyncio.Task[None]], patience: float) -> None:
        """Wait until no request is in flight, for at most `patience` seconds."""
        if self._in_flight:
            self._reporter.note(
                f"stopping: waiting up to {patience:.0f} s for"
                f" {number_of(self._in_flight, 'request')} in flight"
            )
        remaining, slice_ = patience, _POLL_SECONDS / 4
        while self._in_flight and remaining > 0:
            started = time.monotonic()
            await asyncio.wait(workers, timeout=slice_)
            passed = time.monotonic() - started
            # While the loop is blocked, replies that have arrived cannot be read, so this time does
            # not count.
            remaining -= passed if passed < 3 * slice_ else slice_ / 2
            if patience > retries.GRACE_SECONDS:
                self._poll()

    async def _work(
        self, row_requests: Iterator[RowRequest | None], take: Take, pull: asyncio.Lock
    ) -> None:
        while not self._closing:
            # One worker at a time takes a request, so that none is taken without a free slot.
            async with pull:
                row_request = await self._pull(row_requests)
                if row_request is None:
                    return
                await self._slots.acquire()
            try:
                while row_request is not None and not self._closing:
                    row_request = await self._process(row_request, take)
            except BaseException:
                self._closing = True  # set first, so that no other request is sent
                raise
            finally:
                self._slots.release()

    async def _process(self, row_request: RowRequest, take: Take) -> RowRequest | None:
        """Send one request and write the row of its outcome. Return a further request for the same
        sample, or None."""
        sent = time.monotonic()
        outcome = await self._outcome(row_request)
        self._writing += 1
        try:
            return await take(row_request, outcome, sent)
        finally:
            self._writing -= 1

    async def _pull(self, row_requests: Iterator[RowRequest | None]) -> RowRequest | None:
        """Return the next request. While `row_requests` yields None (no request is ready), wait for
        a moment and try again. Return None at the end of `row_requests`, or if the run stops."""
        while not self._closing:
            row_request = (
                await _next_in_thread(row_requests) if self._blocking else next(row_requests, _END)
            )
            if isinstance(row_request, RowRequest):
                await self._yield_to_loop()
                return row_request
            if row_request is _END:
                return None
            await asyncio.sleep(_IDLE_SECONDS)
        return None

    async def _yield_to_loop(self) -> None:
        """Let other tasks run, but at most once every _POLL_SECONDS."""
        # A teacher that never awaits would starve other tasks and signal handlers.
        now = time.monotonic()
        if now - self._yielded_at > _POLL_SECONDS:
            self._yielded_at = now
            await asyncio.sleep(0)

    async def _outcome(self, row_request: RowRequest) -> Reply | TeacherError:
        """Send a request, with retries, and return its reply or the TeacherError. Retries are made
        with backoff, for --max-wait seconds in total."""
        started, waited, (backoff, longest) = time.monotonic(), 0.0, _BACKOFF
        while True:
            await self._pace.turn()
            if self._closing:  # the run is stopping, so the request is not sent
                return await self._forever()
            sent_at = time.monotonic()
            self._in_flight += 1
            try:
                reply = await self._teacher.ask(row_request.request)
            except TeacherError as error:
                return error
            except TeacherBusy as busy:
                self._slow_down(busy, sent_at)
                # Always wait a little, even if the server allows an immediate retry: otherwise all
                # refused requests would come back at the same moment.
                delay = max(self._asked_for(busy), backoff * random.uniform(0.5, 1.0))
                # no doubling while the server refuses some requests but answers others
                if not (busy.limited and self._pace.lets_some_through):
                    backoff = min(2 * backoff, longest)
                last_error = busy
            else:
                self._answered_at = time.monotonic()
                self._slots.answered(sent_at)
                self._pace.answered(reply.allowances, _tokens(reply), sent_at)
                self._note_used_up(reply, sent_at)
                return reply
            finally:
                self._in_flight -= 1
            if self._closing:  # the request is not sent again
                return await self._forever()
            waited += time.monotonic() - sent_at + delay
            if waited > self._settings.max_wait:
                return self._gives_up(last_error, delay, started)
            self._tell(last_error)
            await self._wait_without_slot(delay)

    def _slow_down(self, busy: TeacherBusy, sent_at: float) -> None:
        """Lower the rate after a refusal, or the number of requests in flight after a timeout.
        `sent_at` is the time when the request was sent."""
        if busy.limited:
            self._pace.refused(busy.retry_after, busy.allowances, sent_at)
        if busy.timed_out and self._slots.timed_out(sent_at):
            self._reporter.note(
                f"{self._teacher.name}: requests time out; lowering the limit to"
                f" {number_of(self._slots.limit, 'request')} in flight"
            )

    def _asked_for(self, busy: TeacherBusy) -> float:
        """Return how many seconds the server asked to wait:

        - its retry-after, if it sent one
        - the time until the reset, if the server refused the request because an hourly or daily
          allowance is used up
        - 0.0 in all other cases
        """
        # An allowance that the server does not enforce is not the reason for a refusal.
        if busy.retry_after is not None or not (busy.limited and self._enforced):
            return busy.retry_after or 0.0
        return self._pace.seconds_until_reset(busy.allowances) or 0.0

    def _note_used_up(self, reply: Reply, sent_at: float) -> None:
        """Examine whether a reply reports that an hourly or daily allowance is used up.

        - At the first such report in a run, tell the user.
        - If a request that was sent after the first report is answered nevertheless, record that
          the server does not enforce the allowance.

        `sent_at` is the time when the request was sent (time.monotonic).
        """
        seconds = self._pace.seconds_until_reset(reply.allowances)
        if seconds is None:
            return
        if self._used_up_at < math.inf:
            self._enforced = self._enforced and sent_at <= self._used_up_at
            return
        # Requests are still sent, because some servers report an allowance but do not enforce it.
        self._used_up_at = time.monotonic()
        until = "for a year or more" if seconds >= LONGEST else f"until {time_in(seconds)}"
        self._reporter.note(
            f"{self._teacher.name}: reports that its rate limit is used up {until}; continuing"
            " until it refuses a request"
        )

    async def _wait_without_slot(self, seconds: float) -> None:
        """Release the slot, sleep, and take a slot again. During the sleep, another request can use
        the slot."""
        self._slots.release()
        try:
            await asyncio.sleep(seconds)
        finally:  # also when cancelled, so that the slot is released
            await self._slots.acquire()

    async def _forever(self) -> NoReturn:
        """Wait until this task is cancelled. Never return."""
        await asyncio.Event().wait()
        raise AssertionError

    def _gives_up(self, busy: TeacherBusy, delay: float, started: float) -> TeacherError:
        """Return a TeacherError for a request whose retries are used up. Raise StoppedEarly instead
        in these cases:

        - The server has answered no other request since `started`.
        - The server limits the request rate.
        - The server requires a wait longer than --max-wait.
        """
        asked_for = self._asked_for(busy) > self._settings.max_wait
        if not (busy.limited or asked_for) and self._answered_at > started:
            return TeacherError(f"{busy}, still after {self._settings.max_wait:.0f} s of retries")
        raise out_of_patience(f"{self._teacher.name}: {busy}", delay, self._settings.max_wait)

    def _tell(self, busy: TeacherBusy) -> None:
        """Warn about a retryable error, once for each message and at most five times in a run."""
        if str(busy) not in self._warned and len(self._warned) < 5:
            self._warned.add(str(busy))
            self._reporter.warn(
                f"{self._teacher.name}: {busy}; retrying"
                f" for up to {self._settings.max_wait:.0f} s (--max-wait)"
            )


async def _next_in_thread(row_requests: Iterator[RowRequest | None]) -> Any:
    """Take the next item of the iterator in a thread, because the iterator may block. If the run
    stops, the thread is abandoned."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def pull() -> None:
        try:
            outcome, deliver = next(row_requests, _END), future.set_result
        except BaseException as error:  # noqa: BLE001  (raised again where it is awaited)
            outcome, deliver = error, future.set_exception
        with suppress(RuntimeError):  # the loop is closed, so nobody awaits the future
            loop.call_soon_threadsafe(lambda: None if future.done() else deliver(outcome))

    threading.Thread(target=pull, daemon=True).start()
    return await future


def _tokens(reply: Reply) -> int:
    return sum(count for name, count in reply.usage.items() if name.endswith("tokens"))
