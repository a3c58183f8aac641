"""An event loop whose waiting takes no time, so that a busy machine changes nothing."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

Result = TypeVar("Result")


class _Instant(selectors.DefaultSelector):
    """A selector that does not wait: it sets its clock `now` forward by the timeout instead."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = _Instant()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now


def run(work: Coroutine[Any, Any, Result], monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run a coroutine that waits for nothing but time; time.monotonic is the loop's clock."""
    loop = _Loop()
    with monkeypatch.context() as patched, asyncio.Runner(loop_factory=lambda: loop) as runner:
        patched.setattr(time, "monotonic", loop.time)
        return runner.run(work)
