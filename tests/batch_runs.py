"""Runs of generate-rationales with --batch against a local server, and crashes in them."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked import KINDS
from asked import command as command_of

from scicot import GenerateSettings, generate_rationales
from scicot.annotation import batch_sender

COUNT = 40


@pytest.fixture(params=KINDS)
def teacher(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def command(teacher: str) -> Callable[..., list[str]]:
    """The command line that asks this teacher."""
    return functools.partial(command_of, teacher=teacher)


@pytest.fixture
def run(teacher: str) -> Callable[..., Any]:
    """generate_rationales with --batch and this teacher."""
    return functools.partial(run_of, teacher)


class Crash(BaseException):
    """Simulates the end of the process. No code of scicot may handle it."""


def run_of(teacher: str, source: Path, out: Path, url: str, **settings: Any) -> Any:
    generate_settings = GenerateSettings(batch=True, keep="all", **settings)
    return generate_rationales(
        source, out, teacher=teacher, base_url=url, settings=generate_settings
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sender, "POLL_SECONDS", (0.05, 0.1))
    monkeypatch.setattr(batch_sender, "LISTED", 0.5)


def crashing(before: bool, original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that it raises Crash once, before or after its work."""
    left = [Crash()]

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if before and left:
            raise left.pop()
        result = await original(*args, **kwargs)
        if left:
            raise left.pop()
        return result

    if inspect.iscoroutinefunction(original):
        return awaited

    def called(*args: Any, **kwargs: Any) -> Any:
        if before and left:
            raise left.pop()
        result = original(*args, **kwargs)
        if left:
            raise left.pop()
        return result

    return called
