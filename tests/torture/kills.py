"""SIGKILL at random moments of all six commands: the same outcome, nothing asked or paid twice."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from asked import all_rows, questions
from conftest import world_rows, write_rows
from fakes.teacher_server import Conduct, TeacherServer

from torture.commands import command, finish, killed_until_done, leftovers
from torture.results import Options, Result
from torture.worlds import copies, shards

TOLERANCE = 1e-6  # difference of weights between an undisturbed run and one that was killed
_TURNS = 6  # maximum number of outputs, if the command was not killed often enough
_IN_FLIGHT = 4


@dataclass
class Run:
    """The folder of this part, and how often each command is killed."""

    result: Result
    folder: Path
    draw: Random
    wanted: int
    sooner: float = 1.0  # factor of the moments of kills

    @property
    def errors(self) -> Path:
        return self.folder / "stderr"

    def finish(self, *arguments: object, allowed: tuple[int, ...] = (0,)) -> float:
        """Run a command to its end. Return the seconds that it took."""
        began = time.monotonic()
        finish(self.result, command(*arguments), self.errors, allowed=allowed)
        return time.monotonic() - began

    def kill(
        self,
        seconds: float,
        *arguments: object,
        done: tuple[int, ...] = (0,),
        around: Callable[[], Callable[[], None]] | None = None,
    ) -> int:
        """Kill a command up to `wanted` times, then let it end. `seconds` is its usual duration.
        Return the number of kills."""

        def moment(draw: Random) -> float:
            return draw.uniform(0.2, 0.9) * seconds * self.sooner

        return killed_until_done(
            self.result,
            command(*arguments),
            self.errors,
            self.draw,
            kills=self.wanted,
            moment=moment,
            done=done,
            around=around,
        )

    def repeat(self, once: Callable[[int], int]) -> int:
        """Call `once` for one output after another, until there were `wanted` kills. Return their
        number."""
        survived, self.sooner = 0, 1.0
        for turn in range(_TURNS):
            kills = once(turn)
            survived += kills
            if survived >= self.wanted:
                break
            # Without a kill, the command ended before the first one was due.
            self.sooner *= 1.0 if kills else 0.6
        return survived


def run(options: Options) -> Result:
    result = Result("kills")
    folder = options.folder / "kills"
    folder.mkdir(parents=True, exist_ok=True)
    kill_run = Run(result, folder, Random(options.seed), 2 if options.short else 10)
    counts: Counter[str] = Counter()
    counts["generate-rationales --batch"] = batched(kill_run, 30 if options.short else 100)
    # tests/test_generate_faults.py covers it; commands with students take long to start
    if not options.short:
        counts["generate-rationales"] = one_by_one(kill_run)
        counts.update(students(kill_run))
    counts["merge"], counts["evaluate --report"] = merged(kill_run)
    never = [name for name, count in counts.items() if not count]
    result.expect(not never, f"every command was killed once at least, not so {never}")
    result.figures = {"survived": dict(counts), "kills": counts.total()}
    return result


def one_by_one(run: Run) -> int:
    """Kill runs that send single requests. Check that the rows are those of an undisturbed run, and
    that no finished question is asked again. Return the number of kills."""
    size = 300
    source = questions(run.folder / "q.jsonl", size)
    conduct = Conduct(latency=0.05, faults=0.1, oddities=0.1, drip=2.0)
    options = ("--concurrency", _IN_FLIGHT, "--timeout", 1)
    whole = run.folder / "whole.jsonl"
    with TeacherServer(conduct) as server:
        seconds = run.finish(*_asking(source, whole, server.url), *options, allowed=(0, 3))

    def once(turn: int) -> int:
        out = run.folder / f"killed-{turn}.jsonl"
        with TeacherServer(conduct) as server:
            arguments = (*_asking(source, out, server.url), *options)
            around = _nothing_again(run, server.behaviour.asked, out)
            survived = run.kill(seconds, *arguments, done=(0, 3), around=around)
            more = server.behaviour.answered.total() - size
        message = f"{more} of {size} answers were paid twice in {survived} kills"
        run.result.expect(more <= _IN_FLIGHT * survived, message)
        run.result.expect(rows(out) == rows(whole), "generate-rationales: the undisturbed rows")
        return survived

    return run.repeat(once)


def _nothing_again(run: Run, asked: Counter[str], out: Path) -> Callable[[], Callable[[], None]]:
    """Return an `around` for `kill`. It checks that no question is asked again whose row existed at
    the start of the run."""

    def around() -> Callable[[], None]:
        done, before = {row["question"] for row in all_rows(out)}, asked.copy()

        def after() -> None:
            time.sleep(0.1)  # time for the server to finish its work
            again = [text for text in asked if asked[text] > before[text]]
            repeated = [text for text in again if any(question in text for question in done)]
            run.result.expect(not repeated, f"asked again for finished rows: {repeated[:3]}")

        return after

    return around


def batched(run: Run, size: int) -> int:
    """Kill runs that use --batch. Check that the rows are those of an undisturbed run, and that
    only one batch was made. Return the number of kills."""
    source = questions(run.folder / "b.jsonl", size)
    conduct = Conduct(ended_after=1.0, oddities=0.1)
    whole = run.folder / "batched.jsonl"
    with TeacherServer(conduct) as server:
        arguments = (*_asking(source, whole, server.url), "--batch")
        seconds = run.finish(*arguments, allowed=(0, 3))

    def once(turn: int) -> int:
        out = run.folder / f"batched-{turn}.jsonl"
        with TeacherServer(conduct) as server:
            arguments = (*_asking(source, out, server.url), "--batch")
            survived = run.kill(seconds, *arguments, done=(0, 3))
            made = server.behaviour.counts["batches"]
        run.result.expect(made == 1, f"--batch: {made} batches were paid, not one")
        run.result.expect(rows(out) == rows(whole), "--batch: the undisturbed rows")
        return survived

    return run.repeat(once)


def _asking(source: Path, out: Path, url: str) -> tuple[object, ...]:
    return ("generate-rationales", source, "-o", out, "--teacher", "anthropic:m", "--base-url", url)


def rows(out: Path) -> Counter[str]:
    """Kept and rejected rows, whatever their order."""
    found: Counter[str] = Counter()
    for file in (out, out.with_name(f"{out.stem}.rejected.jsonl")):
        if file.exists():
            lines = file.read_bytes().split(b"\n")
            found.update(json.dumps(json.loads(line), sort_keys=True) for line in lines if line)
    return found


def students(run: Run) -> Counter[str]:
    """Train two students and predict with them, undisturbed and killed."""
    source = write_rows(run.folder / "rows.jsonl", world_rows())
    counts: Counter[str] = Counter()
    common = (
        "--student", "scratch:tiny", "--max-steps", 60, "--batch-size", 18, "--warmup-steps", 2,
        "--checkpoint-minutes", 0.005, "--device", "cpu",
    )  # fmt: skip
    for name in ("train-rationale", "train-answer"):
        counts[name] = trained(run, name, source, common)
    counts["predict"] = predicted(run)
    return counts


def trained(run: Run, name: str, source: Path, options: tuple[object, ...]) -> int:
    whole = run.folder / f"{name}-whole"
    seconds = run.finish(name, source, "-o", whole, *options)

    def once(turn: int) -> int:
        killed = run.folder / f"{name}-{turn}"
        survived = run.kill(seconds, name, source, "-o", killed, *options)
        same = same_weights(whole, killed)
        run.result.expect(same, f"{name}: the weights of an undisturbed run, {TOLERANCE} apart")
        left = [*leftovers(killed), *(path.name for path in killed.glob("checkpoints*"))]
        run.result.expect(not left, f"{name}: files left behind: {left}")
        return survived

    return run.repeat(once)


def same_weights(whole: Path, killed: Path) -> bool:
    """Return whether two runs have the same weights except for the last digits."""
    from safetensors.torch import load_file

    wanted, found = (load_file(path / "model.safetensors") for path in (whole, killed))
    return wanted.keys() == found.keys() and all(
        float((wanted[key] - found[key]).abs().max()) <= TOLERANCE for key in wanted
    )


def predicted(run: Run) -> int:
    whole = run.folder / "predicted.jsonl"
    asked = write_rows(run.folder / "asked.jsonl", copies(world_rows(), 12))
    arguments = (
        "predict", asked, "--rationale-model", run.folder / "train-rationale-whole",
        "--answer-model", run.folder / "train-answer-whole", "--device", "cpu",
        "--engine", "torch", "--window", 16, "--max-new-tokens", 24,
    )  # fmt: skip
    seconds = run.finish(*arguments, "-o", whole)

    def once(turn: int) -> int:
        killed = run.folder / f"predicted-{turn}.jsonl"
        survived = run.kill(seconds, *arguments, "-o", killed)
        _expect_same_bytes(run, "predict", whole, killed)
        return survived

    return run.repeat(once)


def merged(run: Run) -> tuple[int, int]:
    """Kill merge and evaluate: each output appears whole or not at all. Return the number of kills
    of each."""
    source, parts = shards(run.folder)
    whole, report = run.folder / "merged.jsonl", run.folder / "report.html"
    merging = run.finish("merge", source, *parts, "-o", whole)
    evaluating = run.finish("evaluate", whole, "--report", report)

    def merge_once(turn: int) -> int:
        killed = run.folder / f"merged-{turn}.jsonl"
        # A kill may come after the output is complete. The next run then needs --force.
        survived = run.kill(merging, "merge", source, *parts, "-o", killed, "--force")
        _expect_same_bytes(run, "merge", whole, killed)
        return survived

    def evaluate_once(turn: int) -> int:
        killed = run.folder / f"report-{turn}.html"
        survived = run.kill(evaluating, "evaluate", whole, "--report", killed, "--force")
        _expect_same_bytes(run, "evaluate --report", report, killed)
        return survived

    counts = run.repeat(merge_once), run.repeat(evaluate_once)
    run.result.expect(not leftovers(run.folder), f"files left behind: {leftovers(run.folder)}")
    return counts


def _expect_same_bytes(run: Run, name: str, whole: Path, killed: Path) -> None:
    same = killed.exists() and _undated(whole) == _undated(killed)
    run.result.expect(same, f"{name}: the bytes of an undisturbed run")


def _undated(file: Path) -> bytes:
    """Return the bytes of a file, without the date if the file is a report."""
    return re.sub(rb'"date": ?"[^"]*"', b"", file.read_bytes())
