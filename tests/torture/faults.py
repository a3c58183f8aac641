"""Runs against a failing server: no reply lost, nothing asked twice, no row unreadable."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asked import questions
from fakes.teacher_server import Conduct

from scicot import sources
from scicot.evaluation.answers import Answers
from torture.commands import command, finish, start
from torture.fuzz.readers import SILENT
from torture.kinds import NUMBER
from torture.results import Options, Result
from torture.server import Faults, Faulty, FaultyServer

MOST_RUNS = 12  # maximum number of runs of a command until it is done
MIXED = Faults(share=0.3, odd=0.35, lasting=0.05)
BATCHED = Faults(
    share=0.2, odd=0.2, lasting=0.05, results=3, unknown=2,
    created=("status 529", "made, reset", "html 200", "made, torn", "status 500", "made, html 200"),
)  # fmt: skip
MADE_ONCE = replace(BATCHED, unknown=1, created=("made, reset",))
FAST, PARTLY = Conduct(latency=0.01), Conduct(latency=0.01, batch_faults=0.2)


@dataclass(frozen=True)
class Scenario:
    """One command, and how its server fails."""

    name: str
    options: tuple[object, ...]
    faults: Faults
    count: int = 80  # number of questions
    samples: int = 1
    cancelled: bool = False  # whether the batches are canceled once
    batch: bool = False
    conduct: Conduct = field(default_factory=lambda: FAST)


def scenarios(*, short: bool) -> list[Scenario]:
    size = 20 if short else 100
    quick: tuple[object, ...] = ("--timeout", 2, "--max-wait", 60)
    options = ("--reveal-answer", "on-failure")
    samples = ("--samples", 2)
    both = Scenario("--samples 2 --reveal-answer", (*quick, *samples, *options), MIXED, size, 2)
    if short:
        several = (*quick, "--batch", *samples)
        return [both, Scenario("--batch --samples 2", several, MADE_ONCE, size, 2, batch=True)]
    batched = (*quick, "--batch")
    ended = Conduct(ended_after=2.0)
    money = Faults(share=0.1, spent_from=10, spent_for=24)
    return [
        Scenario("one by one", quick, MIXED, size),
        Scenario("--keep all", (*quick, "--keep", "all"), MIXED, 2 * size),
        both,
        Scenario("a spend limit for a while", quick, money, size),
        Scenario("--batch", batched, BATCHED, size, batch=True, conduct=PARTLY),
        Scenario(
            "--batch --samples 2 --reveal-answer", (*batched, *samples, *options), BATCHED, size, 2,
            batch=True, conduct=PARTLY,
        ),
        Scenario(
            "--batch, then --cancel-batches", batched, BATCHED, size, cancelled=True, batch=True,
            conduct=ended,
        ),
    ]  # fmt: skip


def run(options: Options) -> Result:
    result = Result("faults")
    kinds: Counter[str] = Counter()
    runs = requests = 0
    rounds = 1 if options.short else 2
    for turn in range(rounds):
        for number, scenario in enumerate(scenarios(short=options.short)):
            folder = options.folder / f"faults-{turn}-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            seed = 100 * options.seed + 10 * turn + number
            behaviour, times = one(result, scenario, folder, seed)
            kinds.update(behaviour.kinds)
            requests += behaviour.asked.total()
            runs += times
    result.figures = {
        "runs": runs,
        "requests": requests,
        "faults": kinds.total(),
        "kinds": dict(sorted(kinds.items())),
    }
    return result


def one(result: Result, scenario: Scenario, folder: Path, seed: int) -> tuple[Faulty, int]:
    """Run a scenario until it is done, then check its files. Return the server and the number of
    runs."""
    source, out, errors = folder / "q.jsonl", folder / "o.jsonl", folder / "stderr"
    questions(source, scenario.count)
    with FaultyServer(replace(scenario.faults), replace(scenario.conduct), seed) as server:
        behaviour = server.behaviour
        arguments = command(
            "generate-rationales", source, "-o", out, "--teacher", "anthropic:m",
            "--base-url", server.url, "--price", "1,5", *scenario.options,
        )  # fmt: skip
        times, code = 0, 75
        if scenario.cancelled:
            times += _cancel(result, arguments, behaviour, errors, folder)
        while code not in (0, 3) and times < MOST_RUNS:
            times += 1
            ended = finish(result, arguments, errors)
            code = ended.code or 0
        result.expect(code in (0, 3), f"{scenario.name}: done after {times} runs, last: {code}")
        check_rows(result, scenario, behaviour, out)
        check_files(result, scenario, out)
        _without_index(result, scenario, arguments, behaviour, out, errors)
    return behaviour, times + 1


def _cancel(
    result: Result, arguments: list[str], behaviour: Faulty, errors: Path, folder: Path
) -> int:
    """Kill a run after its batch was sent, and cancel the batch."""
    process = start(arguments, errors)
    until = time.monotonic() + 60
    while not behaviour.batches and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.kill()
    process.wait()
    if (folder / "o.batches").exists():
        finish(result, [*arguments, "--cancel-batches"], errors, allowed=(75, 0))
    return 2


def rows_of(out: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Kept and rejected rows."""
    files = (out, out.with_name("o.rejected.jsonl"))
    read = [
        [json.loads(line) for line in file.read_bytes().split(b"\n") if line]
        if file.exists()
        else []
        for file in files
    ]
    return read[0], read[1]


