import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, read_rows, world_rows, write_rows

from scicot import (
    GenerateSettings,
    ScicotError,
    StoppedEarly,
    estimate_cost,
    evaluate,
    generate_rationales,
)
from scicot.teachers import Reply, Request, TeacherBusy, TeacherError

QUESTIONS = [{k: v for k, v in row.items() if k != "rationale"} for row in world_rows()[:6]]
GOLD = {row["id"]: row["answer"] for row in QUESTIONS}
WRONG = {"A": "B", "B": "A"}


class ScriptedTeacher:
    """Gives the right answer, except for ids with a script of replies; counts requests."""

    name = "scripted:teacher"

    def __init__(self, script: dict[str, Any] | None = None) -> None:
        self.script = script or {}
        self.asked: list[tuple[str, int]] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append((request.question_id, request.sample))
        answer = self.script.get(
            request.question_id, f"Because it is so.\nAnswer: {GOLD[request.question_id]}"
        )
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(answer, usage={"output_tokens": 3})

    async def close(self) -> None:
        pass


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "questions.jsonl", QUESTIONS)


def rejected(out: Path) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in read_rows(out.with_suffix(".rejected.jsonl"))}


def test_every_reply_is_kept_or_rejected_with_its_reason(questions: Path, tmp_path: Path) -> None:
    teacher = ScriptedTeacher(
        {
            "q0": f"Because it is so.\nAnswer: {WRONG[GOLD['q0']]}",
            "q1": Reply("I cannot help with that.", "refusal"),
            "q2": Reply("It is made of iron, which", "max_tokens"),
            "q3": f"Answer: {GOLD['q3']}",
            "q4": TeacherError("too long"),
        }
    )
    out = tmp_path / "out.jsonl"
    summary = generate_rationales(questions, out, teacher=teacher)
    assert rejected(out) == {
        "q0": "wrong-conclusion",
        "q1": "refusal",
        "q2": "truncated",
        "q3": "empty",
        "q4": "error",
    }
    assert (summary.kept, summary.rejected.total(), summary.errors) == (1, 5, 1)
    (row,) = read_rows(out)
    assert {k: row[k] for k in ("id", "rationale", "conclusion", "teacher", "usage", "note")} == {
        "id": "q5",
        "rationale": "Because it is so.",
        "conclusion": GOLD["q5"],
        "teacher": "scripted:teacher",
        "usage": {"output_tokens": 3},
        "note": {"kept": 5},
    }
    raw = {
        row["id"]: row.get("reply", row.get("error"))
        for row in read_rows(out.with_suffix(".rejected.jsonl"))
    }
    assert raw["q2"] == "It is made of iron, which"
    assert raw["q4"] == "too long"


def test_a_teacher_is_judged_by_kept_and_rejected_rows_together(
    questions: Path, tmp_path: Path
) -> None:
    script = {
        "q0": f"It is so.\nAnswer: {WRONG[GOLD['q0']]}",
        "q1": Reply("I cannot help with that."),
    }
    out = tmp_path / "out.jsonl"
    generate_rationales(questions, out, teacher=ScriptedTeacher(script))
    both = tmp_path / "both.jsonl"
    both.write_bytes(out.read_bytes() + out.with_suffix(".rejected.jsonl").read_bytes())
    (system,) = evaluate(both).systems
    assert (system.questions, system.answered, system.correct) == (6, 5, 4)


def test_keep_all_keeps_wrong_conclusions_only(questions: Path, tmp_path: Path) -> None:
    script = {
        "q0": f"It is so.\nAnswer: {WRONG[GOLD['q0']]}",
        "q1": Reply("I cannot help with that."),
    }
    out = tmp_path / "out.jsonl"
    generate_rationales(
        questions, out, teacher=ScriptedTeacher(script), settings=GenerateSettings(keep="all")
    )
    assert len(read_rows(out)) == 5
    assert rejected(out) == {"q1": "refusal"}


