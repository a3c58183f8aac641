"""Execute fuzz targets, and collect their faults.

A target may raise the exceptions that it allows, and must return within a second of CPU time for
inputs of up to 64 kB. Anything else is a fault. Faults with the same kind of exception and the same
innermost frame of scicot's code are counted as one.
"""

from __future__ import annotations

import re
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from torture.fuzz.mutation import Mutator

SLOW = 1.0  # seconds of CPU time
_HUNG = 4.0  # seconds until an execution is stopped
_MOST_HANGS = 4  # number of hangs after which a target gets no more large inputs
# Limits for shrinking an input that causes an error: executions, and seconds of CPU time.
_SHRINKING, _SHRINKING_SECONDS = 300, 5.0
_VARYING = re.compile(r"\d+|'[^']*'|\"[^\"]*\"|\[.*\]|/\S+")


class Broken(AssertionError):
    """A broken promise that scicot itself does not report as an exception."""


class Hung(BaseException):
    """An execution took too long. Not an Exception, so that no target handles it."""


@dataclass
class Target:
    """A fuzz target. `run` executes an input and returns a word that describes the outcome."""

    name: str
    group: str  # "reader" or "server"
    seeds: list[bytes]
    run: Callable[[bytes], str | None]
    allowed: tuple[type[BaseException], ...]
    extra: Callable[[bytes, Random], bytes] | None = None
    structured: float = 0.75


@dataclass
class Fault:
    """One distinct fault: its first input, and how often it was met."""

    target: str
    kind: str
    frame: str
    message: str
    data: bytes
    trace: str
    count: int = 1

    def line(self) -> str:
        return f"{self.target}: {self.kind} in {self.frame}: {' '.join(self.message.split())[:200]}"


@dataclass
class Tally:
    """The result of fuzzing one target."""

    target: Target
    mutator: Mutator
    executions: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    hangs: int = 0


def tally_of(target: Target, seed: int) -> Tally:
    draw = Random(f"{seed}/{target.name}")
    mutator = Mutator(target.seeds, draw, extra=target.extra, structured=target.structured)
    return Tally(target, mutator)


def fuzz(tally: Tally, executions: int, until: float = float("inf")) -> None:
    """Execute a target `executions` times, or until time.monotonic() reaches `until`."""
    began = time.process_time()
    for number in range(executions):
        if number % 64 == 0 and time.monotonic() > until:
            break
        execute(tally, tally.mutator.make())
    tally.seconds += time.process_time() - began


def execute(tally: Tally, data: bytes) -> None:
    """Execute one input, and add it to the corpus if its outcome is new."""
    target = tally.target
    tally.executions += 1
    fault, outcome, seconds = attempt(target, data)
    tally.slowest = max(tally.slowest, seconds)
    if fault is not None:
        earlier = tally.faults.get((fault.kind, fault.frame))
        if fault.kind == "Hung":
            tally.hangs += 1
            tally.mutator.large = tally.hangs < _MOST_HANGS
        if earlier is not None:
            earlier.count += 1
            return
        if fault.kind not in ("Hung", "Slow"):
            fault.data = shrunk(target, fault)
        tally.faults[fault.kind, fault.frame] = fault
        return
    if len(tally.outcomes) < 3000 and outcome not in tally.outcomes:
        tally.mutator.keep()
    tally.outcomes[outcome] += 1


def attempt(target: Target, data: bytes) -> tuple[Fault | None, str, float]:
    """Execute an input. Return (the fault if any, a word on the outcome, seconds of CPU time)."""
    began = time.process_time()
    outcome = ""
    try:
        with _stopping_what_hangs():
            outcome = str(target.run(data))
    except target.allowed as error:
        outcome = f"{type(error).__name__}: {_VARYING.sub('_', str(error)[:200])}"
    except Hung as error:
        return _fault(target, data, "Hung", error), "", _HUNG
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return _fault(target, data, type(error).__name__, error), "", 0.0
    seconds = time.process_time() - began
    if seconds > SLOW:
        slow = Broken(f"{seconds:.1f} s for {len(data)} bytes")
        return Fault(target.name, "Slow", target.name, str(slow), data, ""), "", seconds
    return None, outcome, seconds


@contextmanager
def _stopping_what_hangs() -> Iterator[None]:
    before = signal.signal(signal.SIGVTALRM, _hung)
    signal.setitimer(signal.ITIMER_VIRTUAL, _HUNG, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _hung(number: int, frame: FrameType | None) -> None:
    raise Hung(f"stopped after {_HUNG:g} s")


def _fault(target: Target, data: bytes, kind: str, error: BaseException) -> Fault:
    trace = "".join(traceback.format_exception(error))[-6000:]
    return Fault(target.name, kind, innermost(error), str(error), data, trace)


def innermost(error: BaseException) -> str:
    """Return FILE:FUNCTION of the innermost frame of scicot's code, or the first words of a
    Broken."""
    if isinstance(error, Broken):
        return str(error).partition(":")[0][:60]
    found = "?"
    for frame in traceback.extract_tb(error.__traceback__):
        for package in ("/scicot/", "/scicot_cli/"):
            if package in frame.filename:
                found = f"{frame.filename.rpartition(package)[2]}:{frame.name}"
    return found


def shrunk(target: Target, fault: Fault) -> bytes:
    """A shorter input with the same fault, found by leaving out pieces."""
    data, left = fault.data, _SHRINKING
    until = time.process_time() + _SHRINKING_SECONDS

    def same(smaller: bytes) -> bool:
        found, _, _ = attempt(target, smaller)
        return found is not None and (found.kind, found.frame) == (fault.kind, fault.frame)

    size = max(1, len(data) // 2)
    while size >= 1 and left > 0:
        at = 0
        while at < len(data) and left > 0:
            left = left - 1 if time.process_time() < until else 0
            smaller = data[:at] + data[at + size :]
            if smaller and same(smaller):
                data = smaller
            else:
                at += size
        size //= 2
    return data


def save(faults: list[Fault], folder: Path) -> None:
    """Write the input and the traceback of each fault."""
    folder.mkdir(parents=True, exist_ok=True)
    for fault in faults:
        name = re.sub(r"\W+", "-", f"{fault.target}-{fault.kind}-{fault.frame}")[:120]
        (folder / f"{name}.input").write_bytes(fault.data)
        (folder / f"{name}.txt").write_text(
            f"{fault.line()}\nmet {fault.count} times\n{fault.trace}", errors="backslashreplace"
        )


def figures(tally: Tally) -> dict[str, Any]:
    """Executions and distinct faults of one target."""
    return {
        "group": tally.target.group,
        "executions": tally.executions,
        "faults": len(tally.faults),
        "outcomes": len(tally.outcomes),
        "slowest_seconds": round(tally.slowest, 3),
        "milliseconds_each": round(1000 * tally.seconds / max(1, tally.executions), 2),
    }