def check_rows(result: Result, scenario: Scenario, behaviour: Faulty, out: Path) -> None:
    """Check that every reply is in one row, every request answered once, and every question has an
    outcome."""
    kept, rejected = rows_of(out)
    found: Counter[str] = Counter()
    for row, field_name in [
        *((row, "rationale") for row in kept),
        *((row, "reply") for row in rejected),
    ]:
        number = NUMBER.search(row.get(field_name) or "")
        if number is not None:
            found[number[1]] += 1
    name = scenario.name
    twice = [number for number, count in found.items() if count > 1]
    result.expect(not twice, f"{name}: replies in two rows: {twice[:5]}")
    lost = [number for number in behaviour.given if number not in found]
    result.expect(not lost, f"{name}: {len(lost)} replies given out are in no row: {lost[:5]}")
    paid = Counter(behaviour.given.values())
    again = [asked for asked, count in paid.items() if count > scenario.samples]
    result.expect(not again, f"{name}: {len(again)} requests asked again after their answer")
    keys = Counter((row["id"], row["sample"], row["saw_answer"]) for row in (*kept, *rejected))
    doubled = [key for key, count in keys.items() if count > 1]
    result.expect(not doubled, f"{name}: two rows of one request: {doubled[:5]}")
    wanted = {(f"q{n}", s) for n in range(scenario.count) for s in range(scenario.samples)}
    missing = wanted - {(identity, sample) for identity, sample, _ in keys}
    result.expect(not missing, f"{name}: {len(missing)} requests without a row")
    wrong = [
        row["id"]
        for row in rejected
        if row["reason"] == "error" and "too long" not in row.get("error", "")
    ]
    result.expect(
        not wrong or scenario.batch,
        f"{name}: error rows without a fault of the question: {wrong[:5]}",
    )


def check_files(result: Result, scenario: Scenario, out: Path) -> None:
    """The files can be read by training and evaluation."""
    readers: list[Callable[[], Any]] = [
        lambda: list(sources.rationales(out, reporter=SILENT)),
        lambda: list(Answers(reporter=SILENT).of(out)),
        lambda: list(Answers(reporter=SILENT).of(out.with_name("o.rejected.jsonl"))),
    ]
    for read in readers:
        try:
            read()
        except Exception as error:  # noqa: BLE001  (any is a broken promise)
            empty = "holds no rows" in str(error)
            result.expect(empty, f"{scenario.name}: {type(error).__name__}: {error}")


def _without_index(
    result: Result,
    scenario: Scenario,
    arguments: list[str],
    behaviour: Faulty,
    out: Path,
    errors: Path,
) -> None:
    """Check that the same command, run without its index, sends no request and changes no row."""
    before, asked = rows_of(out), behaviour.counts["requests"]
    for ending in ("", "-wal", "-shm"):
        out.with_name(f"o.done.sqlite{ending}").unlink(missing_ok=True)
    finish(result, arguments, errors, allowed=(0, 3))
    more = behaviour.counts["requests"] - asked
    result.expect(more == 0, f"{scenario.name}: {more} requests after the index was deleted")
    result.expect(
        rows_of(out) == before, f"{scenario.name}: other rows after the index was deleted"
    )
