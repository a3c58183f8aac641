"""The fuzz part: each target is a job, and two processes share the jobs."""

from __future__ import annotations

import os
import pickle
import shutil
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from torture.fuzz import readers, servers, settings_files
from torture.fuzz.running import Fault, Target, attempt, figures, fuzz, save, tally_of
from torture.results import Options, Result

EXECUTIONS = 200_000  # of each target, in the long form
SHORT = 250
PROCESSES = 2
_SLICE = 2000  # executions between two checks of the clock


@dataclass
class Job:
    """The result of fuzzing one target."""

    name: str
    figures: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)


def targets(folder: Path) -> list[Target]:
    """Return all targets. They write their files into `folder`."""
    # Hides pydantic's warnings about unexpected values, as the command line does.
    warnings.simplefilter("ignore")
    return [*readers.targets(folder), *settings_files.targets(folder), *servers.targets()]


# The slowest first, so that both processes finish at about the same time.
NAMES = (
    "replies", "messages", "errors and headers", "token counts", "batches", "batch lists",
    "batch results", "question rows", "rationale rows", "prediction rows", "JSON documents",
    "tables", "gzip", "answers with --questions", "lm-eval logs", "recorded replies", "ledger rows",
    "--config", "OUT.state.json", "OUT.batches", "scicot.json", "--prompt", "--examples",
)  # fmt: skip


def job(target: Target, seed: int, executions: int, until: float) -> Job:
    """Fuzz one target."""
    tally = tally_of(target, seed)
    while tally.executions < executions and time.monotonic() < until:
        fuzz(tally, min(_SLICE, executions - tally.executions), until)
    return Job(target.name, figures(tally), list(tally.faults.values()))


@contextmanager
def in_memory() -> Iterator[list[Target]]:
    """Yield the targets; their files are in a temporary folder of this process."""
    folder = readers.scratch_folder(Path())
    try:
        yield targets(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def names_of(options: Options) -> list[str]:
    return [name for name in NAMES if not options.only or name in options.only]


def run(options: Options) -> Result:
    """Fuzz the targets, one after another in this process."""
    executions = options.executions or (SHORT if options.short else EXECUTIONS)
    until = time.monotonic() + 60 * options.minutes
    names = names_of(options)
    with in_memory() as found:
        jobs = [
            job(target, options.seed, executions, until) for target in found if target.name in names
        ]
    return gathered(jobs, options)


class Background:
    """Fuzzing in two processes in the background, while this process runs the other parts."""

    def __init__(self, options: Options, until: float) -> None:
        self._options = options
        self._until = until
        self._pool = ProcessPoolExecutor(
            PROCESSES, mp_context=get_context("spawn"), initializer=_be_nice
        )
        executions = options.executions or EXECUTIONS
        self._futures: list[Future[Job]] = [
            self._pool.submit(_in_turn, name, number, options, executions, until)
            for number, name in enumerate(names_of(options))
        ]

    def result(self) -> Result:
        """Wait for all targets to end, and return their figures and faults."""
        with self._pool:
            return gathered([future.result() for future in self._futures], self._options)


def _be_nice() -> None:
    """Leave the cores to the other parts, which measure time."""
    os.nice(10)


def _in_turn(name: str, number: int, options: Options, executions: int, until: float) -> Job:
    """Fuzz one target for its share of the remaining time. Store the result, so that a stopped fuzz
    part can continue."""
    kept = options.folder / "jobs" / f"{name}, seed {options.seed}, {executions}.pickle"
    if kept.exists():
        done: Job = pickle.loads(kept.read_bytes())
        return done
    left = len(NAMES) - number
    share = max(20.0, 1.5 * PROCESSES * (until - time.monotonic()) / left)
    with in_memory() as found:
        (target,) = (target for target in found if target.name == name)
        done = job(target, options.seed, executions, min(until, time.monotonic() + share))
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(done))
    partial.replace(kept)
    return done


def gathered(jobs: list[Job], options: Options) -> Result:
    result = Result("fuzz")
    faults = [fault for job_result in jobs for fault in job_result.faults]
    save(faults, options.folder / "inputs")
    for fault in faults:
        result.expect(False, fault.line())
    result.figures = {
        "executions": sum(job_result.figures["executions"] for job_result in jobs),
        "faults": len(faults),
        "targets": {job_result.name: job_result.figures for job_result in jobs},
    }
    return result


def replay(name: str, file: Path) -> str:
    """Execute one input again. Return the outcome, or the fault with its traceback."""
    with in_memory() as found:
        (target,) = (target for target in found if target.name == name)
        fault, outcome, seconds = attempt(target, file.read_bytes())
    if fault is None:
        return f"no fault: {outcome} ({seconds:.2f} s)"
    return f"{fault.line()}\n{fault.trace}"
