"""Requested and kept rationales: samples, examples, revealed answers, filters."""

import random
from pathlib import Path
from typing import Any

import pytest
from asked import questions
from conftest import Recorder, read_rows, write_rows
from fakes.teacher_server import TeacherServer

from scicot import GenerateSettings, ScicotError, generate_rationales
from scicot.records import Choice, Question
from scicot.replies import only_choice_named
from scicot.teachers import Reply, Request

HINT = "Hint: the correct answer"


class Student:
    """A teacher that is right only if the answer is revealed; it counts requests."""

    name = "scripted:student"

    def __init__(self, told: str = "The part is metal.", untold: str = "Perhaps it is so.") -> None:
        self.told, self.untold = told, untold
        self.asked: list[tuple[str, int, bool]] = []

    async def ask(self, request: Request) -> Reply:
        hint = HINT in request.prompt.user
        self.asked.append((request.question_id, request.sample, hint))
        if not hint:
            return Reply(f"{self.untold}\nAnswer: none of them")
        label = request.prompt.user.partition(HINT)[2].removeprefix(" is ")[0]
        return Reply(f"{self.told}\nAnswer: {label}")

    async def close(self) -> None:
        pass


def generate(source: Path, out: Path, teacher: Any, **settings: Any) -> Any:
    return generate_rationales(source, out, teacher=teacher, settings=GenerateSettings(**settings))


def reasons(out: Path) -> list[tuple[str, bool, str]]:
    rows = read_rows(out.with_suffix(".rejected.jsonl"))
    return sorted((row["id"], row["saw_answer"], row["reason"]) for row in rows)


def test_the_answer_is_revealed_where_the_first_reply_failed(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 3), tmp_path / "o.jsonl"
    teacher = Student()
    summary = generate(source, out, teacher, reveal_answer="on-failure")
    assert sorted(teacher.asked) == [(f"q{n}", 0, seen) for n in range(3) for seen in (False, True)]
    assert (summary.kept, dict(summary.rejected)) == (3, {"wrong-conclusion": 3})
    assert {row["saw_answer"] for row in read_rows(out)} == {True}
    again = Student()
    assert generate(source, out, again, reveal_answer="on-failure").already_done == 3
    assert again.asked == []


def test_a_run_that_died_between_the_two_asks_only_the_second(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 1), tmp_path / "o.jsonl"
    generate(source, out, Student(), reveal_answer="on-failure")
    out.write_bytes(b"")  # as if the second reply had not arrived
    teacher = Student()
    generate(source, out, teacher, reveal_answer="on-failure")
    assert teacher.asked == [("q0", 0, True)]


@pytest.mark.parametrize(
    "said",
    [
        "As the hint says, it is metal.",
        "Since the given answer is metal, so it must be.",
    ],
)
def test_what_leans_on_the_revealed_answer_teaches_nothing(said: str, tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 1), tmp_path / "o.jsonl"
    generate(source, out, Student(told=said), reveal_answer="always")
    ((_, seen, reason),) = reasons(out)
    assert (seen, reason) == (True, "leaks-answer")


def test_what_announces_the_revealed_answer_is_cut_off(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 1), tmp_path / "o.jsonl"
    said = "We are told that the correct answer is metal. Metals conduct."
    generate(source, out, Student(told=said), reveal_answer="always")
    assert read_rows(out)[0]["rationale"] == "Metals conduct."


def test_reveal_answer_goes_with_and_without_a_value(scicot: Any, tmp_path: Path) -> None:
    source = questions(tmp_path / "q.jsonl", 2)
    replies = write_rows(
        tmp_path / "r.jsonl",
        [{"id": f"q{n}", "reply": f"It is so.\nAnswer: {'AB'[n]}"} for n in (0, 1)],
    )
    for number, (given, seen) in enumerate(
        [
            (("--reveal-answer",), True),
            (("--reveal-answer", "on-failure"), False),
            (("--reveal-answer=always",), True),
            ((), False),
        ]
    ):
        out = tmp_path / f"{number}.jsonl"
        arguments = (
            "generate-rationales",
            *given,
            source,
            "-o",
            out,
            "--teacher",
            f"recorded:{replies}",
        )
        outcome = scicot(*arguments)
        assert outcome.code == 0, outcome.stderr
        assert {row["saw_answer"] for row in read_rows(out)} == {seen}


