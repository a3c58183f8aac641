from typing import Any

import pytest

from scicot.records import Choice, Prediction, Question, Rationale
from scicot.row_fields import RowProblem
from scicot.text import normalized

ROW: dict[str, Any] = {
    "id": "q1",
    "question": "Which conducts electricity?",
    "choices": [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}],
    "answer": "B",
    "meta": {"subject": "physics"},
    "mine": [1, {"deep": None}],
}


def test_a_question_comes_out_as_it_went_in() -> None:
    assert Question.from_row(ROW).to_row() == ROW


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": None}, '"question" is null; it must be a string'),
        ({"question": " "}, '"question" is empty'),
        ({"question": "\ud800?"}, "lone surrogate"),
        ({"choices": None}, '"choices" is missing'),
        ({"choices": "wood"}, '"choices" must be a list'),
        ({"choices": [{"label": "A", "text": "wood"}]}, "has 1 choice; 2 to 26 are allowed"),
        ({"choices": [{"label": "A", "text": "a"}] * 27}, "has 27 choices; 2 to 26 are allowed"),
        ({"choices": [{"label": "A", "text": "a"}, {"label": "A", "text": "b"}]}, "same label"),
        ({"choices": [{"label": "A", "text": "a"}, {"label": "B"}]}, 'choice 2 has no "text"'),
        ({"choices": [{"label": "A", "text": "a"}, "b"]}, "choice 2 must be"),
        ({"answer": "C"}, "none of the labels"),
        ({"answer": 1}, "none of the labels"),
        ({"context": 3}, '"context" is 3; it must be a string'),
        ({"meta": [1]}, '"meta" must be an object'),
        ({"id": ""}, '"id" must be'),
        ({"id": True}, '"id" must be'),
    ],
)
def test_what_is_wrong_with_a_question_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RowProblem, match=said):
        Question.from_row({**ROW, **change})


def test_a_missing_field_is_named() -> None:
    with pytest.raises(RowProblem, match='"question" is missing'):
        Question.from_row({"choices": ROW["choices"]})


def test_an_id_is_made_of_what_is_asked_and_of_nothing_else() -> None:
    bare = {"question": ROW["question"], "choices": ROW["choices"]}
    made = Question.from_row(bare).id
    assert made == Question.from_row({**bare, "answer": "A", "mine": 1}).id
    assert made != Question.from_row({**bare, "context": "At night."}).id
    assert len(made) == 16
    assert Question.from_row({**ROW, "id": 7}).id == "7"


def test_two_choices_with_one_text_and_no_answer_are_fine() -> None:
    twins = [{"label": "A", "text": "bridge"}, {"label": "B", "text": "bridge"}]
    question = Question.from_row({**ROW, "choices": twins, "answer": None})
    assert question.labels == ("A", "B")
    assert question.to_row()["answer"] is None


def test_a_rationale_needs_only_its_text() -> None:
    row = Rationale.from_row({**ROW, "rationale": "Metals conduct."}).to_row()
    assert row == {
        **ROW,
        "rationale": "Metals conduct.",
        "sample": 0,
        "teacher": None,
        "conclusion": None,
        "saw_answer": False,
    }
    assert Rationale.from_row(row).to_row() == row


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, '"rationale" is missing'),
        ({"rationale": "x", "sample": -1}, '"sample" must be'),
        ({"rationale": "x", "conclusion": 2}, '"conclusion" must be'),
    ],
)
def test_what_is_wrong_with_a_rationale_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RowProblem, match=said):
        Rationale.from_row({**ROW, **change})


def test_a_prediction_may_be_null_and_is_never_another_label() -> None:
    row = Prediction.from_row({**ROW, "prediction": None}).to_row()
    assert row["prediction"] is None
    assert row["mine"] == ROW["mine"]
    assert Prediction.from_row(row).to_row() == row
    with pytest.raises(RowProblem, match="none of the labels"):
        Prediction.from_row({**ROW, "prediction": "C"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rationales": "x"}, '"rationales" must be'),
        ({"scores": {"A": "high"}}, '"scores" must map'),
        ({"confidence": "high"}, '"confidence" must be'),
        ({"models": "mine"}, '"models" must be an object'),
    ],
)
def test_what_is_wrong_with_a_prediction_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RowProblem, match=said):
        Prediction.from_row({**ROW, "prediction": "A", **change})


def test_normalized_folds_what_does_not_change_a_question() -> None:
    assert normalized("  Which  CONDUCTS\nelectricity?") == normalized("which conducts electricity")
    assert normalized("H2O") != normalized("H2O2")


def test_a_field_is_found_behind_dots() -> None:
    question = Question.from_row({**ROW, "mine": {"deep": 1}})
    assert question.field("meta.subject") == "physics"
    assert question.field("mine.deep") == 1
    for missing in ("meta.topic", "id.x", "none"):
        with pytest.raises(KeyError):
            question.field(missing)


def test_choices_are_compared_by_label_and_text() -> None:
    first, second = Choice("A", "x"), Choice("A", "x", {"k": 1})
    assert first == second
    assert not first != second  # noqa: SIM202
    assert hash(first) == hash(second)
    assert first != Choice("A", "y")
