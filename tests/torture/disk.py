"""Commands on a full disk: exit code 75 with one line; with room again, the undisturbed output.

The disk is a small tmpfs. Only root can mount one; for other users the part is skipped.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from asked import questions
from conftest import world_rows, write_rows
from fakes.teacher_server import Conduct, TeacherServer

from torture.commands import command, finish
from torture.kills import rows, same_weights
from torture.results import Options, Result
from torture.worlds import copies, shards

MEBIBYTE = 1 << 20


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path | None]:
    """Mount a tmpfs of `size` bytes. Yield None if that is impossible."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        # Sandboxes may ignore the size. Filling the mount would then fill the machine's own disk.
        yield folder if mounted and shutil.disk_usage(folder).total == size else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


@dataclass
class Case:
    """A command that writes `output` on a disk with little room."""

    name: str
    arguments: Callable[[Path], tuple[object, ...]]  # makes the arguments for an output path
    output: str
    rooms: tuple[int, ...]  # free bytes on the disk
    same: Callable[[Path, Path], bool]  # compares the output with that of an undisturbed run
    size: int = 2 * MEBIBYTE
    done: tuple[int, ...] = (0,)


def run(options: Options) -> Result:
    result = Result("disk")
    folder = options.folder / "disk"
    folder.mkdir(parents=True, exist_ok=True)
    with tmpfs(folder / "trial", MEBIBYTE) as trial:
        if trial is None:
            result.skipped = "no tmpfs of a limited size can be mounted here (only root can)"
            return result
    stopped: Counter[str] = Counter()
    with TeacherServer(Conduct()) as server:
        for case in cases(folder, server.url, short=options.short):
            stopped[case.name] = filled(result, case, folder)
    never = [name for name, count in stopped.items() if not count]
    result.expect(not never, f"the disk was full for every command, not for {never}")
    result.figures = {"stopped": dict(stopped)}
    return result


def filled(result: Result, case: Case, folder: Path) -> int:
    """Run a case with little space, then with enough. Return how often it stopped for lack of
    space."""
    whole, errors = folder / f"whole-{case.output}", folder / "stderr"
    finish(result, command(*case.arguments(whole)), errors, allowed=case.done)
    stopped = 0
    for room in case.rooms:
        with tmpfs(folder / f"{case.name}-{room}", case.size) as disk:
            if disk is None:
                return stopped
            out, filler = disk / case.output, disk / "filler"
            _fill(filler, case.size, room)
            ended = finish(result, command(*case.arguments(out)), errors, allowed=(75, *case.done))
            if ended.code == 75:
                stopped += 1
                messages = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
                single = len(messages) == 1
                result.expect(
                    single, f"{case.name}: one line on a full disk: {ended.stderr[-300:]}"
                )
            filler.unlink()
            finish(result, command(*case.arguments(out)), errors, allowed=case.done)
            same = _compared(case, whole, out)
            result.expect(same, f"{case.name}: the outcome of an undisturbed run, room {room}")
    return stopped


def _compared(case: Case, whole: Path, out: Path) -> bool:
    try:
        return case.same(whole, out)
    except (OSError, ValueError):  # missing or incomplete output
        return False


def _fill(filler: Path, size: int, room: int) -> None:
    """Write `filler` on a disk of `size` bytes, so that about `room` bytes are left."""
    with filler.open("wb", buffering=0) as stream:
        with suppress(OSError):  # the disk is full
            for _ in range(size // 4096):
                stream.write(bytes(4096))
        stream.truncate(max(0, stream.tell() - room) // 4096 * 4096)


def cases(folder: Path, url: str, *, short: bool) -> list[Case]:
    source = questions(folder / "q.jsonl", 200)
    options = ("--teacher", "anthropic:m", "--base-url", url)

    def generate(out: Path) -> tuple[object, ...]:
        return ("generate-rationales", source, "-o", out, *options)

    rooms = (60_000,) if short else (0, 8192, 40_000, 90_000, 200_000)
    found = [Case("generate-rationales", generate, "o.jsonl", rooms, _same_rows, done=(0, 3))]
    return found if short else [*found, *_others(folder, url)]


def _others(folder: Path, url: str) -> list[Case]:
    source = questions(folder / "b.jsonl", 100)
    predictions = folder / "whole-m.jsonl"
    taught = write_rows(folder / "rows.jsonl", world_rows())
    settings = (
        "--student", "scratch:tiny", "--max-steps", 20, "--batch-size", 18, "--warmup-steps", 2,
        "--checkpoint-minutes", 0.005, "--device", "cpu",
    )  # fmt: skip
    trained = {name: folder / f"whole-{name}" for name in ("train-rationale", "train-answer")}

    def batch(out: Path) -> tuple[object, ...]:
        options = ("--teacher", "anthropic:m", "--base-url", url, "--batch")
        return ("generate-rationales", source, "-o", out, *options)

    asked, parts = shards(folder)

    def merge(out: Path) -> tuple[object, ...]:
        return ("merge", asked, *parts, "-o", out)

    def evaluate(out: Path) -> tuple[object, ...]:
        return ("evaluate", predictions, "--report", out, "--force")

    def train(name: str) -> Callable[[Path], tuple[object, ...]]:
        return lambda out: (name, taught, "-o", out, *settings)

    def predict(out: Path) -> tuple[object, ...]:
        return (
            "predict", asked_of(folder), "-o", out, "--device", "cpu", "--engine", "torch",
            "--rationale-model", trained["train-rationale"], "--answer-model",
            trained["train-answer"], "--window", 36, "--max-new-tokens", 8,
        )  # fmt: skip

    rooms = (0, 600_000, 2_000_000, 5_000_000)
    return [
        Case("generate-rationales --batch", batch, "b.out.jsonl", (0, 30_000, 60_000), _same_rows,
             done=(0, 3)),
        Case("merge", merge, "m.jsonl", (0, 20_480), _same_bytes),
        Case("evaluate --report", evaluate, "r.html", (0, 8192), _same_bytes),
        *(
            Case(name, train(name), name, rooms, same_weights, size=32 * MEBIBYTE)
            for name in ("train-rationale", "train-answer")
        ),
        Case("predict", predict, "p.jsonl", (0, 16_384), _same_bytes),
    ]  # fmt: skip


def asked_of(folder: Path) -> Path:
    """Write the questions for predict: four copies of the world's questions, under different
    ids."""
    return write_rows(folder / "asked.jsonl", copies(world_rows(), 4))


def _same_rows(whole: Path, out: Path) -> bool:
    return rows(whole) == rows(out)


def _same_bytes(whole: Path, out: Path) -> bool:
    return whole.read_bytes() == out.read_bytes()