def test_samples_that_say_nearly_the_same_are_one(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 1), tmp_path / "o.jsonl"
    words = [
        "the",
        "part",
        "is",
        "made",
        "of",
        "a",
        "metal",
        "that",
        "conducts",
        "heat",
        "and",
        "lets",
        "current",
        "pass",
        "through",
    ]
    other = random.Random(0).sample(words, len(words))
    said = [words, [*words[:-1], "along"], other]
    replies = write_rows(
        tmp_path / "r.jsonl",
        [{"id": "q0", "reply": f"{' '.join(sample).capitalize()}.\nAnswer: A"} for sample in said],
    )
    summary = generate(source, out, f"recorded:{replies}", samples=3)
    assert (summary.kept, dict(summary.rejected)) == (2, {"duplicate": 1})
    assert [row["sample"] for row in read_rows(out)] == [0, 2]


def test_examples_come_first_and_never_give_their_own_question_away(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 4), tmp_path / "o.jsonl"
    shown = [{**row, "rationale": f"Because {row['id']}."} for row in read_rows(source)[2:]]
    file = write_rows(tmp_path / "shown.jsonl", shown)
    with TeacherServer() as server:
        generate_rationales(
            source, out, teacher="anthropic:m", base_url=server.url, examples=file,
            settings=GenerateSettings(keep="all"),
        )  # fmt: skip
        turns = {
            body["messages"][-1]["content"]: body["messages"] for body in server.behaviour.bodies
        }
    by_question = {
        text.partition("part ")[2][0]: turns_of_question
        for text, turns_of_question in turns.items()
    }
    assert [turn["role"] for turn in by_question["0"]] == ["user", "assistant"] * 2 + ["user"]
    assert by_question["0"][1]["content"] == "Because q2.\nAnswer: C"
    last = by_question["0"][3]["content"][0]
    assert last["text"] == "Because q3.\nAnswer: A"
    assert last["cache_control"] == {"type": "ephemeral"}
    assert len(by_question["2"]) == 3, "its own explanation is not among its examples"
    with pytest.raises(ScicotError, match="examples: was '"):
        generate_rationales(
            source, out, teacher="anthropic:m", base_url="http://127.0.0.1:1",
            settings=GenerateSettings(keep="all"),
        )  # fmt: skip
    unanswered = write_rows(tmp_path / "u.jsonl", [{**shown[0], "answer": None}])
    with pytest.raises(ScicotError, match="example 'q2' has no gold answer"):
        generate_rationales(source, tmp_path / "new.jsonl", teacher=Student(), examples=unanswered)


def test_a_server_without_a_cache_is_asked_without_one(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 3), tmp_path / "o.jsonl"
    shown = write_rows(tmp_path / "s.jsonl", [{**read_rows(source)[0], "rationale": "So."}])
    with TeacherServer() as server:
        usual = server.behaviour._message

        async def picky(request: dict[str, Any]) -> Any:
            if "cache_control" in str(request):
                return 400, {}, b'{"error": {"message": "unknown field cache_control"}}'
            return await usual(request)

        server.behaviour._message = picky  # type: ignore[method-assign]
        summary = generate_rationales(
            source, out, teacher="anthropic:m", base_url=server.url, examples=shown,
            settings=GenerateSettings(keep="all"),
        )  # fmt: skip
    assert summary.kept == 3


def test_a_local_server_takes_sampling_parameters_and_the_api_does_not(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 1), tmp_path / "o.jsonl"
    settings = GenerateSettings(temperature=0.5, top_p=0.9, keep="all")
    with TeacherServer() as server:
        generate_rationales(
            source, out, teacher="anthropic:m", base_url=server.url, settings=settings
        )
        (body,) = server.behaviour.bodies
    assert (body["temperature"], body["top_p"]) == (0.5, 0.9)
    with pytest.raises(ScicotError, match="Anthropic's API does not accept sampling parameters"):
        generate_rationales(source, out, teacher="anthropic:m", settings=settings)
    with pytest.raises(
        ScicotError, match="--temperature and --top-p: --teacher recorded:x does not sample"
    ):
        generate_rationales(source, out, teacher="recorded:x", settings=settings)


