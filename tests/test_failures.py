"""Only failures that a question causes are recorded for it."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked import all_rows, command, questions, started
from conftest import read_rows
from fakes.teacher_server import Conduct, TeacherServer
from fakes.wire import Answered

from scicot import GenerateSettings, ScicotError, StoppedEarly, generate_rationales
from scicot.annotation import batch_sender

LIMITS = "You have reached your specified API usage limits. You will regain access on 2026-12-01."


def error(status: int, text: str, **headers: str) -> Answered:
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": text}}
    return status, {"content-type": "application/json", **headers}, json.dumps(body).encode()


def run(source: Path, out: Path, url: str, **settings: Any) -> Any:
    generate_settings = GenerateSettings(keep="all", **settings)
    return generate_rationales(
        source, out, teacher="anthropic:m", base_url=url, settings=generate_settings
    )


class Refusing(TeacherServer):
    """Answers a number of questions, and then gives every request the same error."""

    def __init__(self, after: int, answer: Answered) -> None:
        super().__init__(Conduct(latency=0.01))
        usual = self.behaviour._message

        async def answered(request: dict[str, Any]) -> Answered:
            if self.behaviour.answered.total() >= after:
                self.behaviour.counts["requests"] += 1
                return answer
            return await usual(request)

        self.behaviour._message = answered  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (error(400, LIMITS), StoppedEarly, "regain access on 2026-12-01"),
        (error(429, "daily limit", **{"retry-after": "86400"}), StoppedEarly, "24.0 h more .until"),
        (error(400, "Your credit balance is too low"), ScicotError, "credit balance"),
        (error(400, "something that nobody has seen before"), ScicotError, "test question too"),
    ],
)
def test_a_condition_of_the_account_is_recorded_against_no_question(
    answer: Answered, outcome: type[Exception], words: str, tmp_path: Path
) -> None:
    source, out = questions(tmp_path / "q.jsonl", 60), tmp_path / "o.jsonl"
    done = 0
    for _ in range(2):  # a second run does not record the error either
        with Refusing(30, answer) as server:
            server.behaviour.answered["before"] = done
            with pytest.raises(outcome, match=words) as stopped:
                run(source, out, server.url)
            assert type(stopped.value) is outcome
            done = server.behaviour.answered.total()
    assert len(all_rows(out)) == done < 60
    with TeacherServer() as server:
        assert run(source, out, server.url).all_kept == 60
        assert server.behaviour.counts["requests"] == 60 - done, "nothing is asked again"


def test_the_error_of_one_question_is_recorded_once_others_are_answered(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 40), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(latency=0.01)) as server:
        usual = server.behaviour._message

        async def answered(request: dict[str, Any]) -> Answered:
            odd = any(f"part {number} " in json.dumps(request) for number in (7, 39))
            return error(400, "odd in an unknown way") if odd else await usual(request)

        server.behaviour._message = answered  # type: ignore[method-assign]
        summary = run(source, out, server.url)
    assert (summary.kept, dict(summary.rejected)) == (38, {"error": 2})
    rows = read_rows(out.with_suffix(".rejected.jsonl"))
    assert sorted(row["id"] for row in rows) == ["q39", "q7"]


@pytest.mark.parametrize("count", [1, 3])
def test_where_nothing_is_ever_answered_nothing_is_recorded(count: int, tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", count), tmp_path / "o.jsonl"
    with (
        Refusing(0, error(400, "odd in an unknown way")) as server,
        pytest.raises(ScicotError, match=f"fails on {count} question"),
    ):
        run(source, out, server.url)
    assert all_rows(out) == []


def test_the_last_questions_of_a_file_are_recorded_only_if_a_probe_is_answered(
    tmp_path: Path,
) -> None:
    """After ten answers, every request gets an unknown error, including the probe. Only the ten
    answered questions are recorded."""
    source, out = questions(tmp_path / "q.jsonl", 25), tmp_path / "o.jsonl"
    with (
        Refusing(10, error(400, "odd in an unknown way")) as server,
        pytest.raises(ScicotError, match="test question too"),
    ):
        run(source, out, server.url, concurrency=1)
    assert len(all_rows(out)) == 10


def test_many_odd_questions_in_a_row_do_not_stop_a_run_for_ever(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 60), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(latency=0.01)) as server:
        usual = server.behaviour._message

        async def answered(request: dict[str, Any]) -> Answered:
            asked = json.dumps(request)
            odd = any(f"part {number} " in asked for number in range(25))
            return error(400, "odd in an unknown way") if odd else await usual(request)

        server.behaviour._message = answered  # type: ignore[method-assign]
        summary = run(source, out, server.url)
    assert (summary.kept, summary.errors) == (35, 25)


def test_what_is_set_aside_for_errors_held_back_is_free_again(tmp_path: Path) -> None:
    """The errors of nine questions are held back. The cost reserved for those questions is
    released, so that `max_cost` allows the tenth."""
    source, out = questions(tmp_path / "q.jsonl", 10), tmp_path / "o.jsonl"
    with TeacherServer(Conduct(latency=0.01)) as server:
        usual = server.behaviour._message

        async def answered(request: dict[str, Any]) -> Answered:
            last = "part 9 " in json.dumps(request)
            return await usual(request) if last else error(400, "odd in an unknown way")

        server.behaviour._message = answered  # type: ignore[method-assign]
        summary = run(
            source, out, server.url, price=(1.0, 1.0), max_tokens=1000, max_cost=0.006,
            concurrency=1,
        )  # fmt: skip
    assert (summary.kept, summary.errors) == (1, 9)


def test_a_stop_ends_a_probe_that_the_server_is_too_busy_for(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 30), tmp_path / "o.jsonl"
    with TeacherServer() as server:
        probed = threading.Event()

        async def answered(request: dict[str, Any]) -> Answered:
            if "is a metal" not in json.dumps(request):
                return error(400, "odd in an unknown way")
            probed.set()
            return error(529, "Overloaded")

        server.behaviour._message = answered  # type: ignore[method-assign]
        process = started(command(source, out, server.url))
        assert probed.wait(60)
        began = time.monotonic()
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    assert time.monotonic() - began < 30, "not until --max-wait"
    assert all_rows(out) == []


# Batches.


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sender, "POLL_SECONDS", (0.05, 0.1))
    monkeypatch.setattr(batch_sender, "LISTED", 0.5)


Change = Callable[[int, Answered], Answered]  # (number of the request, usual response) -> response


class Changed(TeacherServer):
    """Changes the answers to one kind of request about batches."""

    def __init__(self, kind: str, change: Change) -> None:
        super().__init__(Conduct())
        usual, asked = self.behaviour._batches, [0]

        def answered(method: str, path: str, body: bytes) -> Answered:
            answer = usual(method, path, body)
            parts = path.strip("/").split("/")
            is_kind = {
                "state": method == "GET" and len(parts) == 1 and parts[0],
                "results": parts[-1] == "results",
            }[kind]
            if not is_kind:
                return answer
            asked[0] += 1
            return change(asked[0], answer)

        self.behaviour._batches = answered  # type: ignore[method-assign]


NOT_FOUND = error(404, "batch not found")
HTML: Answered = (200, {"content-type": "text/html"}, b"<html>a proxy's page</html>")


@pytest.mark.parametrize("kind", ["state", "results"])
@pytest.mark.parametrize("trouble", [NOT_FOUND, HTML], ids=["404", "html"])
@pytest.mark.usefixtures("quick")
def test_trouble_with_a_batch_that_passes_is_waited_out(
    kind: str, trouble: Answered, tmp_path: Path
) -> None:
    source, out = questions(tmp_path / "q.jsonl", 12), tmp_path / "o.jsonl"
    with Changed(kind, lambda times, usual: trouble if times <= 2 else usual) as server:
        assert run(source, out, server.url, batch=True).all_kept == 12
        assert server.behaviour.counts["batches"] == 1


@pytest.mark.usefixtures("quick")
def test_a_batch_that_stays_lost_is_never_sent_again(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 12), tmp_path / "o.jsonl"
    with Changed("results", lambda times, usual: NOT_FOUND) as server:
        for _ in range(2):
            with pytest.raises(StoppedEarly) as stopped:
                run(source, out, server.url, batch=True, max_wait=0.6)
            assert "404" in str(stopped.value)
            assert "delete" not in str(stopped.value)
        assert server.behaviour.counts["batches"] == 1


@pytest.mark.usefixtures("quick")
def test_lines_of_results_that_are_none_are_left_out(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 12), tmp_path / "o.jsonl"
    odd = [b'{"custom_id": null, "result": {"type": "expired"}}', b"5", b'"x"', b"{}", b"[1]"]

    def change(times: int, usual: Answered) -> Answered:
        lines = usual[2].splitlines()
        twice = [*odd, *lines, *lines[:3]]
        return usual[0], usual[1], b"".join(line + b"\n" for line in twice)

    with Changed("results", change) as server:
        assert run(source, out, server.url, batch=True).all_kept == 12
    assert len(all_rows(out)) == 12


@pytest.mark.parametrize(
    ("kind", "text", "outcome"),
    [
        ("rate_limit_error", "daily limit", StoppedEarly),
        ("overloaded_error", "Overloaded", StoppedEarly),
        ("invalid_request_error", LIMITS, StoppedEarly),
        ("invalid_request_error", "Your credit balance is too low", ScicotError),
        ("invalid_request_error", "something that nobody has seen before", StoppedEarly),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_condition_of_the_account_in_results_is_recorded_against_no_question(
    kind: str, text: str, outcome: type[Exception], tmp_path: Path
) -> None:
    source, out = questions(tmp_path / "q.jsonl", 30), tmp_path / "o.jsonl"

    def change(times: int, usual: Answered) -> Answered:
        message = {
            "type": "errored",
            "error": {"type": "error", "error": {"type": kind, "message": text}},
        }
        rows = [{**json.loads(line), "result": message} for line in usual[2].splitlines()]
        return usual[0], usual[1], b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    with Changed("results", change) as changed:
        with pytest.raises(outcome) as stopped:
            run(source, out, changed.url, batch=True)
        assert type(stopped.value) is outcome
    assert len(all_rows(out)) == 1, "the one that was asked by itself"
    with TeacherServer() as server:
        assert run(source, out, server.url).all_kept == 30
