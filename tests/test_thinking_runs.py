"""generate-rationales --rationale-source thinking: requests, rows, resuming, batches."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asked import KINDS, content, finished, kill, started
from asked import command as command_of
from asked import questions as many_questions
from conftest import Outcome, Recorder, read_rows, world_rows, write_rows
from fakes.messages_server import Answer, MessagesServer, said
from fakes.messages_server import failed as refused
from fakes.teacher_server import Conduct, TeacherServer

from scicot import GenerateSettings, ScicotError, estimate_cost, generate_rationales
from scicot.teachers import Reply, Request

THINKING = GenerateSettings(rationale_source="thinking")
QUESTIONS = [{k: v for k, v in row.items() if k != "rationale"} for row in world_rows()]


class Thinker:
    """A user-defined teacher that thinks, except in its first `silent` replies."""

    name = "own:thinker"

    def __init__(self, silent: int = 0) -> None:
        self.silent = silent
        self.asked: list[Request] = []
        self.gold = {row["id"]: row["answer"] for row in QUESTIONS}

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        thinking = "" if len(self.asked) <= self.silent else "Hm, metals conduct well."
        return Reply(f"It conducts.\nAnswer: {self.gold[request.question_id]}", thinking=thinking)

    async def close(self) -> None:
        pass


def test_both_raw_texts_stay_in_the_rows_and_can_be_replayed(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "q.jsonl", QUESTIONS), tmp_path / "o.jsonl"
    teacher = Thinker()
    generate_rationales(source, out, teacher=teacher, settings=THINKING)
    rows = read_rows(out)
    assert {row["rationale"] for row in rows} == {"Hm, metals conduct well."}
    assert {row["reply"][:12] for row in rows} == {"It conducts."}
    assert {request.thinking for request in teacher.asked} == {True}
    assert {request.max_tokens for request in teacher.asked} == {4096}
    for settings, rationale in (
        (THINKING, "Hm, metals conduct well."),
        (GenerateSettings(), "It conducts."),
    ):
        again = tmp_path / f"{settings.rationale_source}.jsonl"
        generate_rationales(out, again, teacher=f"recorded:{out}", settings=settings)
        assert [row["rationale"] for row in read_rows(again)] == [rationale] * len(QUESTIONS)
        assert all(("thinking" in row) == (settings is THINKING) for row in read_rows(again))


def test_recorded_thinking_has_the_names_that_others_give_it(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "q.jsonl", QUESTIONS[:4])
    names = ("thinking", "reasoning_content", "reasoning")
    rows = [
        {
            "id": question["id"],
            "reply": f"Answer: {question['answer']}",
            name: "Hm, metals conduct well.",
        }
        for question, name in zip(QUESTIONS, names, strict=False)
    ]
    tagged = f"<think>Hm, metals conduct well.</think>Answer: {QUESTIONS[3]['answer']}"
    file = write_rows(tmp_path / "r.jsonl", [*rows, {"id": QUESTIONS[3]["id"], "reply": tagged}])
    out = tmp_path / "o.jsonl"
    generate_rationales(source, out, teacher=f"recorded:{file}", settings=THINKING)
    assert [row["rationale"] for row in read_rows(out)] == ["Hm, metals conduct well."] * 4


def test_a_teacher_without_thinking_is_left_after_20_replies(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "q.jsonl", QUESTIONS), tmp_path / "o.jsonl"
    settings = GenerateSettings(rationale_source="thinking", concurrency=1)
    teacher = Thinker(silent=20)
    with pytest.raises(ScicotError, match=r"none of the first 20 replies of own:thinker contains"):
        generate_rationales(source, out, teacher=teacher, settings=settings)
    assert len(teacher.asked) == 20
    rows = read_rows(out.with_suffix(".rejected.jsonl"))
    assert {row["reason"] for row in rows} == {"no-thinking"}
    assert {row["error"] for row in rows} == {
        "the reply contains no thinking; use a teacher that returns thinking, or leave out"
        " --rationale-source"
    }
    again = GenerateSettings(rationale_source="thinking", concurrency=1, retry_rejected=True)
    assert generate_rationales(source, out, teacher=teacher, settings=again).kept == 36
    assert read_rows(out.with_suffix(".rejected.jsonl")) == []


def test_other_sources_and_lengths_do_not_mix_in_one_output(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "q.jsonl", QUESTIONS[:3]), tmp_path / "o.jsonl"
    generate_rationales(source, out, teacher=Thinker(), settings=THINKING)
    before = out.read_bytes()
    short = GenerateSettings(rationale_source="thinking", max_rationale_tokens=9)
    reply = GenerateSettings(max_tokens=4096)
    for settings, difference in (
        (reply, r"rationale_source: was 'thinking', is 'reply'"),
        (short, r"max_rationale_tokens: was None, is 9"),
    ):
        for call in (generate_rationales, estimate_cost):
            verb: Any = call
            with pytest.raises(ScicotError, match=difference):
                verb(source, out, teacher=Thinker(), settings=settings)
    assert out.read_bytes() == before


def test_kept_replies_are_read_again_without_new_requests(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "q.jsonl", QUESTIONS[:3])
    kept, plain, again = (tmp_path / f"{name}.jsonl" for name in ("kept", "plain", "again"))
    settings = GenerateSettings(keep_replies=True)
    generate_rationales(source, plain, teacher=Thinker())
    generate_rationales(source, kept, teacher=Thinker(), settings=settings)
    rows = read_rows(kept)
    assert all(row["reply"].endswith(f"Answer: {row['answer']}") for row in rows)
    without = [{k: v for k, v in row.items() if k not in ("reply", "thinking")} for row in rows]
    assert without == read_rows(plain)
    generate_rationales(source, again, teacher=f"recorded:{kept}", settings=settings)
    assert [row["reply"] for row in read_rows(again)] == [row["reply"] for row in rows]
    with pytest.raises(ScicotError, match="keep_replies: was True, is False"):
        generate_rationales(source, kept, teacher=Thinker())


def test_replies_that_are_read_again_keep_their_samples_and_what_they_saw(tmp_path: Path) -> None:
    """The replies of a question arrive, and are written, in another order than that of `sample`."""

    texts = ("metals conduct heat and current", "it shines and rings", "wood floats, this sinks")

    class Slow(Thinker):
        async def ask(self, request: Request) -> Reply:
            await asyncio.sleep(0.05 if request.sample == 0 else 0)
            answer = self.gold[request.question_id]
            return Reply(f"({answer}) must be right, since {texts[request.sample]}")

    source, out = write_rows(tmp_path / "q.jsonl", QUESTIONS[:2]), tmp_path / "o.jsonl"
    options: dict[str, Any] = {"samples": 3, "keep": "all", "keep_replies": True}
    settings = GenerateSettings(**options, reveal_answer="always")
    generate_rationales(source, out, teacher=Slow(), settings=settings)
    again = tmp_path / "again.jsonl"
    blind = GenerateSettings(**options)
    generate_rationales(source, again, teacher=f"recorded:{out}", settings=blind)

    def by_sample(file: Path) -> dict[tuple[str, int], tuple[str, bool]]:
        return {
            (row["id"], row["sample"]): (row["reply"], row["saw_answer"]) for row in read_rows(file)
        }

    assert [row["sample"] for row in read_rows(out)] != [0, 1, 2] * 2
    assert len(by_sample(out)) == 6
    assert by_sample(again) == by_sample(out)


def test_an_output_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    source, out = write_rows(tmp_path / "q.jsonl", QUESTIONS[:3]), tmp_path / "o.jsonl"
    generate_rationales(source, out, teacher=Thinker(), settings=GenerateSettings())
    state = json.loads((tmp_path / "o.state.json").read_bytes())
    assert state["settings"].pop("rationale_source") == "reply"
    del state["settings"]["max_rationale_tokens"]
    (tmp_path / "o.state.json").write_text(json.dumps(state))
    assert generate_rationales(source, out, teacher=Thinker()).already_done == 3
    with pytest.raises(ScicotError, match="rationale_source: was 'reply', is 'thinking'"):
        generate_rationales(source, out, teacher=Thinker(), settings=THINKING)


def asked_of_server(
    tmp_path: Path, script: list[Answer], **settings: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Ask anthropic:m one question. Return the requests that the server received, and the kept
    rows."""
    source, out = write_rows(tmp_path / "q.jsonl", QUESTIONS[:1]), tmp_path / "o.jsonl"
    generate_settings = GenerateSettings(rationale_source="thinking", **settings)
    with MessagesServer(script) as server:
        generate_rationales(
            source, out, teacher="anthropic:m", base_url=server.url, settings=generate_settings,
            reporter=Recorder(),
        )  # fmt: skip
    return server.requests, read_rows(out)


