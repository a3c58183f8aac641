"""Time limits: one that excludes time in which the event loop is blocked, and that of a stop."""

import asyncio
import socket
import threading
import time

import pytest
import virtual_time

from scicot.annotation.retries import GRACE_SECONDS, Stopped, finished_or_stopped
from scicot.teachers.time_limit import done_within


def test_what_is_done_in_time_is_waited_for_no_longer() -> None:
    async def work() -> float:
        began = time.monotonic()
        assert await done_within([asyncio.ensure_future(asyncio.sleep(0.05))], 30)
        return time.monotonic() - began

    assert asyncio.run(work()) < 5


def test_what_never_comes_ends_at_the_limit() -> None:
    async def work() -> float:
        began = time.monotonic()
        never = asyncio.ensure_future(asyncio.Event().wait())
        assert not await done_within([never], 0.1)
        assert not never.done(), "it is the caller's to cancel"
        never.cancel()
        return time.monotonic() - began

    assert asyncio.run(work()) < 5


def test_a_reply_that_arrives_while_the_loop_is_blocked_is_not_lost() -> None:
    """A reply that arrives while the loop is blocked is read, even if the limit has passed by
    then."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                time.sleep(0.1)
                connection.sendall(b"x" * 100_000)

        thread = threading.Thread(target=answer)
        thread.start()

        async def work() -> bytes | None:
            reader, writer = await asyncio.open_connection(*server.getsockname())
            reply = asyncio.ensure_future(reader.read())
            waiting = asyncio.ensure_future(done_within([reply], 0.3))
            await asyncio.sleep(0.05)
            time.sleep(1.0)  # blocks the event loop on purpose
            there = await waiting
            writer.close()
            return reply.result() if there else None

        assert asyncio.run(work()) == b"x" * 100_000
        thread.join()


def test_a_loop_that_is_blocked_again_and_again_does_not_wait_forever() -> None:
    async def work() -> float:
        began = time.monotonic()
        never = asyncio.ensure_future(asyncio.Event().wait())
        waiting = asyncio.ensure_future(done_within([never], 0.05))
        while not waiting.done():
            time.sleep(0.15)
            await asyncio.sleep(0)
        never.cancel()
        return time.monotonic() - began

    assert asyncio.run(work()) < 20


@pytest.mark.parametrize("takes", [3.0, 600.0])
def test_a_stop_waits_only_a_while_for_a_reply(
    takes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    async def work() -> tuple[str, float]:
        began = asyncio.get_running_loop().time()

        async def reply() -> str:
            await asyncio.sleep(takes)
            return "reply"

        def poll() -> None:
            if asyncio.get_running_loop().time() > began + 1:
                raise KeyboardInterrupt

        try:
            outcome, stop = await finished_or_stopped(reply(), poll, lambda: told.append(1))
        except Stopped as stopped:
            outcome, stop = "stopped", stopped.reason
        assert isinstance(stop, KeyboardInterrupt)
        return outcome, asyncio.get_running_loop().time() - began

    outcome, seconds = virtual_time.run(work(), monkeypatch)
    assert len(told) == 1
    if takes < GRACE_SECONDS:
        assert outcome == "reply"
    else:
        assert (outcome, round(seconds)) == ("stopped", round(1 + GRACE_SECONDS))
