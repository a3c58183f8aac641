"""Sources without gold answers. Commands that need gold answers refuse a source without any. If
only some rows lack a gold answer, these rows are counted."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, Trained, lines, world_rows, write_rows

from scicot import (
    GenerateSettings,
    PredictSettings,
    ScicotError,
    TrainSettings,
    estimate_cost,
    evaluate,
    generate_rationales,
    predict,
    train_answer,
    train_rationale,
)
from scicot.sources import NeedsGold, questions
from scicot.sources.gold import unused_fields
from scicot.teachers import Reply, Request

NEEDS = NeedsGold("to count by", "left out", "give --anything")
TINY = TrainSettings(max_steps=1, warmup_steps=1, batch_size=4, device="cpu")


class Teacher:
    """Says that A is right."""

    name = "fake:teacher"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request.question_id)
        return Reply(f"Wood {request.question_id} is light.\nAnswer: A")

    async def close(self) -> None:
        pass


def row(number: int, *, gold: str | None = None, **more: Any) -> dict[str, Any]:
    fields = {"id": f"q{number}", "question": f"What is part {number}?", "choices": ["wood", "tin"]}
    return {**fields, **({} if gold is None else {"answer": gold}), **more}


def key_rows(count: int) -> list[dict[str, Any]]:
    """Rows whose gold answer is in a field that is not recognised."""
    return [row(number, key="A", note="mine") for number in range(count)]


# generate-rationales


@pytest.mark.parametrize("dry_run", [False, True])
def test_no_question_is_asked_where_none_has_a_gold_answer(tmp_path: Path, dry_run: bool) -> None:
    file = write_rows(tmp_path / "q.jsonl", key_rows(3))
    teacher, out = Teacher(), tmp_path / "out.jsonl"
    with pytest.raises(ScicotError) as refused:
        (estimate_cost if dry_run else generate_rationales)(file, out, teacher=teacher)
    assert str(refused.value) == (
        f"{file}: no row has a gold answer for --keep correct to check against"
        ' (fields not used: "key", "note"); rename "key" to "answer" if it holds the answers,'
        " or add --columns answer=key, or use --keep all, which needs no gold answers"
    )
    assert teacher.asked == []
    assert [path.name for path in tmp_path.iterdir()] == ["q.jsonl"], "the next run is not bound"


def test_keep_all_needs_no_gold_answers(tmp_path: Path, recorder: Recorder) -> None:
    file = write_rows(tmp_path / "q.jsonl", key_rows(3))
    settings = GenerateSettings(keep="all")
    done = generate_rationales(
        file, tmp_path / "o.jsonl", teacher=Teacher(), settings=settings, reporter=recorder
    )
    assert (done.kept, recorder.warnings) == (3, [])


def test_only_the_rows_of_the_limit_count(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [*key_rows(2), row(2, gold="A")])
    with pytest.raises(ScicotError, match="no row has a gold answer"):
        generate_rationales(file, tmp_path / "o.jsonl", teacher=Teacher(), limit=2)
    assert generate_rationales(file, tmp_path / "o.jsonl", teacher=Teacher(), limit=3).kept == 3


def test_some_rows_without_a_gold_answer_are_counted_once(
    tmp_path: Path, recorder: Recorder
) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(0, gold="A"), *key_rows(3)[1:], row(3, gold="B")])
    done = generate_rationales(file, tmp_path / "o.jsonl", teacher=Teacher(), reporter=recorder)
    assert (done.kept, done.rejected) == (3, {"wrong-conclusion": 1})
    assert recorder.warnings == [
        f"{file}: 2 of 4 rows have no gold answer, first at {file}:2;"
        " their rationales are kept unfiltered"
    ]


def test_a_revealed_answer_that_is_missing_names_the_likely_field(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", key_rows(1))
    settings = GenerateSettings(reveal_answer="always")
    with pytest.raises(
        ScicotError, match=r'but --reveal-answer needs one .*; rename "key" to "answer"'
    ):
        generate_rationales(file, tmp_path / "o.jsonl", teacher=Teacher(), settings=settings)


# Pipes


def test_standard_input_is_judged_before_the_first_request(scicot: Any, tmp_path: Path) -> None:
    replies = write_rows(
        tmp_path / "r.jsonl", [{"id": f"q{n}", "reply": "It is so.\nAnswer: A"} for n in range(30)]
    )
    out = tmp_path / "out.jsonl"
    command = ("generate-rationales", "-", "-o", out, "--teacher", f"recorded:{replies}")
    outcome = scicot(*command, stdin=lines(*key_rows(3)))
    assert outcome.code == 1
    assert "<stdin>: no row has a gold answer" in outcome.stderr
    assert not out.exists()
    mixed = [*key_rows(5), *(row(number, gold="A") for number in range(5, 30))]
    outcome = scicot(*command, stdin=lines(*mixed))
    assert outcome.code == 0
    assert "<stdin>: 5 of 30 rows have no gold answer, first at <stdin>:1;" in outcome.stderr
    written = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert sorted(written) == sorted(mixed_row["id"] for mixed_row in mixed), (
        "those that were looked at too"
    )


@pytest.fixture
def pipe() -> Iterator[tuple[str, Any]]:
    """Return the name of a pipe's read end, and a stream that writes to the pipe."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield f"/dev/fd/{reading}", stream
        os.close(reading)