ANSWERED = said(f"Answer: {QUESTIONS[0]['answer']}", thinking="Hm, metals conduct well.")
NOT_ADAPTIVE = refused(400, "adaptive thinking is not supported on this model")


def test_a_claude_model_is_asked_to_think_in_the_form_that_it_takes(tmp_path: Path) -> None:
    adaptive = {"type": "adaptive", "display": "summarized"}
    requests, rows = asked_of_server(tmp_path, [ANSWERED])
    assert [request["thinking"] for request in requests] == [adaptive]
    assert rows[0]["rationale"] == "Hm, metals conduct well."
    (tmp_path / "o.jsonl").unlink()
    requests, rows = asked_of_server(tmp_path, [NOT_ADAPTIVE, ANSWERED])
    budget = {"type": "enabled", "budget_tokens": 3072}
    assert [request["thinking"] for request in requests] == [adaptive, budget]
    (tmp_path / "o.jsonl").unlink()
    none = refused(400, "Extra inputs are not permitted: thinking")
    requests, rows = asked_of_server(tmp_path, [none, none, ANSWERED])
    assert [request.get("thinking") for request in requests] == [adaptive, budget, None]
    assert len(rows) == 1


def test_a_reply_is_asked_for_without_thinking_as_before() -> None:
    from scicot.prompts import Prompt
    from scicot.teachers.messages import MessagesTeacher

    teacher = MessagesTeacher("m", base_url="http://127.0.0.1:1", timeout=1)
    for thinking in (False, True):
        request = Request("q", 0, Prompt("", "Which?"), 9, thinking=thinking)
        assert ("thinking" in teacher.parameters(request)) is thinking


