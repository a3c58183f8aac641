"""--batch: what the results of a batch cost, and results that are missing or broken."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked import all_rows, questions
from batch_runs import COUNT, Crash, command, crashing, quick, run, teacher
from conftest import read_rows
from fakes.teacher_server import Conduct, TeacherServer

from scicot import GenerateSettings, ScicotError, StoppedEarly, generate_rationales
from scicot.annotation import batch_jobs, batch_plans, batch_sender

__all__ = ["command", "quick", "run", "teacher"]  # fixtures


@pytest.mark.usefixtures("quick")
def test_a_batch_costs_half(tmp_path: Path, run: Callable[..., Any], teacher: str) -> None:
    source = questions(tmp_path / "q.jsonl", COUNT)
    with TeacherServer() as server:
        batched = run(source, tmp_path / "a.jsonl", server.url, price=(1.0, 5.0))
        single = generate_rationales(
            source, tmp_path / "b.jsonl", teacher=teacher, base_url=server.url,
            settings=GenerateSettings(price=(1.0, 5.0)),
        )  # fmt: skip
    assert single.cost is not None
    first = single.cost / COUNT
    assert batched.cost == pytest.approx((single.cost - first) / 2 + first, rel=0.02)
    assert batched.spent == pytest.approx(batched.cost)
    row = read_rows(tmp_path / "b.jsonl")[0]
    usage = row["usage"]
    expected = (usage["input_tokens"] * 1.0 + usage["output_tokens"] * 5.0) / 1e6
    assert usage["cost_usd"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.usefixtures("quick")
def test_results_of_a_retry_are_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    """The process ends while the results of a batch replace rejected rows."""
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(oddities=1.0)) as server:
        server.behaviour._lasting = lambda asked: "max_tokens"  # type: ignore[method-assign]
        once = run(source, out, server.url, price=(1.0, 5.0)).spent
        record, results = batch_jobs._Runner._record, []

        async def ends(*args: Any) -> None:
            await record(*args)
            results.append(args)
            if len(results) == COUNT // 2:
                raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(batch_jobs._Runner, "_record", ends)
            with pytest.raises(Crash):
                run(source, out, server.url, price=(1.0, 5.0), retry_rejected=True)
        last = run(source, out, server.url, price=(1.0, 5.0), retry_rejected=True)
        assert server.behaviour.counts["batches"] == 2
    assert len(all_rows(out)) == COUNT
    first = once / (COUNT + 1)  # half the price of one request
    assert last.spent == pytest.approx(2 * once - first, rel=0.02)


@pytest.mark.usefixtures("quick")
def test_what_a_later_round_still_owes_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    from scicot.annotation import watermark

    monkeypatch.setattr(watermark, "_STRIDE", 5)
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(batch_faults=0.5)) as server:
        # killed when the second batch was planned but not sent
        with monkeypatch.context() as patch:
            patch.setattr(batch_plans.Plan, "beginning", crashing(True, batch_plans.Plan.beginning))
            with pytest.raises(Crash):
                run(source, out, server.url)
        run(source, out, server.url)
        assert len(all_rows(out)) == COUNT
        with monkeypatch.context() as patch:
            patch.setattr(batch_sender.Sender, "_send", crashing(True, batch_sender.Sender._send))
            server.behaviour.conduct.batch_faults = 0.0
            other = tmp_path / "second.jsonl"
            with pytest.raises(Crash):
                run(source, other, server.url)
        for plan in batch_plans.Plan.all_in(tmp_path / "second.batches"):
            plan.drop()
        run(source, other, server.url)
    assert len(all_rows(other)) == COUNT


@pytest.mark.usefixtures("quick")
def test_a_result_that_never_comes_is_an_error_in_the_end(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        usual = server.behaviour._results

        def without(batch: Any) -> bytes:
            names = {
                request["custom_id"]
                for request in batch.requests
                if "part 7 " in request["params"]["messages"][-1]["content"]
            }
            return b"".join(
                line
                for line in usual(batch).splitlines(True)
                if json.loads(line)["custom_id"] not in names
            )

        server.behaviour._results = without  # type: ignore[method-assign]
        summary = run(source, out, server.url)
        assert server.behaviour.counts["batches"] == 3
    assert (summary.all_kept, summary.errors) == (COUNT - 1, 1)


@pytest.mark.usefixtures("quick")
def test_blank_and_broken_lines_of_the_results_are_passed_over(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        usual = server.behaviour._results
        server.behaviour._results = lambda batch: (  # type: ignore[method-assign]
            b"not JSON\n\n" + usual(batch) + b"\n"
        )
        summary = run(source, out, server.url)
        assert server.behaviour.counts["batches"] == 1
    assert summary.all_kept == COUNT


@pytest.mark.usefixtures("quick")
def test_a_page_in_place_of_the_results_does_not_pay_the_batch_twice(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    source, out = questions(tmp_path / "q.jsonl", COUNT), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        usual = server.behaviour._results
        page = b"<html>\n<body>Bad gateway</body>\n</html>\n"
        server.behaviour._results = lambda batch: page  # type: ignore[method-assign]
        with pytest.raises(StoppedEarly, match="holds no results"):
            run(source, out, server.url, max_wait=0.1)
        server.behaviour._results = usual  # type: ignore[method-assign]
        summary = run(source, out, server.url)
        assert server.behaviour.counts["batches"] == 1
    assert summary.all_kept == COUNT


@pytest.mark.usefixtures("quick")
def test_a_server_without_batches_leaves_nothing_under_way(
    tmp_path: Path, run: Callable[..., Any], teacher: str
) -> None:
    source, out = questions(tmp_path / "q.jsonl", 5), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        server.behaviour._batches = (  # type: ignore[method-assign]
            lambda *_: (404, {}, b'{"error": {"message": "no such path"}}')
        )
        with pytest.raises(ScicotError, match=r"404.* no such path"):
            run(source, out, server.url)
        generate_rationales(
            source, out, teacher=teacher, base_url=server.url,
            settings=GenerateSettings(keep="all"),
        )  # fmt: skip
        with pytest.raises(ScicotError, match=r"--cancel-batches: .* has no unfinished batch"):
            run(source, out, server.url, cancel_batches=True)
    assert len(all_rows(out)) == 5
