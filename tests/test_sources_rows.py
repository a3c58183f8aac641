"""Rows of a source as records: parsing, counting, skipping invalid rows, and duplicates."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from conftest import QUESTION, Recorder, lines

from scicot.errors import InvalidRow, ScicotError
from scicot.records import Question
from scicot.sources import (
    Counts,
    predictions,
    questions,
    rationales,
    unique,
)
from scicot.sources.gold_conflicts import GoldConflicts

# Rows: parsing, counting, skipping
from scicot.sources.prefix import CountingReader, Prefix


def test_the_first_invalid_row_raises(write: Any) -> None:
    path = write(lines(QUESTION, {**QUESTION, "answer": 9}, QUESTION))
    rows = iter(questions(path, reporter=Recorder()))
    assert isinstance(next(rows), Question)
    with pytest.raises(InvalidRow, match=r'rows:2: "answer" is 9'):
        next(rows)


def test_skip_invalid_counts_and_shows_the_first_five(write: Any) -> None:
    listener = Recorder()
    path = write(lines(QUESTION, *["oops"] * 4, *[{"x": 1}] * 3, QUESTION))
    rows = questions(path, skip_invalid=True, reporter=listener)
    assert [q.id for q in rows] == ["q1", "q1"]
    assert (rows.counts.records, rows.counts.invalid, rows.counts.not_text) == (2, 7, 0)
    assert [w.split(": ")[0].rpartition(":")[2] for w in listener.warnings[:5]] == list("23456")
    assert listener.warnings[5:] == [f"{path}: 7 invalid rows skipped"]
    assert rows.check() == 2, "read anew"
    assert len(listener.warnings) == 6, "and warned of once"


def test_image_questions_are_skipped_counted_and_noted(write: Any) -> None:
    image = {**QUESTION, "hint": "", "image": "image.png"}
    listener = Recorder()
    rows = questions(write(lines(image, QUESTION, image)), reporter=listener)
    assert rows.check() == 1
    assert rows.counts.not_text == 2
    assert listener.warnings == []
    assert listener.notes[1:] == [f"{rows.source}: 2 image questions skipped"]


def test_choices_of_the_same_text_are_kept_and_warned_of_once(write: Any) -> None:
    twins = {**QUESTION, "choices": ["x", "y", "x "], "answer": "y"}
    listener = Recorder()
    rows = questions(write(lines(QUESTION, twins, twins)), reporter=listener)
    assert (rows.check(), rows.check()) == (3, 3)
    [warning] = listener.warnings
    assert f"2 rows with two choices of the same text, first at {rows.source}:2" in warning


@pytest.mark.parametrize(
    ("layouts", "columns", "more"),
    [
        (5, 3, ""),
        (5, 4, "and 1 more line like these"),
        (32, 5, "and 2 more lines like these"),
        (33, 5, "and at least 2 more lines like these"),
    ],
)
def test_lines_on_further_layouts_are_counted(
    write: Any, layouts: int, columns: int, more: str
) -> None:
    """Layouts with other choice columns have lines of their own; other fields make no line."""
    rows: list[dict[str, Any]] = [
        {"Q": "?", **dict.fromkeys("ABCDEF"[: n + 2], "x")} for n in range(columns)
    ]
    rows += [{**rows[0], f"note{n}": 1} for n in range(layouts - columns)]
    recorder = Recorder()
    list(questions(write(lines(*rows)), reporter=recorder))
    shown = [note for note in recorder.notes if "question = Q" in note]
    further = [note for note in recorder.notes if "like these" in note]
    assert len(shown) == 3
    assert len(further) == bool(more)
    assert all(f": {more}, for rows with other fields" in note for note in further)


def test_a_source_without_rows_says_why(write: Any) -> None:
    image = {**QUESTION, "hint": "", "image": "image.png"}
    for content, message in [
        ("", "holds no rows$"),
        ("\n \n", "holds no rows$"),
        ("[]", "holds no rows$"),
        ("question,A,B\n", "holds no rows$"),
        (gzip.compress(b"", mtime=0), "holds no rows$"),
        (lines(image, image), "no rows that can be used: 2 image questions skipped"),
        (lines(image, "oops"), r"1 invalid row skipped \(first: .*:2: not JSON.*\), 1 image quest"),
    ]:
        with pytest.raises(ScicotError, match=message):
            list(questions(write(content), skip_invalid=True, reporter=Recorder()))


def test_counts_begin_at_zero_and_limit_counts_records(write: Any) -> None:
    rows = questions(write(lines(*[QUESTION] * 5)), limit=2, reporter=Recorder())
    assert rows.counts == Counts()
    assert rows.check() == 2
    assert len(list(rows)) == 2
    assert rows.counts.records == 2


def test_a_repeated_question_is_given_once_and_noted(write: Any) -> None:
    other = {**QUESTION, "id": "q2"}
    listener = Recorder()
    rows = questions(write(lines(QUESTION, other, QUESTION, QUESTION)), reporter=listener)
    assert [q.id for q in unique(rows, listener)] == ["q1", "q2"]
    assert listener.notes[1:] == ["2 repeated questions left out (same id, text and choices)"]


def test_two_questions_with_one_id_are_refused(write: Any) -> None:
    other = {**QUESTION, "choices": ["x", "y"]}
    rows = questions(write(lines(QUESTION, other)), reporter=Recorder())
    with pytest.raises(ScicotError, match="two different questions have the id 'q1'"):
        list(unique(rows, Recorder()))


def test_a_second_gold_answer_for_a_question_is_an_invalid_row(write: Any) -> None:
    other = {**QUESTION, "answer": "A"}
    path = write(lines(QUESTION, {**QUESTION, "id": "q2"}, other))
    for read in (questions, rationales):
        file = path if read is questions else write(lines(RATIONALE, {**RATIONALE, **other}))
        line = 3 if read is questions else 2
        message = (
            rf"rows:{line}: has the gold answer 'A', but an earlier .* 'B' .*\(id 'q1', 'Q\?'\)"
        )
        with pytest.raises(InvalidRow, match=message):
            read(file, reporter=Recorder()).check()
    path = write(lines(QUESTION, {**QUESTION, "id": "q2"}, other))
    rows = questions(path, skip_invalid=True, reporter=Recorder())
    for _ in range(2):
        assert [(q.id, q.answer) for q in unique(rows, None)] == [("q1", "B"), ("q2", "B")]


def test_gold_answers_are_compared_without_ids_and_across_files(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("question,A,B,answer\nWhat?,x,y,A\nWhat?,x,y,B\n")
    with pytest.raises(InvalidRow, match=r"rows.csv:3: .* but an earlier row has 'A'"):
        questions(tmp_path / "rows.csv", reporter=Recorder()).check()
    conflicts = GoldConflicts()
    for name, answer in (("a.csv", "A"), ("b.csv", "B")):
        (tmp_path / name).write_text(f"question,A,B,answer\nWhat?,x,y,{answer}\n")
    questions(tmp_path / "a.csv", conflicts=conflicts, reporter=Recorder()).check()
    with pytest.raises(InvalidRow, match=r"b.csv:2: .* but an earlier row has 'A'"):
        questions(tmp_path / "b.csv", conflicts=conflicts, reporter=Recorder()).check()


def test_gold_answers_of_more_questions_than_fit_in_memory_are_compared(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scicot.sources.gold_conflicts._IN_MEMORY", 1)
    rows = [{**QUESTION, "id": f"q{number}"} for number in (1, 2, 3, 3, 1)]
    assert questions(write(lines(*rows)), reporter=Recorder()).check() == 5
    for number in (1, 3):
        other = {**QUESTION, "id": f"q{number}", "answer": "A"}
        with pytest.raises(InvalidRow, match=rf"an earlier row has 'B' .*\(id 'q{number}'"):
            questions(write(lines(*rows, other)), reporter=Recorder()).check()


def test_rows_of_other_labels_or_choices_do_not_contradict_each_other(write: Any) -> None:
    texts = ["wood", "copper"]
    labels = [{"label": str(n), "text": text} for n, text in enumerate(texts, start=1)]
    others = [{**QUESTION, "choices": labels, "answer": "1"}]
    others.append({**QUESTION, "choices": texts[::-1], "answer": "A"})
    rows = questions(write(lines(QUESTION, *others)), reporter=Recorder())
    assert [question.answer for question in rows] == ["B", "1", "A"]


def test_callers_without_use_for_gold_answers_keep_the_first_of_two(write: Any) -> None:
    other = {**QUESTION, "answer": "A"}
    path, listener = write(lines(QUESTION, other, other)), Recorder()
    rows = questions(path, uses_gold=False, reporter=listener)
    assert [question.answer for question in unique(rows, listener)] == ["B"]
    [warning] = listener.warnings
    assert warning.startswith("2 rows contradict the gold answer of an earlier row; the first row")
    assert "rows:2: has the gold answer 'A'" in warning


def test_a_contradiction_names_skip_invalid_only_where_it_can_be_given(write: Any) -> None:
    path = write(lines(QUESTION, {**QUESTION, "answer": "A"}))
    with pytest.raises(InvalidRow, match=r"read only the first one with --skip-invalid$"):
        questions(path, skip_invalid=False, reporter=Recorder()).check()
    with pytest.raises(InvalidRow, match=r"correct one of the two rows, or give"):
        questions(path, reporter=Recorder()).check()


def test_a_gold_answer_that_only_a_repeated_row_has_is_warned_of(write: Any) -> None:
    listener = Recorder()
    rows = questions(write(lines({**QUESTION, "answer": None}, QUESTION)), reporter=listener)
    assert [q.answer for q in unique(rows, listener)] == [None]
    [warning] = listener.warnings
    assert warning.startswith(
        "1 gold answer left out: only the first row of a question is used, and it has none"
    )
    assert "first id: 'q1'" in warning
    listener = Recorder()
    rows = questions(write(lines(QUESTION, {**QUESTION, "answer": None})), reporter=listener)
    assert [q.answer for q in unique(rows, listener)] == ["B"]
    assert listener.warnings == []


# Kinds of rows

RATIONALE = {**QUESTION, "rationale": "It is a metal.", "conclusion": "B", "teacher": "t"}
OWN = [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}]
PREDICTION = {
    **{**QUESTION, "choices": OWN, "answer": "B", "mine": 1},
    **{"rationales": ["r0", "r1"], "prediction": "A", "scores": {"A": 0.6, "B": 0.4}},
    **{"rationale": "as given", "usage": {"in": 1}, "models": {}},
}


def test_questions_takes_rows_of_any_kind(write: Any) -> None:
    path = write(lines(QUESTION, RATIONALE, PREDICTION))
    plain, rationale, prediction = questions(path, reporter=Recorder())
    assert plain.extra == {}
    assert rationale.extra["rationale"] == "It is a metal."
    assert prediction.extra["prediction"] == "A"


def test_rationales_come_from_rationale_and_prediction_rows(write: Any) -> None:
    path = write(lines(RATIONALE, PREDICTION))
    taught, *predicted = rationales(path, reporter=Recorder())
    assert (taught.rationale, taught.teacher, taught.question.answer) == (
        "It is a metal.",
        "t",
        "B",
    )
    assert [(r.rationale, r.sample, r.teacher) for r in predicted] == [
        ("r0", 0, "predicted"),
        ("r1", 1, "predicted"),
    ]
    assert predicted[0].question.extra == {"mine": 1}
    assert predicted[0].to_row()["rationale"] == "r0"
    assert len(list(rationales(path, limit=2, reporter=Recorder()))) == 2


def test_rows_that_hold_no_rationale_are_told_where_to_get_one(write: Any) -> None:
    with pytest.raises(InvalidRow, match='no "rationale"; scicot generate-rationales makes them'):
        list(rationales(write(lines(QUESTION)), reporter=Recorder()))
    direct = {**PREDICTION, "rationales": []}
    with pytest.raises(InvalidRow, match="predicted without a rationale"):
        list(rationales(write(lines(direct)), reporter=Recorder()))


def test_foreign_formats_with_a_rationale_column_train_as_well(write: Any) -> None:
    table = "question,A,B,answer,rationale,sample\nQ?,wood,copper,B,It is a metal.,3\n"
    [read] = rationales(write(table), reporter=Recorder())
    assert (read.rationale, read.sample, read.question.answer) == ("It is a metal.", 3, "B")


def test_predictions_come_from_prediction_rows_and_conclusions(write: Any) -> None:
    elsewhere = {**RATIONALE, "conclusion": "E"}
    path = write(lines(PREDICTION, RATIONALE, elsewhere))
    predicted, taught, lost = predictions(path, reporter=Recorder())
    assert (predicted.prediction, predicted.rationales) == ("A", ("r0", "r1"))
    assert (taught.prediction, taught.models["teacher"]) == ("B", "t")
    assert lost.prediction is None, "a conclusion that is no choice is no answer"
    for row in (QUESTION, {**QUESTION, "rationale": "x"}):
        with pytest.raises(InvalidRow, match='has no "prediction"'):
            list(predictions(write(lines(row)), reporter=Recorder()))


def test_long_lines_are_not_held_to_be_hashed_together(tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_bytes((b"x" * 2**20 + b"\n") * 30)
    with file.open("rb") as stream:
        reader = CountingReader(stream, None)
        tracemalloc.start()
        assert sum(len(line) for line in reader) == 30 * (2**20 + 1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * 2**20
    assert reader.prefix(30) == Prefix(
        file.stat().st_size,
        hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest(),
        30,
        30,
    )


@pytest.mark.parametrize("name", ["image", "Bild", "image_url"])
def test_filled_image_fields_are_noted_once(write: Any, name: str) -> None:
    listener = Recorder()
    rows = [{**QUESTION, name: value} for value in ("img/1.png", "", None, {"bytes": "..."})]
    read = questions(write(lines(*rows, QUESTION)), reporter=listener)
    assert len(list(read)) == 5
    note = f'2 questions have a field "{name}", which students and teachers do not see'
    assert [n for n in listener.notes if "do not see" in n] == [f"{read.source}: {note}"]
    assert read.notes == [note]