def test_a_model_that_cannot_think_is_told_at_once(tmp_path: Path) -> None:
    from scicot.teachers.messages import MessagesTeacher

    with pytest.raises(
        ScicotError, match="--max-tokens 1000: too low for this model, which needs 1024 tokens"
    ):
        asked_of_server(tmp_path, [NOT_ADAPTIVE, ANSWERED], max_tokens=1000)
    source, out = tmp_path / "q.jsonl", tmp_path / "new.jsonl"
    with MessagesServer([NOT_ADAPTIVE, refused(400, "thinking is not supported")]) as server:
        teacher = MessagesTeacher("m", base_url=server.url, timeout=5)
        teacher._other_server = False  # treat the server like Anthropic's own API
        with pytest.raises(
            ScicotError, match=r"anthropic:m does not support thinking \(thinking is not"
        ):
            generate_rationales(source, out, teacher=teacher, settings=THINKING)
    assert len(server.requests) == 2
    assert read_rows(out) == []


def test_a_dry_run_expects_more_of_a_model_that_thinks(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "q.jsonl", QUESTIONS[:2])
    for settings, expected, most in ((GenerateSettings(), 150, 1024), (THINKING, 1200, 4096)):
        found = estimate_cost(source, tmp_path / "o.jsonl", teacher=Thinker(), settings=settings)
        assert (found.output_tokens, found.most_output_tokens) == (2 * expected, 2 * most)


