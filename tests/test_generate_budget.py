"""The cost of a teacher: estimated before a run, limited, and reported after it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from asked import KINDS, all_rows, command, finished, questions
from conftest import Recorder, read_rows, write_rows
from fakes.teacher_server import Conduct, TeacherServer

from scicot import GenerateSettings, ScicotError, StoppedEarly, estimate_cost, generate_rationales
from scicot.annotation import Estimate
from scicot.teachers import Price, price_of

PRICE = (1.0, 5.0)


def test_prices_are_those_of_the_model_and_its_dated_versions() -> None:
    assert price_of("anthropic:claude-haiku-5-5") == Price(0.10, 0.50)
    assert price_of("anthropic:claude-haiku-5-5-20261001") == Price(0.10, 0.50)
    assert price_of("anthropic:claude-haiku-5-50") is None
    assert price_of("anthropic:llama") is None
    assert price_of("hf:claude-haiku-5-5") is None
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}
    assert Price(2, 10).of(usage) == pytest.approx(3.0)
    assert Price(2, 10).of(usage, batched=True) == pytest.approx(1.5)
    cached = {"cache_creation_input_tokens": 1_000_000, "cache_read_input_tokens": 1_000_000}
    assert Price(2, 10).of(cached) == pytest.approx(2.5 + 0.2)
    assert Price(2, 10).saved(cached) == pytest.approx(1.8 - 0.5)


def test_the_most_it_may_cost_is_never_passed_and_more_money_goes_on(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 200), tmp_path / "o.jsonl"

    def run(most: float) -> Any:
        settings = GenerateSettings(price=PRICE, max_cost=most, keep="all", max_tokens=64)
        return generate_rationales(
            source, out, teacher="anthropic:m", base_url=server.url, settings=settings
        )

    with TeacherServer(Conduct(latency=0.01)) as server:
        with pytest.raises(StoppedEarly, match=r"--max-cost: \$0\.0\d+ of \$0\.02 is spent"):
            run(0.02)
        rows = all_rows(out)
        assert 0.01 < sum(row["usage"]["cost_usd"] for row in rows) <= 0.02
        assert server.behaviour.asked.total() == len(rows)
        with pytest.raises(StoppedEarly):
            run(0.02)
        assert server.behaviour.asked.total() <= len(rows) + 20
        summary = run(10.0)
        assert server.behaviour.asked.total() == 200
    assert len(all_rows(out)) == 200
    assert summary.spent == pytest.approx(sum(row["usage"]["cost_usd"] for row in all_rows(out)))


def test_a_limit_without_a_price_is_refused(tmp_path: Path) -> None:
    source = questions(tmp_path / "q.jsonl", 2)
    with pytest.raises(ScicotError, match=r"the price of anthropic:m is not known; give it with"):
        generate_rationales(
            source, tmp_path / "o.jsonl", teacher="anthropic:m", base_url="http://127.0.0.1:1",
            settings=GenerateSettings(max_cost=1.0),
        )  # fmt: skip
    assert not (tmp_path / "o.jsonl").exists()


def test_a_dry_run_tells_what_is_left_and_asks_nothing(scicot: Any, tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 100), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        arguments = [
            "generate-rationales", source, "-o", out, "--teacher", "anthropic:m",
            "--base-url", server.url, "--price", "1,5",
        ]  # fmt: skip
        estimate = json.loads(scicot(*arguments, "--dry-run", "--json").stdout)
        assert (estimate["requests"], estimate["already_done"], estimate["input_counted"]) == (
            100,
            0,
            True,
        )
        assert server.behaviour.counts["requests"] == 0
        assert not out.exists()
        assert estimate["most_output_tokens"] == 100 * 1024
        assert estimate["batched_cost"] == pytest.approx(estimate["cost"] / 2)
        assert scicot(*arguments, "--limit", 40, "--keep", "all").code == 0
        before = {file: file.read_bytes() for file in tmp_path.glob("o.*")}
        left = json.loads(scicot(*arguments, "--keep", "all", "--dry-run", "--json").stdout)
        assert {file: file.read_bytes() for file in tmp_path.glob("o.*")} == before
        assert (left["requests"], left["already_done"]) == (60, 40)
        assert scicot(*arguments, "--keep", "all").code == 0
        paid = [row["usage"] for row in read_rows(out)[40:]]
        spoken = sum(usage["output_tokens"] for usage in paid)
        assert left["output_tokens"] == pytest.approx(spoken, rel=0.05), "from the first 40"
        assert left["cost"] == pytest.approx(
            sum(arguments["cost_usd"] for arguments in paid), rel=0.1
        )
        plain = scicot(*arguments, "--keep", "all", "--dry-run")
        assert "requests         0 (100 done before)" in plain.stdout
        refused = scicot(*arguments, "--dry-run", "--max-tokens", 7)
        assert refused.code == 1
        assert "max_tokens: was 1024, is 7" in refused.stderr


def test_the_most_it_may_cost_includes_second_requests(tmp_path: Path) -> None:
    """--reveal-answer on-failure sends one after each rejected reply."""
    source = questions(tmp_path / "q.jsonl", 10)
    with TeacherServer() as server:

        def estimate(**settings: Any) -> Estimate:
            return estimate_cost(
                source,
                tmp_path / "o.jsonl",
                teacher="anthropic:m",
                base_url=server.url,
                settings=GenerateSettings(price=PRICE, **settings),
            )

        never, on_failure = estimate(), estimate(reveal_answer="on-failure")
    assert (never.requests, never.followed_up) == (10, 0)
    assert (on_failure.requests, on_failure.followed_up) == (10, 10)
    assert on_failure.most_output_tokens == 2 * never.most_output_tokens
    assert never.most_cost is not None
    assert on_failure.most_cost is not None
    assert on_failure.most_cost > 2 * never.most_cost, "the second prompts are longer"
    assert on_failure.cost == never.cost


def test_a_dry_run_of_standard_input_counts_what_is_done(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 5), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        assert finished(command(source, out, server.url, "--keep", "all")).returncode == 0
        again = command(Path("-"), out, server.url, "--keep", "all", "--dry-run")
        with source.open() as rows:
            dry = subprocess.run(again, stdin=rows, capture_output=True, text=True, check=True)
    assert "requests         0 (5 done before)" in dry.stdout


def test_a_server_that_counts_no_tokens_leaves_an_estimate(tmp_path: Path) -> None:
    source = questions(tmp_path / "q.jsonl", 10)
    replies = write_rows(tmp_path / "r.jsonl", [{"id": "q0", "reply": "It is so.\nAnswer: A"}])
    estimate = estimate_cost(source, tmp_path / "o.jsonl", teacher=f"recorded:{replies}")
    assert (estimate.requests, estimate.input_counted, estimate.cost) == (10, False, None)
    assert 100 < estimate.input_tokens / 10 < 400
    keyless = estimate_cost(source, tmp_path / "o.jsonl", teacher="anthropic:claude-haiku-5-5")
    assert (keyless.requests, keyless.input_counted) == (10, False)
    assert keyless.cost is not None


def test_what_a_retry_replaces_was_paid_all_the_same(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 20), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(oddities=1.0)) as server:
        server.behaviour._lasting = lambda asked: "max_tokens"  # type: ignore[method-assign]

        def run(**more: Any) -> Any:
            settings = GenerateSettings(price=PRICE, keep="all", **more)
            return generate_rationales(
                source, out, teacher="anthropic:m", base_url=server.url, settings=settings
            )

        once = run().spent
        assert run(retry_rejected=True).spent == pytest.approx(2 * once)
        assert run(retry_rejected=True).spent == pytest.approx(3 * once)
        assert run().spent == pytest.approx(3 * once)


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"input_tokens": "100", "output_tokens": 50}, "impossible token counts (input_tokens)"),
        ({"input_tokens": None, "output_tokens": 50}, "reports no input_tokens"),
        ({"output_tokens": 50}, "reports no input_tokens"),
        ({"input_tokens": 100}, "reports no output_tokens"),
    ],
)
def test_half_a_usage_is_taken_to_cost_the_most(
    usage: dict[str, Any], told: str, tmp_path: Path, recorder: Recorder
) -> None:
    """Otherwise the half that is missing would be free."""
    source, out = questions(tmp_path / "q.jsonl", 1), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        usual = server.behaviour._message

        async def half(request: dict[str, Any]) -> Any:
            status, headers, body = await usual(request)
            return status, headers, json.dumps({**json.loads(body), "usage": usage}).encode()

        server.behaviour._message = half  # type: ignore[method-assign]
        settings = GenerateSettings(price=(100.0, 1.0), keep="all", max_tokens=64)
        summary = generate_rationales(
            source,
            out,
            teacher="anthropic:m",
            base_url=server.url,
            settings=settings,
            reporter=recorder,
        )
    assert summary.cost is not None
    assert summary.cost > 100 * 100 / 1e6, "more than 100 input tokens"
    (warning,) = recorder.warnings
    assert told in warning


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("teacher", KINDS)
@pytest.mark.parametrize(
    ("text", "usage", "each"),
    [
        ("", (100, 0), 1e-4),
        ("It is so.\nAnswer: A", (0, 50), 2.5e-4),
        ("", (0, 0), 0.0),
        ("It is so.\nAnswer: A", (0, 0), None),
    ],
)
def test_a_count_of_zero_is_a_count(
    text: str,
    usage: tuple[int, int],
    each: float | None,
    teacher: str,
    batch: bool,
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    """`each` is the cost of one request in dollars, None for the highest cost. Replies that a
    content filter stopped have no output tokens."""
    source, out = questions(tmp_path / "q.jsonl", 3), tmp_path / "o.jsonl"
    settings = GenerateSettings(price=PRICE, max_tokens=64, batch=batch)
    with TeacherServer() as server:
        usual = server.behaviour._replied

        def zero(request: dict[str, Any], lasting: str | None) -> dict[str, Any]:
            content = [{"type": "text", "text": text}]
            counts = dict(zip(("input_tokens", "output_tokens"), usage, strict=True))
            return {**usual(request, lasting), "content": content, "usage": counts}

        server.behaviour._replied = zero  # type: ignore[method-assign]
        summary = generate_rationales(
            source, out, teacher=teacher, base_url=server.url, settings=settings, reporter=recorder
        )
    assert recorder.warnings == []
    assert summary.cost is not None
    share = 2 / 3 if batch else 1.0  # the first request is not sent in the batch
    if each is None:
        assert summary.cost > 3 * 64 * 5e-6 * share
    else:
        assert summary.cost == pytest.approx(3 * each * share)


def test_recorded_replies_cost_nothing(tmp_path: Path) -> None:
    source = questions(tmp_path / "q.jsonl", 1)
    usage = {"input_tokens": 100, "output_tokens": 50}
    row = {"id": "q0", "reply": "It is so.\nAnswer: A", "usage": usage}
    replies = write_rows(tmp_path / "r.jsonl", [row])
    settings = GenerateSettings(price=PRICE, max_cost=1e-9)
    summary = generate_rationales(
        source, tmp_path / "o.jsonl", teacher=f"recorded:{replies}", settings=settings
    )
    assert (summary.kept, summary.cost, summary.spent) == (1, None, None)
    assert summary.tokens == usage


def test_a_server_that_tells_no_usage_is_taken_to_cost_the_most(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 30), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        usual = server.behaviour._message

        async def silent(request: dict[str, Any]) -> Any:
            status, headers, body = await usual(request)
            message = json.loads(body)
            return status, headers, json.dumps({**message, "usage": {}}).encode()

        server.behaviour._message = silent  # type: ignore[method-assign]
        settings = GenerateSettings(price=PRICE, max_cost=0.02, keep="all", max_tokens=64)
        with pytest.raises(StoppedEarly, match="--max-cost"):
            generate_rationales(
                source, out, teacher="anthropic:m", base_url=server.url, settings=settings
            )
    assert 0 < len(all_rows(out)) < 30