def test_nothing_is_asked_twice(questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    first = ScriptedTeacher({"q3": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        generate_rationales(questions, out, teacher=first)
    with out.open("a") as stream:
        stream.write('{"id": "q3", "torn')
    second = ScriptedTeacher()
    summary = generate_rationales(questions, out, teacher=second)
    assert [q for q, _ in second.asked] == ["q3", "q4", "q5"]
    assert summary.already_done == 3
    assert [row["id"] for row in read_rows(out)] == [f"q{n}" for n in range(6)]
    third = ScriptedTeacher()
    generate_rationales(questions, out, teacher=third)
    assert third.asked == []
    assert json.loads(out.with_suffix(".state.json").read_text())["counts"] == {"kept": 6}


def test_more_questions_and_more_samples_ask_only_what_is_new(tmp_path: Path) -> None:
    out, file = tmp_path / "out.jsonl", tmp_path / "questions.jsonl"
    write_rows(file, QUESTIONS[:2])
    generate_rationales(file, out, teacher=ScriptedTeacher())
    write_rows(file, QUESTIONS[:3])
    teacher = ScriptedTeacher(
        {q: [f"More of it.\nAnswer: {GOLD[q]}"] * 2 for q in ("q0", "q1", "q2")}
    )
    generate_rationales(file, out, teacher=teacher, settings=GenerateSettings(samples=2))
    assert teacher.asked == [("q0", 1), ("q1", 1), ("q2", 0), ("q2", 1)]
    assert rejected(out) == {"q2": "duplicate"}


def test_a_changed_question_under_an_old_id_is_refused(tmp_path: Path) -> None:
    out, file = tmp_path / "out.jsonl", tmp_path / "questions.jsonl"
    write_rows(file, QUESTIONS[:2])
    generate_rationales(file, out, teacher=ScriptedTeacher())
    write_rows(file, [QUESTIONS[0], {**QUESTIONS[1], "question": "Which is a metal?"}])
    teacher = ScriptedTeacher()
    with pytest.raises(ScicotError, match=r"question 'q1': .*out.jsonl has another question or"):
        generate_rationales(file, out, teacher=teacher)
    assert teacher.asked == []


def test_a_rationale_that_still_announces_the_answer_leaks(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scicot.annotation import judging
    from scicot.replies import ParsedReply

    leaking = ParsedReply("The answer is (A). It is.", "A", leaks=True)
    monkeypatch.setattr(judging, "read_reply", lambda *_: leaking)
    out = tmp_path / "out.jsonl"
    settings = GenerateSettings(keep="all")
    generate_rationales(questions, out, teacher=ScriptedTeacher(), settings=settings)
    assert set(rejected(out).values()) == {"leaks-answer"}


def test_a_notebook_has_a_loop_of_its_own(questions: Path, tmp_path: Path) -> None:
    import asyncio

    async def cell() -> int:
        return generate_rationales(questions, tmp_path / "o", teacher=ScriptedTeacher()).kept

    assert asyncio.run(cell()) == 6


def test_retry_rejected_asks_again_where_no_reply_came(questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    script = {"q0": TeacherError("x"), "q1": f"It is so.\nAnswer: {WRONG[GOLD['q1']]}"}
    generate_rationales(questions, out, teacher=ScriptedTeacher(script))
    teacher = ScriptedTeacher()
    summary = generate_rationales(
        questions, out, teacher=teacher, settings=GenerateSettings(retry_rejected=True)
    )
    assert teacher.asked == [("q0", 0)]
    assert summary.kept == 1
    assert rejected(out) == {"q1": "wrong-conclusion"}


def test_a_retry_that_is_cut_short_loses_no_rejected_row(questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    script = {q: TeacherError("x") for q in ("q0", "q3", "q5")}
    generate_rationales(questions, out, teacher=ScriptedTeacher(script))
    again = ScriptedTeacher({"q3": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        generate_rationales(
            questions, out, teacher=again, settings=GenerateSettings(retry_rejected=True)
        )
    assert [q for q, _ in again.asked] == ["q0", "q3"]
    assert rejected(out) == {"q3": "error", "q5": "error"}
    summary = generate_rationales(questions, out, teacher=ScriptedTeacher())
    assert summary.errors == 2, "rows that wait for a reply are told each time"
    last = generate_rationales(
        questions, out, teacher=ScriptedTeacher(), settings=GenerateSettings(retry_rejected=True)
    )
    assert (last.kept, last.errors, rejected(out)) == (2, 0, {})
    assert sorted(row["id"] for row in read_rows(out)) == [f"q{n}" for n in range(6)]


def test_a_retry_that_was_stopped_goes_on(questions: Path, tmp_path: Path) -> None:
    """What the retry has asked is not asked again until the retry is finished. A dry run counts the
    same."""
    out, retry = tmp_path / "out.jsonl", GenerateSettings(retry_rejected=True, concurrency=1)
    cut: dict[str, Any] = {f"q{n}": Reply("It is", "max_tokens") for n in range(6)}
    generate_rationales(questions, out, teacher=ScriptedTeacher(cut))
    stopped = ScriptedTeacher({**cut, "q3": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        generate_rationales(questions, out, teacher=stopped, settings=retry)
    assert [q for q, _ in stopped.asked] == ["q0", "q1", "q2", "q3"]
    estimate = estimate_cost(questions, out, teacher=ScriptedTeacher(), settings=retry)
    assert (estimate.requests, estimate.already_done) == (3, 3)
    for expected in (["q3", "q4", "q5"], [f"q{n}" for n in range(6)]):
        teacher = ScriptedTeacher(cut)
        generate_rationales(questions, out, teacher=teacher, settings=retry)
        assert [q for q, _ in teacher.asked] == expected
    assert rejected(out) == {f"q{n}": "truncated" for n in range(6)}


def test_a_server_that_says_at_once_is_not_stormed(questions: Path, tmp_path: Path) -> None:
    teacher = ScriptedTeacher({"q0": TeacherBusy("429", 0, limited=True)})
    with pytest.raises(StoppedEarly):
        generate_rationales(
            questions, tmp_path / "o", teacher=teacher, settings=GenerateSettings(max_wait=1)
        )
    assert teacher.asked.count(("q0", 0)) <= 5


def test_a_start_that_failed_does_not_bind_the_next_one(questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(ScicotError, match="lacks"):
        generate_rationales(questions, out, teacher=ScriptedTeacher(), prompt="Explain.")
    assert not out.exists()
    refusing = ScriptedTeacher({q: ScicotError("401") for q in GOLD})
    refusing.name = "scripted:mistyped"
    with pytest.raises(ScicotError, match="401"):
        generate_rationales(questions, out, teacher=refusing)
    assert generate_rationales(questions, out, teacher=ScriptedTeacher()).kept == 6


def test_rejected_rows_of_somebody_else_are_left_alone(questions: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "out.rejected.jsonl"
    theirs.write_text("years of work\n")
    with pytest.raises(ScicotError, match=r"out\.rejected\.jsonl: exists and has no"):
        generate_rationales(questions, tmp_path / "out.jsonl", teacher=ScriptedTeacher())
    assert theirs.read_text() == "years of work\n"


def test_rejected_rows_cannot_be_the_input_of_their_own_output(
    questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    generate_rationales(questions, out, teacher=ScriptedTeacher({"q0": TeacherError("x")}))
    before = out.with_suffix(".rejected.jsonl").read_bytes()
    with pytest.raises(ScicotError, match="is the input as well"):
        generate_rationales(
            out.with_suffix(".rejected.jsonl"), out, teacher=ScriptedTeacher(), force=True
        )
    assert out.with_suffix(".rejected.jsonl").read_bytes() == before


@pytest.mark.parametrize("kind", ["recorded", "examples", "prompt", "config"])
@pytest.mark.parametrize("name", ["out.jsonl", "out.rejected.jsonl"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_file_that_the_command_reads_is_no_output(
    scicot: Any, questions: Path, tmp_path: Path, kind: str, name: str, force: list[str]
) -> None:
    read, replies = tmp_path / name, [{"id": "q0", "reply": "It is so.\nAnswer: A"}]
    recorded = write_rows(tmp_path / "replies.jsonl", replies)
    if kind in ("prompt", "config"):
        read.write_text("{question} {choices}" if kind == "prompt" else "samples: 1\n")
    else:
        write_rows(read, replies)
    before = read.read_bytes()
    options = [] if kind == "recorded" else [f"--{kind}", read]
    teacher = f"recorded:{read if kind == 'recorded' else recorded}"
    outcome = scicot(
        "generate-rationales", questions, "-o", tmp_path / "out.jsonl", "--teacher", teacher,
        *options, *force,
    )  # fmt: skip
    assert outcome.code == 1
    assert outcome.stderr == f"error: {read}: is the input as well; choose another output\n"
    assert read.read_bytes() == before


def test_trouble_that_passes_is_waited_out_and_told(
    questions: Path, tmp_path: Path, recorder: Recorder
) -> None:
    script: dict[str, Any] = {
        "q0": [TeacherBusy("429", 0.01), TeacherBusy("429", 0), "It is so.\nAnswer: A"]
    }
    out = tmp_path / "out.jsonl"
    generate_rationales(questions, out, teacher=ScriptedTeacher(script), reporter=recorder)
    assert len(read_rows(out)) + len(rejected(out)) == 6
    assert recorder.warnings == ["scripted:teacher: 429; retrying for up to 600 s (--max-wait)"]


def test_waiting_too_long_stops_resumable(questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    settings = GenerateSettings(max_wait=5)
    with pytest.raises(StoppedEarly, match="waiting 60 s more would exceed") as caught:
        generate_rationales(
            questions,
            out,
            teacher=ScriptedTeacher({"q2": TeacherBusy("429", 60, limited=True)}),
            settings=settings,
        )
    assert caught.value.exit_code == 75
    assert 2 <= len(read_rows(out)) <= 5, "what others were answered is kept"
    generate_rationales(questions, out, teacher=ScriptedTeacher(), settings=settings)
    assert len(read_rows(out)) == 6


def test_another_teacher_or_prompt_does_not_mix_into_the_file(
    questions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    generate_rationales(questions, out, teacher=ScriptedTeacher())
    with pytest.raises(ScicotError, match="prompt: was '"):
        generate_rationales(
            questions, out, teacher=ScriptedTeacher(), prompt="Explain {question} {choices}"
        )
    generate_rationales(
        questions,
        out,
        teacher=ScriptedTeacher(),
        prompt="Explain {question} {choices}",
        force=True,
    )
    assert len(read_rows(out)) == 6


def test_a_row_is_bad_before_anything_is_asked_or_written(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "questions.jsonl", [*QUESTIONS, {"question": "x"}])
    teacher = ScriptedTeacher()
    with pytest.raises(ScicotError, match=r"questions.jsonl:7: "):
        generate_rationales(file, tmp_path / "out.jsonl", teacher=teacher)
    assert teacher.asked == []
    assert [p.name for p in tmp_path.iterdir()] == ["questions.jsonl"]
    unlabelled = write_rows(tmp_path / "u.jsonl", [{**QUESTIONS[0], "answer": None}])
    with pytest.raises(
        ScicotError, match=r"u.jsonl:1: has no gold answer, but --reveal-answer needs"
    ):
        generate_rationales(
            unlabelled,
            tmp_path / "out.jsonl",
            teacher=teacher,
            settings=GenerateSettings(reveal_answer="always"),
        )
