"""The end of the work: what has arrived is written, however long that takes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Recorder, world_rows

from scicot import GenerateSettings
from scicot.annotation import scheduler
from scicot.annotation.requests import RequestBuilder, RowRequest
from scicot.annotation.scheduler import Scheduler
from scicot.records import Question
from scicot.teachers import Reply, Request, TeacherBusy, TeacherError

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
    monkeypatch.setattr(scheduler, "_GRACE_SECONDS", 0.05)
    begun, written = [], []

    async def take(ask: RowRequest, outcome: Reply | TeacherError, sent: float) -> None:
        begun.append(ask)
        await asyncio.sleep(0.6)  # as long as a thread may read a long reply
        written.append(ask)

    def look() -> None:
        if begun:
            raise KeyboardInterrupt

    async def work() -> None:
        await Scheduler(Answering(), SETTINGS, recorder, look=look).run(iter(asks(6)), take)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work())
    assert len(begun) == len(written) == 2


def test_a_question_that_waits_for_its_next_try_has_no_slot(recorder: Recorder) -> None:
    """One that is refused again and again leaves room for two others in flight."""
    all_of_them = asks(8)
    first = all_of_them[0].request

    class Refusing(Answering):
        async def ask(self, request: Request) -> Reply:
            if request is first and not done.is_set():
                raise TeacherBusy("overloaded", 0.05)
            return await super().ask(request)

    done, order = asyncio.Event(), []

    async def take(ask: RowRequest, outcome: Reply | TeacherError, sent: float) -> None:
        order.append(ask)
        if len(order) == 7:
            done.set()

    async def work() -> None:
        own = Scheduler(teacher, SETTINGS, recorder, look=lambda: None)
        await own.run(iter(all_of_them), take)

    teacher = Refusing(0.02)
    asyncio.run(work())
    assert len(order) == 8
    assert order[-1] is all_of_them[0]
    assert teacher.most == 2


def test_no_more_are_drawn_than_have_a_slot_and_one(recorder: Recorder) -> None:
    drawn, answered = [], []

    def drawing() -> Iterator[RowRequest]:
        for ask in asks(20):
            drawn.append(ask)
            assert len(drawn) - len(answered) <= SETTINGS.concurrency + 1
            yield ask

    async def take(ask: RowRequest, outcome: Any, sent: float) -> None:
        answered.append(ask)

    async def work() -> None:
        await Scheduler(Answering(0.01), SETTINGS, recorder, look=lambda: None).run(drawing(), take)

    asyncio.run(work())
    assert len(answered) == 20
