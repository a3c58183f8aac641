"""--batch: each batch is paid for once, even if the process ends between two of its steps."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked import all_rows, content, finished, questions, started
from batch_runs import COUNT, Crash, command, crashing, quick, run, teacher
from conftest import Recorder, read_rows
from fakes.teacher_server import Batch, Conduct, TeacherServer

from scicot import GenerateSettings, StoppedEarly, generate_rationales
from scicot.annotation import batch_jobs, batch_plans, batch_sender
from scicot.teachers.base import TeacherBusy
from scicot.teachers.chat_batches import ChatBatches
from scicot.teachers.message_batches import MessageBatches

__all__ = ["command", "quick", "run", "teacher"]  # fixtures


STEPS: dict[str, tuple[Any, str]] = {
    "planned": (batch_plans.Plan, "make"),
    "begun": (batch_plans.Plan, "beginning"),
    "id written": (batch_plans.Plan, "sent"),
    "a row written": (batch_jobs._Runner, "_record"),
    "dropped": (batch_plans.Plan, "drop"),
    "requests of the plan dropped": (Path, "unlink"),
}


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.usefixtures("quick")
def test_a_crash_at_any_step_pays_one_batch(
    step: str,
    before: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., Any],
) -> None:
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    owner, name = STEPS[step]
    with TeacherServer() as server:
        whole = tmp_path / "whole.jsonl"
        run(source, whole, server.url)
    with TeacherServer() as server:
        with monkeypatch.context() as patch:
            original = owner.__dict__[name]
            function = original.__func__ if isinstance(original, classmethod) else original
            once = crashing(before, function)
            patch.setattr(owner, name, classmethod(once) if function is not original else once)
            with pytest.raises(Crash):
                run(source, out, server.url)
        summary = run(source, out, server.url)
        counts = server.behaviour.counts
    assert counts["batches"] == 1
    assert counts["requests"] == (2 if step == "planned" and before else 1), "to validate"
    assert content(out) == content(whole)
    assert summary.all_kept == COUNT
    assert not (tmp_path / "o.batches").exists()


@pytest.mark.usefixtures("quick")
def test_a_batch_whose_id_never_arrived_is_found_by_its_requests(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    conduct = Conduct(ended_after=0.3)
    conduct.forgets["created"] = 1  # the server creates the batch, but its response is lost
    with TeacherServer(conduct) as server:
        # Another user's batch with as many requests, created just before.
        other = questions(tmp_path / "other.jsonl", COUNT)
        other.write_text(other.read_text().replace("machine", "bridge"))
        server.behaviour.conduct.forgets["created"] = 0
        run(other, tmp_path / "other.out.jsonl", server.url)
        server.behaviour.conduct.forgets["created"] = 1
        run(source, out, server.url)
        assert server.behaviour.counts["batches"] == 2
    assert len(all_rows(out)) == COUNT


@pytest.mark.usefixtures("quick")
def test_a_batch_that_the_list_shows_late_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    monkeypatch.setattr(batch_sender, "LISTED", 30.0)
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    conduct = Conduct()
    conduct.forgets["created"] = 1
    with TeacherServer(conduct) as server:
        usual, looks = server.behaviour._batches, [0]

        def late(method: str, path: str, body: bytes) -> Any:
            status, headers, answer = usual(method, path, body)
            if method == "GET" and not path:
                looks[0] += 1
                if looks[0] < 3:
                    answer = json.dumps({**json.loads(answer), "data": []}).encode()
            return status, headers, answer

        server.behaviour._batches = late  # type: ignore[method-assign]
        run(source, out, server.url)
        assert server.behaviour.counts["batches"] == 1
    assert len(all_rows(out)) == COUNT


@pytest.mark.usefixtures("quick")
def test_what_expires_is_sent_again_and_what_is_wrong_is_an_error(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(batch_faults=0.4, oddities=0.3)) as server:
        summary = run(source, out, server.url)
        assert server.behaviour.counts["batches"] == 2
    assert len(all_rows(out)) == COUNT
    assert summary.errors > 0
    reasons = {row["reason"] for row in read_rows(out.with_suffix(".rejected.jsonl"))}
    assert reasons <= {"error", "refusal", "truncated"}


@pytest.mark.usefixtures("quick")
def test_batches_are_split_at_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any], teacher: str
) -> None:
    source = questions(tmp_path / "q.jsonl", COUNT)
    api = {"anthropic:m": MessageBatches, "openai:m": ChatBatches}[teacher]
    monkeypatch.setattr(api, "most_requests", 10)
    with TeacherServer() as server:
        run(source, tmp_path / "a.jsonl", server.url)
        sizes = [len(batch.requests) for batch in server.behaviour.batches.values()]
    assert sizes == [10, 10, 10, 9], "and one that was asked by itself"
    monkeypatch.setattr(api, "most_requests", 100)
    monkeypatch.setattr(api, "most_bytes", 10_000)
    with TeacherServer() as server:
        run(source, tmp_path / "b.jsonl", server.url)
        assert all(
            sum(len(json.dumps(request)) for request in batch.requests) <= 10_000
            for batch in server.behaviour.batches.values()
        )
    assert content(tmp_path / "a.jsonl") == content(tmp_path / "b.jsonl")


def test_an_interrupted_batch_goes_on_and_can_be_taken_back(
    tmp_path: Path, command: Callable[..., list[str]]
) -> None:
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(ended_after=3600)) as server:
        arguments = command(source, out, server.url, "--batch", "--keep", "all")
        process = started(arguments)
        dry_run = [*arguments, "--dry-run", "--price", "1,5"]
        until = time.monotonic() + 60
        while not server.behaviour.batches and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 130, said
        assert "batches on the server: msgbatch_0000; run" in said
        assert "--cancel-batches" in said
        assert server.behaviour.counts["canceled"] == 0
        dry = finished(dry_run).stdout
        assert f"requests         0 (1 done before, {COUNT - 1} under way in batches)" in dry
        assert "$0.0000 expected, $0.0000 at most" in dry
        refused = finished([*arguments[:-3], "--keep", "all"])
        assert refused.returncode == 1
        assert "a batch is unfinished" in refused.stderr
        back = finished([*arguments, "--cancel-batches"])
        assert back.returncode == 75, back.stderr
        assert server.behaviour.counts["canceled"] == 1
        kept = len(read_rows(out))
        assert 1 < kept < COUNT, "what it had answered by then"
        server.behaviour.conduct.ended_after = 0.0
        assert finished(arguments).returncode == 0
        assert server.behaviour.counts["batches"] == 2
    assert len(read_rows(out)) == COUNT


@pytest.mark.parametrize("oddities", [0.0, 1.0])
@pytest.mark.usefixtures("quick")
def test_results_that_a_resumed_run_fetches_were_not_done_before(
    oddities: float, tmp_path: Path, teacher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `oddities` some requests get an error, a refusal or a reply that is cut."""
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    settings = GenerateSettings(batch=True, keep="all")
    with TeacherServer(Conduct(oddities=oddities)) as server:

        def run(reporter: Recorder) -> Any:
            return generate_rationales(
                source, out, teacher=teacher, base_url=server.url, settings=settings,
                reporter=reporter,
            )  # fmt: skip

        with monkeypatch.context() as patch:
            patch.setattr(batch_plans.Plan, "sent", crashing(False, batch_plans.Plan.sent))
            with pytest.raises(Crash):
                run(Recorder())
        before, reporter = len(all_rows(out)), Recorder()
        resumed = run(reporter)
        assert resumed.already_done == before
        assert resumed.kept + resumed.rejected.total() == COUNT - before
        assert reporter.steps == COUNT
        assert run(Recorder()).already_done == COUNT


@pytest.mark.usefixtures("quick")
def test_a_batch_that_somebody_canceled_is_not_sent_again_unasked(
    tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests are counted once, also if their results are read twice."""
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    record_all, attempts = batch_jobs._Runner._record_all, []

    async def fail_once(*args: Any) -> Any:
        seen = await record_all(*args)
        attempts.append(seen)
        if len(attempts) == 1:
            raise TeacherBusy("the connection broke at the end of the results")
        return seen

    monkeypatch.setattr(batch_jobs._Runner, "_record_all", fail_once)
    with TeacherServer() as server:
        told = server.behaviour._told

        def canceled(batch: Batch) -> dict[str, Any]:
            batch.canceled = True
            return told(batch)

        server.behaviour._told = canceled  # type: ignore[method-assign]
        with pytest.raises(
            StoppedEarly, match=r"^19 requests unanswered, because a batch was cancelled;"
        ):
            run(source, out, server.url)
        assert server.behaviour.counts["batches"] == 1
    assert len(attempts) == 2