def test_a_pipe_is_judged_by_its_first_rows(pipe: tuple[str, Any]) -> None:
    """The pipe stays open, so the reader must not wait for its end."""
    name, stream = pipe
    stream.write(lines(*key_rows(20)))
    stream.flush()
    rows = questions(name, gold=NEEDS, reporter=Recorder())
    with pytest.raises(ScicotError, match="none of the first 20 rows has a gold answer to count"):
        rows.look_ahead()


def test_a_pipe_that_pauses_is_judged_by_what_has_come(pipe: tuple[str, Any]) -> None:
    name, stream = pipe
    stream.write(lines(*key_rows(1)))
    stream.flush()
    began = time.monotonic()
    with pytest.raises(ScicotError, match="row 1 has no gold answer to count by"):
        questions(name, gold=NEEDS, reporter=Recorder()).look_ahead()
    assert time.monotonic() - began < 3


def test_rows_looked_at_come_first_and_once(pipe: tuple[str, Any]) -> None:
    name, stream = pipe
    stream.write(lines(*key_rows(3), row(3, gold="A")))
    stream.flush()
    rows = questions(name, gold=NEEDS, reporter=Recorder())
    rows.look_ahead()  # does not wait for a fifth row
    stream.write(lines(row(4)))
    stream.close()
    assert [question.id for question in rows] == ["q0", "q1", "q2", "q3", "q4"]


def test_a_place_is_remembered_only_when_all_before_it_is_used(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [*key_rows(2), row(2, gold="A"), row(3, gold="A")])
    rows = questions(file, gold=NEEDS, resumable=True, reporter=Recorder())
    rows.look_ahead()
    reading = iter(rows)
    for _ in range(2):
        next(reading)
        assert rows.prefix() is None, "the row behind was looked at, and is not used yet"
    next(reading)
    prefix = rows.prefix()
    assert prefix is not None
    assert prefix.rows == 3


def test_an_empty_pipe_is_nothing_to_judge(scicot: Any, tmp_path: Path) -> None:
    replies = write_rows(tmp_path / "r.jsonl", [{"id": "q0", "reply": "Answer: A"}])
    outcome = scicot(
        "generate-rationales", "-", "-o", tmp_path / "o.jsonl", "--teacher", f"recorded:{replies}",
        stdin="",
    )  # fmt: skip
    assert outcome.code == 0


# Resuming after finished rows


@pytest.mark.parametrize("earlier", [True, False])
def test_what_is_passed_over_counts_too(
    tmp_path: Path, recorder: Recorder, *, earlier: bool
) -> None:
    first = row(0, gold="A") if earlier else row(0, key="A")
    file = write_rows(tmp_path / "q.jsonl", [first, *key_rows(4)[1:]])
    before = questions(file, resumable=True, reporter=Recorder())
    reading = iter(before)
    next(reading)
    next(reading)
    prefix = before.prefix()
    assert prefix is not None
    rest = questions(file, gold=NEEDS, reporter=recorder)
    assert rest.skip(prefix)
    if earlier:
        assert rest.check() == 2
        [warning] = recorder.warnings
        assert "2 of 2 remaining rows have no gold answer, first at" in warning
    else:
        with pytest.raises(ScicotError, match="no row has a gold answer to count by"):
            rest.check()


# Training, evaluation and prediction


