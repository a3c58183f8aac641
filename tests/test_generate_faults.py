"""generate-rationales against a server that fails, and killed at any moment."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked import all_rows, content, finished, kill, questions, started
from batch_runs import command, teacher
from conftest import Recorder, read_rows, write_rows
from fakes.teacher_server import PASSING, Conduct, TeacherServer

from scicot import GenerateSettings, ScicotError, generate_rationales
from scicot.annotation import ledger

IN_FLIGHT = 16
KILLS = 20
__all__ = ["command", "teacher"]  # fixtures


def test_twenty_kills_lose_nothing_and_repeat_little(
    tmp_path: Path, command: Callable[..., list[str]]
) -> None:
    source = questions(tmp_path / "q.jsonl", 200)
    conduct = Conduct(latency=0.05, faults=0.1, oddities=0.1, drip=2.0)
    options = ("--timeout", "1", "--concurrency", IN_FLIGHT)
    with TeacherServer(conduct) as server:
        whole = tmp_path / "whole.jsonl"
        undisturbed = finished(command(source, whole, server.url, *options))
    assert undisturbed.returncode == 3, undisturbed.stderr
    draw, out = random.Random(0), tmp_path / "out.jsonl"
    with TeacherServer(conduct) as server:
        asked = server.behaviour.answered
        for number in range(1, KILLS + 1):
            goal = asked.total() + draw.randrange(1, 12)
            finished_rows, before = {row["question"] for row in all_rows(out)}, asked.copy()
            process = started(command(source, out, server.url, *options))
            until = time.monotonic() + 60
            while asked.total() < goal and time.monotonic() < until and process.poll() is None:
                time.sleep(0.002)
            kill(process)
            time.sleep(0.1)  # time for the server to finish its work
            again = [text for text in asked if asked[text] > before[text]]
            repeated = [
                text for text in again if any(question in text for question in finished_rows)
            ]
            assert repeated == [], "asked again for a finished row"
            assert asked.total() - len(all_rows(out)) <= IN_FLIGHT * number
        last = finished(command(source, out, server.url, *options))
    assert last.returncode == 3, last.stderr
    assert content(out) == content(whole)
    assert "error:" in last.stderr
    assert "Traceback" not in last.stderr
    assert set(PASSING) <= set(server.behaviour.counts), "every kind of trouble was met"


def test_a_stop_writes_what_is_on_its_way(
    tmp_path: Path, command: Callable[..., list[str]]
) -> None:
    source = questions(tmp_path / "q.jsonl", 400)
    for name, code in ((signal.SIGTERM, 75), (signal.SIGINT, 130)):
        out = tmp_path / f"{name}.jsonl"
        with TeacherServer(Conduct(latency=0.4)) as server:
            process = started(command(source, out, server.url))
            while server.behaviour.answered.total() < 40:
                time.sleep(0.01)
            os.kill(process.pid, name)
            _, said = process.communicate(timeout=30)
            assert process.returncode == code, said
            assert server.behaviour.answered.total() == len(all_rows(out))
            assert "run the same command again to resume" in said


def test_a_spend_limit_stops_at_once_and_keeps_what_came(tmp_path: Path, teacher: str) -> None:
    source, out = questions(tmp_path / "q.jsonl", 100), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(latency=0.01, spend_limit=30)) as server:
        with pytest.raises(ScicotError, match="spend_limit"):
            generate_rationales(source, out, teacher=teacher, base_url=server.url)
        assert len(all_rows(out)) == 30
        assert server.behaviour.counts["requests"] <= 30 + IN_FLIGHT


def test_one_question_that_always_fails_does_not_stop_the_others(
    tmp_path: Path, recorder: Recorder, teacher: str
) -> None:
    source, out = questions(tmp_path / "q.jsonl", 20), tmp_path / "o.jsonl"

    with TeacherServer() as server:
        usual = server.behaviour._trouble
        server.behaviour._trouble = lambda asked, times: (  # type: ignore[method-assign]
            "500" if "part 7 " in asked else usual(asked, times)
        )
        summary = generate_rationales(
            source, out, teacher=teacher, base_url=server.url, reporter=recorder,
            settings=GenerateSettings(max_wait=1.0, keep="all"),
        )  # fmt: skip
    assert (summary.kept, dict(summary.rejected)) == (19, {"error": 1})
    (row,) = read_rows(out.with_suffix(".rejected.jsonl"))
    assert "500 some trouble, still after" in row["error"]


def test_many_failures_in_a_row_stop_the_run(tmp_path: Path, teacher: str) -> None:
    source, out = questions(tmp_path / "q.jsonl", 90), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(oddities=1.0)) as server:
        server.behaviour._lasting = lambda asked: "400"  # type: ignore[method-assign]
        with pytest.raises(ScicotError, match=r"fails on \d\d questions, .* too \(.*too odd"):
            generate_rationales(source, out, teacher=teacher, base_url=server.url)
    assert all_rows(out) == []
    with TeacherServer() as server:
        summary = generate_rationales(
            source, out, teacher=teacher, base_url=server.url,
            settings=GenerateSettings(keep="all", retry_rejected=True),
            force=True,
        )  # fmt: skip
    assert summary.kept == 90


def test_retry_after_is_heeded_up_to_max_wait(tmp_path: Path, teacher: str) -> None:
    source, out = questions(tmp_path / "q.jsonl", 3), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(faults=1.0)) as server:
        server.behaviour._trouble = (  # type: ignore[method-assign]
            lambda asked, times: "retry-after" if times == 1 else None
        )
        began = time.monotonic()
        generate_rationales(source, out, teacher=teacher, base_url=server.url)
        assert time.monotonic() - began >= 0.3
        first, second = server.behaviour.accepted[0], server.behaviour.accepted[3]
        assert second - first >= 0.3
    assert len(all_rows(out)) == 3


def test_an_allowed_rate_is_found_and_kept(tmp_path: Path, teacher: str) -> None:
    source, out = questions(tmp_path / "q.jsonl", 700), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(latency=0.05, rate=80)) as server:
        generate_rationales(source, out, teacher=teacher, base_url=server.url)
        accepted, refusals = server.behaviour.accepted, server.behaviour.refusals
    assert len(all_rows(out)) == 700
    settled = accepted[0] + 4.0
    late = [moment for moment in accepted if moment > settled]
    assert sum(moment > settled for moment in refusals) < 0.1 * len(late)


def test_what_the_index_forgot_is_read_from_the_rows(tmp_path: Path, teacher: str) -> None:
    source, out = questions(tmp_path / "q.jsonl", 30), tmp_path / "o.jsonl"
    index = tmp_path / "o.done.sqlite"
    with TeacherServer() as server:

        def run(count: int) -> int:
            before = server.behaviour.asked.total()
            generate_rationales(source, out, teacher=teacher, base_url=server.url, limit=count)
            return server.behaviour.asked.total() - before

        assert run(20) == 20
        index.unlink()
        assert run(20) == 0
        index.write_bytes(b"no database, or one that a full disk has damaged" * 100)
        assert run(20) == 0
        kept = read_rows(out)
        write_rows(out, kept[1:])  # a user deletes a row to have its question asked again
        assert run(20) == 1
        # Rows that are in the file but not in the index, as after a kill.
        stale = index.read_bytes()
        assert run(30) == 10
        index.write_bytes(stale)
        assert run(30) == 0
    assert len(all_rows(out)) == 30
    assert json.loads((tmp_path / "o.state.json").read_text())["finished"]


def test_a_silent_pipe_can_be_left(tmp_path: Path, command: Callable[..., list[str]]) -> None:
    row = questions(tmp_path / "q.jsonl", 1).read_text()
    for written in ("", row, row + row[:20]):
        out = tmp_path / f"{len(written)}.jsonl"
        with TeacherServer() as server:
            process = subprocess.Popen(
                command(Path("-"), out, server.url, "--keep", "all"),
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stdin is not None
            process.stdin.write(written)
            process.stdin.flush()
            until = time.monotonic() + 20
            while time.monotonic() < until and not (
                out.exists() and (not written or all_rows(out))
            ):
                time.sleep(0.05)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=15) == 130
            assert len(all_rows(out)) == bool(written)
            process.stdin.close()
            assert process.stderr is not None
            process.stderr.close()


def test_a_bad_line_of_the_output_is_named(tmp_path: Path, teacher: str) -> None:
    source, out = questions(tmp_path / "q.jsonl", 10), tmp_path / "o.jsonl"
    settings = GenerateSettings(keep="all")
    with TeacherServer() as server:

        def run() -> None:
            generate_rationales(
                source, out, teacher=teacher, base_url=server.url, settings=settings
            )

        run()
        lines = out.read_text().splitlines(keepends=True)
        for bad, message in (("{oops\n", "o.jsonl:5: not JSON"), ('{"id": "q4"}\n', "o.jsonl:5: ")):
            out.write_text("".join([*lines[:4], bad, *lines[5:]]))
            with pytest.raises(ScicotError, match=message):
                run()
        out.write_text(
            "".join([*lines[:4], lines[4].replace('"usage": {', '"usage": {"x": "y", ')])
        )
        run()
    assert len(all_rows(out)) == 10


@pytest.mark.parametrize(
    ("value", "amount"), [(5, 5.0), (0.25, 0.25), (True, 0.0), ("5", 0.0), (-1, 0.0), (None, 0.0)]
)
def test_only_numbers_of_a_usage_are_counted(value: Any, amount: float) -> None:
    assert ledger._number(value) == amount