def test_the_command_takes_the_options_and_a_settings_file(
    scicot: Callable[..., Outcome], tmp_path: Path
) -> None:
    source = write_rows(tmp_path / "q.jsonl", QUESTIONS[:2])
    rows = [
        {"id": question["id"], "reply": f"Answer: {question['answer']}", "thinking": thinking}
        for question, thinking in zip(
            QUESTIONS, ("Copper is a metal. It conducts.", ""), strict=False
        )
    ]
    file = write_rows(tmp_path / "r.jsonl", rows)
    config = tmp_path / "c.yaml"
    config.write_text("rationale-source: thinking\nmax-rationale-tokens: 6\n")
    out = tmp_path / "o.jsonl"
    done = scicot(
        "generate-rationales", source, "-o", out, "--teacher", f"recorded:{file}",
        "--config", config, "--keep", "all",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    assert [row["rationale"] for row in read_rows(out)] == ["Copper is a metal."]
    assert "1 no-thinking" in done.stderr
    assert '1 reply without thinking; add a "thinking" field' in done.stderr
    wrong = scicot(
        "generate-rationales", source, "-o", out, "--teacher", f"recorded:{file}",
        "--rationale-source", "thoughts",
    )  # fmt: skip
    assert wrong.code == 2
    assert "thinking" in wrong.stderr


@pytest.mark.parametrize("teacher", KINDS)
def test_kills_lose_nothing_of_what_was_thought(tmp_path: Path, teacher: str) -> None:
    source = many_questions(tmp_path / "q.jsonl", 60)
    options = ("--rationale-source", "thinking", "--max-rationale-tokens", 12)
    conduct = Conduct(latency=0.05, thinks=True)
    with TeacherServer(conduct) as server:
        whole = tmp_path / "whole.jsonl"
        undisturbed = finished(command_of(source, whole, server.url, *options, teacher=teacher))
    assert undisturbed.returncode == 0, undisturbed.stderr
    out = tmp_path / "out.jsonl"
    with TeacherServer(conduct) as server:
        answered = server.behaviour.answered
        for goal in (5, 30):
            process = started(command_of(source, out, server.url, *options, teacher=teacher))
            until = time.monotonic() + 60
            while answered.total() < goal and time.monotonic() < until:
                time.sleep(0.005)
            kill(process)
        last = finished(command_of(source, out, server.url, *options, teacher=teacher))
    assert last.returncode == 0, last.stderr
    assert content(out) == content(whole)
    kept = read_rows(out)
    assert kept
    assert all(row["thinking"].startswith(row["rationale"]) for row in kept)


@pytest.mark.parametrize("teacher", KINDS)
def test_a_batch_is_read_like_single_replies_and_not_sent_where_none_thinks(
    tmp_path: Path, teacher: str
) -> None:
    source = many_questions(tmp_path / "q.jsonl", 12)
    settings = GenerateSettings(rationale_source="thinking", keep="all", batch=True)
    with TeacherServer(Conduct(thinks=True)) as server:
        options: dict[str, Any] = {"teacher": teacher, "base_url": server.url}
        generate_rationales(source, tmp_path / "o.jsonl", settings=settings, **options)
    rows = read_rows(tmp_path / "o.jsonl")
    assert len(rows) == 12
    assert all(row["thinking"].startswith(row["rationale"]) for row in rows)
    with TeacherServer(Conduct()) as server:
        options["base_url"] = server.url
        with pytest.raises(
            ScicotError, match=r"the first reply of .* contains no thinking, so no batch"
        ):
            generate_rationales(source, tmp_path / "n.jsonl", settings=settings, **options)
        assert not server.behaviour.batches
