"""Requests in flight: their number, and what happens to them when the work is stopped."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import virtual_time
from conftest import Recorder, world_rows

from scicot import GenerateSettings
from scicot.annotation import retries
from scicot.annotation.in_flight import InFlight
from scicot.annotation.requests import RequestBuilder, RowRequest
from scicot.annotation.scheduler import Scheduler
from scicot.errors import StoppedEarly
from scicot.records import Question
from scicot.teachers import Allowance, Reply, Request, TeacherBusy, TeacherError
from scicot.teachers.time_limit import too_late

SETTINGS = GenerateSettings(concurrency=2)


def asks(count: int) -> list[RowRequest]:
    asking = RequestBuilder("some", SETTINGS)
    questions = [Question.from_row(row) for row in world_rows()[:count]]
    return [asking.of(question, 0, revealed=False) for question in questions]


class Answering:
    name = "some"

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self.flying = self.most = 0

    async def ask(self, request: Request) -> Reply:
        self.flying += 1
        self.most = max(self.most, self.flying)
        try:
            await asyncio.sleep(self._seconds)
            return Reply("yes")
        finally:
            self.flying -= 1

    async def close(self) -> None:
        pass


def test_a_stop_waits_for_replies_that_are_being_judged(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "GRACE_SECONDS", 0.05)
    begun, written = [], []

    async def take(row_request: RowRequest, outcome: Reply | TeacherError, sent: float) -> None:
        begun.append(row_request)
        await asyncio.sleep(0.6)  # as long as judging a long reply in a thread may take
        written.append(row_request)

    def look() -> None:
        if begun:
            raise KeyboardInterrupt

    async def work() -> None:
        await Scheduler(Answering(), SETTINGS, recorder, poll=look).run(iter(asks(6)), take)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work())
    assert len(begun) == len(written) == 2


def test_a_question_that_waits_for_its_next_try_has_no_slot(recorder: Recorder) -> None:
    """While one question is refused again and again, its slot is used by others."""
    all_of_them = asks(8)
    first = all_of_them[0].request

    class Refusing(Answering):
        async def ask(self, request: Request) -> Reply:
            if request is first and not done.is_set():
                raise TeacherBusy("overloaded", 0.05)
            return await super().ask(request)

    done, order = asyncio.Event(), []

    async def take(row_request: RowRequest, outcome: Reply | TeacherError, sent: float) -> None:
        order.append(row_request)
        if len(order) == 7:
            done.set()

    async def work() -> None:
        scheduler = Scheduler(teacher, SETTINGS, recorder, poll=lambda: None)
        await scheduler.run(iter(all_of_them), take)

    teacher = Refusing(0.02)
    asyncio.run(work())
    assert len(order) == 8
    assert order[-1] is all_of_them[0]
    assert teacher.most == 2


def test_no_more_are_drawn_than_have_a_slot_and_one(recorder: Recorder) -> None:
    drawn: list[RowRequest] = []
    answered: list[RowRequest] = []

    def drawing() -> Iterator[RowRequest]:
        for ask in asks(20):
            drawn.append(ask)
            assert len(drawn) - len(answered) <= SETTINGS.concurrency + 1
            yield ask

    async def take(row_request: RowRequest, outcome: Any, sent: float) -> None:
        answered.append(row_request)

    async def work() -> None:
        await Scheduler(Answering(0.01), SETTINGS, recorder, poll=lambda: None).run(drawing(), take)

    asyncio.run(work())
    assert len(answered) == 20


class Daily(Answering):
    """A server that reports a daily allowance of `allowed` requests. If `enforced`, it refuses
    further requests without a retry-after."""

    def __init__(self, allowed: int, *, enforced: bool) -> None:
        super().__init__()
        self.left, self.enforced = allowed, enforced

    async def ask(self, request: Request) -> Reply:
        self.left = max(-1, self.left - 1)
        state = (Allowance(requests=True, remaining=max(0, self.left), reset=86_000.0),)
        if self.left < 0 and self.enforced:
            raise TeacherBusy("status 429", limited=True, allowances=state)
        return Reply("yes", allowances=state)


@pytest.mark.parametrize("enforced", [True, False])
def test_a_daily_allowance_is_used_up_before_the_run_stops(
    enforced: bool, recorder: Recorder
) -> None:
    """The stop says when to run again. A server that does not enforce the allowance answers all."""
    teacher, answered = Daily(5, enforced=enforced), list[RowRequest]()

    async def take(row_request: RowRequest, outcome: Any, sent: float) -> None:
        answered.append(row_request)

    async def work() -> None:
        scheduler = Scheduler(teacher, SETTINGS, recorder, poll=lambda: None)
        await scheduler.run(iter(asks(8)), take)

    if enforced:
        with pytest.raises(
            StoppedEarly, match=r"status 429; waiting 23.9 h more .* UTC.* would exceed"
        ):
            asyncio.run(work())
    else:
        asyncio.run(work())
    assert len(answered) == (5 if enforced else 8)
    assert len([note for note in recorder.notes if "rate limit is used up until" in note]) == 1


class FewSlots(Answering):
    """A server that works on `slots` requests at a time, and queues the others."""

    def __init__(self, slots: int, seconds: float, timeout: float) -> None:
        super().__init__(seconds)
        self.slots, self.timeout, self.asked = asyncio.Semaphore(slots), timeout, 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        try:
            async with asyncio.timeout(self.timeout), self.slots:
                return await super().ask(request)
        except TimeoutError:
            raise too_late(self.timeout) from None


def test_a_slow_server_is_sent_as_many_as_it_answers_in_time(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = GenerateSettings(concurrency=16)
    questions, outcomes = asks(40), []

    async def take(row_request: RowRequest, outcome: Reply | TeacherError, sent: float) -> None:
        outcomes.append(outcome)

    async def work() -> int:
        # 4 requests in flight are answered just in time
        server = FewSlots(slots=2, seconds=0.1, timeout=0.25)
        scheduled = Scheduler(server, settings, recorder, poll=lambda: None)
        await scheduled.run(iter(questions), take)
        return server.asked

    asked = virtual_time.run(work(), monkeypatch)
    assert [type(outcome) for outcome in outcomes] == [Reply] * len(questions)
    assert asked < 2 * len(questions), "of 16 in flight, 12 would be asked for nothing each time"
    assert recorder.notes[0] == (
        "some: requests time out; lowering the limit to 8 requests in flight"
    )


def test_the_limit_in_flight_follows_what_is_answered_in_time() -> None:
    now = 0.0
    slots = InFlight(16, clock=lambda: now)
    for _ in range(100):
        slots.answered(now)
    for _ in range(20):  # one connection in six is lost
        assert not slots.timed_out(now)
    now = 1.0
    assert any(slots.timed_out(0.0) for _ in range(10))
    assert slots.limit == 8
    assert not slots.timed_out(0.5), "it left before the limit was lowered"
    now = 2.0
    for _ in range(3):
        assert slots.timed_out(now), "none is answered: an outage"
    assert slots.limit == 1
    grown = []
    for _ in range(60):
        slots.answered(now)
        grown.append(slots.limit)
    assert sorted({*grown}) == [2, 4, 8, 9, 10, 11, 12, 13], "doubled, from 8 on by one"


def test_a_canceled_wait_for_a_slot_takes_none() -> None:
    async def work() -> None:
        slots = InFlight(1)
        await slots.acquire()
        first, second = (asyncio.create_task(slots.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        slots.release()
        await asyncio.wait_for(second, 1)
        third = asyncio.create_task(slots.acquire())
        await asyncio.sleep(0)
        slots.release()  # the slot is given to the third one, which is cancelled before it runs
        third.cancel()
        await asyncio.wait([third])
        await asyncio.wait_for(slots.acquire(), 1)

    asyncio.run(work())


def test_a_wait_that_is_canceled_while_a_slot_is_freed_takes_none() -> None:
    async def work() -> None:
        slots = InFlight(1)
        await slots.acquire()
        first, second = (asyncio.create_task(slots.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        slots.release()  # before the two tasks know that they are cancelled
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
        await asyncio.wait_for(slots.acquire(), 1)

    asyncio.run(work())