@pytest.mark.parametrize("method", ["two-stage", "direct", "multi-task", "one-sequence"])
def test_nothing_is_trained_to_answer_without_gold_answers(tmp_path: Path, method: Any) -> None:
    rows = [{**row, "rationale": "It is wood."} for row in key_rows(3)]
    file = write_rows(tmp_path / "q.jsonl", rows)
    with pytest.raises(ScicotError, match=r'to learn from .*; rename "key" to "answer"'):
        train_answer(file, tmp_path / "run", student="scratch:tiny", method=method, settings=TINY)
    assert not (tmp_path / "run").exists()


def test_a_file_without_gold_answers_is_named_among_others(tmp_path: Path) -> None:
    good = write_rows(tmp_path / "good.jsonl", world_rows()[:4])
    bad = write_rows(tmp_path / "bad.jsonl", [{**row, "rationale": "So."} for row in key_rows(2)])
    for files, dev in (([good, bad], ()), ([good], [bad])):
        with pytest.raises(ScicotError, match=r"bad.jsonl: no row has a gold answer to learn from"):
            train_answer(
                files, tmp_path / "run", student="scratch:tiny", settings=TINY, dev=dev
            )  # fmt: skip


def test_rationales_are_learnt_without_gold_answers(tmp_path: Path, recorder: Recorder) -> None:
    rows = [{**row, "answer": None} for row in world_rows()[:4]]
    file = write_rows(tmp_path / "q.jsonl", rows)
    train_rationale(
        file, tmp_path / "run", student="scratch:tiny", settings=TINY, reporter=recorder
    )
    assert recorder.warnings == []


def test_questions_without_gold_answers_judge_nothing(tmp_path: Path) -> None:
    asked = write_rows(tmp_path / "q.jsonl", key_rows(2))
    said = write_rows(tmp_path / "p.jsonl", [{"id": "q0", "prediction": "A"}])
    with pytest.raises(ScicotError, match=r'q.jsonl: no row has a gold .*; rename "key" to "answ'):
        evaluate(said, questions=asked)
    shown = write_rows(tmp_path / "s.jsonl", [{**row, "prediction": "A"} for row in key_rows(2)])
    with pytest.raises(ScicotError, match=r's.jsonl: no row has a gold .*; rename "key" to "answ'):
        evaluate(shown)


def test_some_questions_without_a_gold_answer_are_told_once(
    tmp_path: Path, recorder: Recorder
) -> None:
    asked = write_rows(tmp_path / "q.jsonl", [row(0, gold="A"), *key_rows(2)[1:]])
    said = [{"id": "q0", "prediction": "A"}, {"id": "q1", "prediction": "B"}]
    file = write_rows(tmp_path / "p.jsonl", said)
    (system,) = evaluate(file, questions=asked, reporter=recorder).systems
    assert (system.questions, system.correct) == (1, 1)
    assert recorder.warnings == [
        f"{asked}: 1 of 2 rows has no gold answer, first at {asked}:2; left out"
    ]


def test_unlabelled_questions_are_predicted_without_a_word(
    trained: Trained, tmp_path: Path, recorder: Recorder
) -> None:
    file = write_rows(tmp_path / "q.jsonl", key_rows(2))
    settings = PredictSettings(device="cpu")
    predict(
        file, tmp_path / "p.jsonl", answer_model=trained.direct, settings=settings,
        reporter=recorder,
    )  # fmt: skip
    assert recorder.warnings == []


# The field that the message suggests


@pytest.mark.parametrize(
    ("names", "likely"),
    [
        (["key"], "key"),
        (["note", "Correct Answer", "Incorrect Answer 1"], "Correct Answer"),
        (["solution", "label"], "label"),
        (["explanation_of_answer", "correct_option"], "correct_option"),
        (["TARGET"], "TARGET"),
        (["gold"], "gold"),
        (["the answer (letter)"], "the answer (letter)"),
    ],
)
def test_the_field_that_looks_like_the_answer_is_named(names: list[str], likely: str) -> None:
    assert f'; rename "{likely}" to "answer" if it holds' in unused_fields(names)


def test_fields_of_any_names_stay_one_short_line() -> None:
    assert 'rename the one that holds the answers to "answer", or add --columns' in unused_fields(
        ["note", "tags"]
    )
    assert unused_fields(["rationale"]) == (
        '(no unused field could hold it); add a field named "answer"'
    )
    message = unused_fields([f"line\nbreak {n} {'x' * 500}" for n in range(50)])
    assert "\n" not in message
    assert "and 38 more" in message
    assert len(message) < 1000
