"""Rows of answers that contain a question, or a part of one, beside a file of questions."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import write_rows
from judging import ASKED, judged

from scicot import ScicotError


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"question": "Does it conduct?"}, "has another text than in the --questions file"),
        ({"answer": 0}, "has another gold answer"),
    ],
)
def test_rows_about_another_question_of_the_same_id(
    tmp_path: Path, asked: Path, change: Any, problem: str
) -> None:
    row = {**ASKED[0], "prediction": "A", **change}
    with pytest.raises(ScicotError, match=problem):
        judged(write_rows(tmp_path / "p.jsonl", [row]), asked)
    twice = write_rows(tmp_path / "twice.jsonl", [ASKED[0], {**ASKED[0], "answer": 0}])
    with pytest.raises(
        ScicotError, match=r"twice.jsonl:2: has the gold answer 'A', but an earlier row has"
    ):
        judged(twice, twice)
    twice = write_rows(tmp_path / "twice.jsonl", [ASKED[0], {**ASKED[0], "answer": None}])
    with pytest.raises(ScicotError, match="id 'q1' occurs twice, with different texts"):
        judged(write_rows(tmp_path / "p.jsonl", [row]), twice)


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ({"choices": ["a copper wire", "wood"], "answer": "B"}, "other choices"),
        ({"choices": ["wood", "steel"]}, "other choices"),
        ({"question": "Shines?"}, "another text"),
        ({"question": "Shines? (A) wood (B) a copper wire", "answer": "C"}, "another text"),
        ({"answer": "A"}, "another gold answer"),
        ({"correct_answer": "wood"}, "another gold answer"),
        ({"A": "a copper wire", "B": "wood"}, "other choices"),
        ({"answers": ["a copper wire", "wood"]}, "other choices"),
        (
            {"question": "Conducts?", "choices": ["a copper wire", "wood"], "answer": "Z"},
            "other choices",
        ),
    ],
)
@pytest.mark.parametrize("table", [False, True])
def test_parts_of_another_question_of_the_same_id(
    tmp_path: Path, asked: Path, row: Any, part: str, table: bool
) -> None:
    row = {"id": "q1", "prediction": "B", **row}
    file = write_rows(tmp_path / "p.jsonl", [row])
    if table:
        cells = [
            value if isinstance(value, str) else json.dumps(value).replace('"', '""')
            for value in row.values()
        ]
        file = tmp_path / "p.csv"
        file.write_text(",".join(row) + '\n"' + '","'.join(cells) + '"\n')
    with pytest.raises(ScicotError, match=f"'q1' has {part}"):
        judged(file, asked)


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Conducts?"},
        {"choices": ["wood", "a copper wire"], "answer": 1},
        {"answer": "a copper wire"},
        {"answer": "I think that it is the wood."},
        {"prompt": "Answer with a letter. Conducts?"},
        {"choices": ["A", "B"]},
        {"A": 0.1, "B": 0.9},
        {"answers": ["B", "B"], "response1": "B", "response2": "A"},
        {"choice": "B", "correct": 0},
        {"question": "Conducts?\nA. wood\nB. a copper wire", "answer": "?"},
    ],
)
def test_what_is_no_other_question_is_an_answer(tmp_path: Path, asked: Path, row: Any) -> None:
    file = write_rows(tmp_path / "p.jsonl", [{"id": "q1", "prediction": "B", **row}])
    verdict, _ = judged(file, asked)
    assert verdict.systems[0].correct == 1


def test_an_answer_has_the_labels_of_the_choices_beside_it(tmp_path: Path, asked: Path) -> None:
    choices = [{"label": "B", "text": "wood"}, {"label": "A", "text": "a copper wire"}]
    row = {"id": "q1", "choices": choices, "prediction": "A", "answer": "A"}
    verdict, _ = judged(write_rows(tmp_path / "p.jsonl", [row]), asked)
    assert verdict.systems[0].correct == 1


def test_a_gold_number_of_a_table_differs_only_however_it_is_counted(tmp_path: Path) -> None:
    question = {"question": "Which?", "choices": ["one", "two", "three", "four"], "answer": "B"}
    asked = write_rows(tmp_path / "q.jsonl", [{"id": "q1", **question}])
    file = tmp_path / "p.csv"
    for number, differs in (("1", False), ("2", False), ("3", True)):
        file.write_text(f"id,prediction,answer\nq1,B,{number}\n")
        if differs:
            with pytest.raises(ScicotError, match="'q1' has another gold answer"):
                judged(file, asked)
        else:
            assert judged(file, asked)[0].systems[0].correct == 1


def test_an_answer_without_an_id_is_joined_by_its_context_too(tmp_path: Path) -> None:
    asked = {"question": "Is it true?", "choices": ["yes", "no"]}
    questions = [
        {"id": "1", **asked, "context": "It rains.", "answer": "A"},
        {"id": "2", **asked, "context": "It snows.", "answer": "B"},
    ]
    file = write_rows(tmp_path / "q.jsonl", questions)
    answers = [{**asked, "context": "It  snows.", "prediction": "no"}]
    verdict, _ = judged(write_rows(tmp_path / "a.jsonl", answers), file)
    assert (verdict.systems[0].answered, verdict.systems[0].correct) == (1, 1)
    unclear = write_rows(tmp_path / "b.jsonl", [{**asked, "prediction": "no"}])
    with pytest.raises(
        ScicotError, match="2 questions have its text and choices, but none has its"
    ):
        judged(unclear, file)


def test_two_questions_of_the_same_id_and_answer_are_refused(tmp_path: Path) -> None:
    """For example in a set of yes/no questions."""
    first = ASKED[0]
    for change in ({"question": "Does it burn?"}, {"context": "It is made of wood."}):
        twice = write_rows(tmp_path / "twice.jsonl", [first, {**first, **change}])
        with pytest.raises(ScicotError, match="id 'q1' occurs twice, with different texts"):
            judged(write_rows(tmp_path / "p.jsonl", [{**first, "prediction": "A"}]), twice)