def test_a_rationale_that_names_one_choice_can_be_read_without_the_question() -> None:
    question = Question("q", "Which conducts?", (Choice("A", "wood"), Choice("B", "a copper wire")))
    assert only_choice_named("A copper wire is metal.", question) == "B"
    assert only_choice_named("Unlike wood, a copper wire is metal.", question) is None
    assert only_choice_named("Metals conduct.", question) is None
    assert only_choice_named("As (A) says, electrons are bound.", question) == "A"


def test_a_million_rows_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tested on 100 rows: rows at the start of the file that are all done are not read again."""
    from scicot.annotation import watermark
    from scicot.records import Question as Asked

    monkeypatch.setattr(watermark, "_STRIDE", 10)
    source, out = questions(tmp_path / "q.jsonl", 100), tmp_path / "o.jsonl"
    settings = GenerateSettings(keep="all")
    with TeacherServer() as server:

        def run(**more: Any) -> Any:
            return generate_rationales(
                source, out, teacher="anthropic:m", base_url=server.url, settings=settings, **more
            )

        run(limit=60)
        read: list[str] = []
        usual = Asked.from_row.__func__  # type: ignore[attr-defined]

        def counted(cls: Any, row: Any, *rest: Any, **more: Any) -> Any:
            read.append(row["id"])
            return usual(cls, row, *rest, **more)

        monkeypatch.setattr(Asked, "from_row", classmethod(counted))
        summary = run()
        assert (summary.kept, summary.already_done) == (40, 60)
        assert "q59" not in read
        assert "q60" in read
        assert run().already_done == 100
        # The file begins differently, so everything is read again, but nothing is asked.
        source.write_text(source.read_text().replace('"id": "q0"', '"note": 1, "id": "q0"'))
        read.clear()
        assert run().already_done == 100
        assert "q0" in read
        assert run(limit=5).already_done == 5
        assert server.behaviour.asked.total() == 100


def test_a_retry_asks_nothing_of_what_is_kept_the_second_way(tmp_path: Path) -> None:
    source, out = questions(tmp_path / "q.jsonl", 3), tmp_path / "o.jsonl"

    class Breaking(Student):
        async def ask(self, request: Request) -> Reply:
            reply = await super().ask(request)
            return reply if HINT in request.prompt.user else Reply("It is", "max_tokens")

    generate(source, out, Breaking(), reveal_answer="on-failure")
    again = Breaking()
    summary = generate(source, out, again, reveal_answer="on-failure", retry_rejected=True)
    assert again.asked == []
    assert (summary.all_kept, len(read_rows(out))) == (3, 3)


def test_refusals_bring_no_advice_on_the_form_of_answers(
    tmp_path: Path, recorder: Recorder
) -> None:
    source = questions(tmp_path / "q.jsonl", 25)
    refusals = [{"id": f"q{n}", "reply": "I'm sorry, but I can't help."} for n in range(25)]
    recorded = write_rows(tmp_path / "r.jsonl", refusals)
    generate_rationales(
        source, tmp_path / "o.jsonl", teacher=f"recorded:{recorded}", reporter=recorder
    )
    assert recorder.warnings == []


def test_too_many_samples_are_refused() -> None:
    with pytest.raises(ScicotError, match=r"samples.*10,000"):
        GenerateSettings(samples=100_000_000)


def twelve_questions(file: Path) -> Path:
    choices = [{"label": label, "text": text} for label, text in zip("AB", "xy", strict=True)]
    rows = [
        {"id": f"q{n}", "question": f"Which, {n}?", "choices": choices, "answer": "B"}
        for n in range(12)
    ]
    return write_rows(file, rows)


@pytest.mark.parametrize(
    ("replies", "options", "hinted"),
    [
        ("It is so.\nAnswer: A", [], "--reveal-answer on-failure repeats the requests of rejected"),
        ("It is so.\nAnswer: A", ["--reveal-answer", "on-failure"], "--keep all keeps"),
        ("It is so, and breaks off in the", [], "a --max-tokens above 1024 leaves room"),
        (
            "I'm sorry, but I can't help with that.",
            [],
            "try --retry-rejected, which sends these requests again",
        ),
        ("It is so. " * 3000 + "\nAnswer: B", [], "--max-rationale-tokens N shortens"),
        ("It is so.\nAnswer: B", [], None),
    ],
)
def test_many_rejections_bring_a_hint(
    scicot: Any, tmp_path: Path, replies: str, options: list[str], hinted: str | None
) -> None:
    questions = twelve_questions(tmp_path / "q.jsonl")
    recorded = write_rows(
        tmp_path / "r.jsonl", [{"id": f"q{n}", "reply": replies} for n in range(12)]
    )
    command = ["generate-rationales", questions, "-o", tmp_path / "out.jsonl"]
    outcome = scicot(*command, "--teacher", f"recorded:{recorded}", *options)
    hints = [line for line in outcome.stderr.splitlines() if line.startswith("hint:")]
    if hinted is None:
        assert hints == []
    else:
        assert len(hints) == 1
        assert hinted in hints[0]
        assert ("on-failure asks" in hints[0]) == ("on-failure asks" in hinted)
    again = scicot(*command, "--teacher", f"recorded:{recorded}", *options, "--quiet")
    assert "hint:" not in again.stderr


@pytest.mark.parametrize(
    ("stop_reason", "recorded_reason", "reason", "hinted"),
    [
        ("length", None, "truncated", "a --max-tokens above 1024 leaves room"),
        ("MAX_TOKENS", None, "truncated", "a --max-tokens above 1024 leaves room"),
        ("tool_calls", "tool_calls", "truncated", "with the stop reason tool_calls;"),
        ("pause_turn", "pause_turn", "truncated", "with the stop reason pause_turn;"),
        (
            "model_context_window_exceeded", "model_context_window_exceeded", "truncated",
            "a model with a larger context window leaves room",
        ),
        ("SAFETY", "SAFETY", "refusal", "try --retry-rejected, which sends these requests again"),
        ("STOP", None, "wrong-conclusion", "--keep all keeps"),
    ],
)  # fmt: skip
def test_the_reason_why_a_server_stopped_is_recorded_and_brings_its_own_hint(
    scicot: Any,
    tmp_path: Path,
    stop_reason: str,
    recorded_reason: str | None,
    reason: str,
    hinted: str,
) -> None:
    questions = twelve_questions(tmp_path / "q.jsonl")
    reply = {"reply": "It conducts well and shines.", "stop_reason": stop_reason}
    recorded = write_rows(tmp_path / "r.jsonl", [{"id": f"q{n}", **reply} for n in range(12)])
    command = ["generate-rationales", questions, "-o", tmp_path / "out.jsonl"]
    outcome = scicot(*command, "--teacher", f"recorded:{recorded}")
    rejected = read_rows(tmp_path / "out.rejected.jsonl")
    assert {row["reason"] for row in rejected} == {reason}
    assert {row.get("stop_reason") for row in rejected} == {recorded_reason}
    hints = [line for line in outcome.stderr.splitlines() if line.startswith("hint:")]
    assert len(hints) == 1
    assert hinted in hints[0]
    assert ("--max-tokens" in hints[0]) == ("--max-tokens" in hinted)
    whole = {"reply": "It conducts well.\nAnswer: B", "stop_reason": "stop"}
    fixed = write_rows(tmp_path / "fixed.jsonl", [{"id": f"q{n}", **whole} for n in range(12)])
    again = ["generate-rationales", tmp_path / "out.rejected.jsonl", "-o", tmp_path / "new.jsonl"]
    assert scicot(*again, "--teacher", f"recorded:{fixed}").code == 0
    kept = read_rows(tmp_path / "new.jsonl")
    assert len(kept) == 12
    assert not any("stop_reason" in row for row in kept)
