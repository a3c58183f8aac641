"""COPA's layout: the field "question" is one word and asks for a cause or effect of the premise."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, lines

from scicot.errors import InvalidRow
from scicot.formats import to_question_row
from scicot.prompts import build_prompt
from scicot.records import Question
from scicot.row_fields import RowProblem
from scicot.sources import questions

COPA: dict[str, Any] = {
    "premise": "The window broke.",
    "choice1": "A ball hit it.",
    "choice2": "It was open.",
    "question": "cause",
    "label": 0,
    "idx": 7,
}
TABLE = (
    "premise,choice1,choice2,question,label\n"
    "The window broke.,A ball hit it.,It was open.,cause,0\n"
    "It rained.,The street was dry.,The street was wet.,effect,1\n"
)


def question(**fields: Any) -> Question:
    return Question.from_row(to_question_row({**COPA, **fields}))


def test_a_row_is_asked_with_its_premise() -> None:
    read = question()
    assert read.question == "What was the cause of this?"
    assert read.context == "The window broke."
    assert [(choice.label, choice.text) for choice in read.choices] == [
        ("A", "A ball hit it."),
        ("B", "It was open."),
    ]
    assert (read.answer, read.extra) == ("A", {"idx": 7})
    assert question(question="effect").question == "What happened as a result?"
    asked = build_prompt(read).user
    assert asked.startswith("Context: The window broke.\n\nQuestion: What was the cause of this?")


def test_a_table_is_read_as_json_lines_are(write: Any) -> None:
    upper = TABLE.replace("premise,choice1,choice2,question,label", "PREMISE,Choice1,Choice2,"
                          "Question,Label")  # fmt: skip
    for table in (TABLE, upper):
        first, second = questions(write(table), reporter=Recorder())
        assert (first.context, first.answer) == ("The window broke.", "A")
        assert (second.context, second.question) == ("It rained.", "What happened as a result?")
        assert second.text_of(second.answer or "") == "The street was wet."


@pytest.mark.parametrize(
    ("label", "answer"),
    [(0, "A"), (1, "B"), ("1", "B"), (1.0, "B"), (-1, None), ("", None), (None, None)],
)
def test_the_label_counts_from_0_and_may_be_hidden(label: Any, answer: str | None) -> None:
    assert question(label=label).answer == answer


@pytest.mark.parametrize("label", [2, True, 0.5, "2", [0]])
def test_a_label_that_names_no_choice_is_refused(label: Any) -> None:
    with pytest.raises(RowProblem, match='"label" is '):
        question(label=label)


def test_a_second_gold_field_must_agree() -> None:
    assert question(answer="A").answer == "A"
    with pytest.raises(RowProblem, match=r"\"answer\" is 'B'.*\"label\" is 0, choice 'A'"):
        question(answer="B")


def test_a_premise_goes_behind_a_context_of_the_users_own() -> None:
    assert question(context="At noon.").context == "At noon.\nThe window broke."


def test_choices_in_a_list_are_asked_with_the_premise_too() -> None:
    row = {"premise": "It rained.", "question": "effect", "choices": ["dry", "wet"], "answer": 1}
    read = Question.from_row(to_question_row(row))
    assert (read.question, read.context) == ("What happened as a result?", "It rained.")
    assert read.answer == "B"


def test_a_question_in_words_keeps_them_and_gets_the_premise() -> None:
    read = question(question="Which of the two is likelier?", answer="2")
    assert (read.question, read.context) == ("Which of the two is likelier?", "The window broke.")
    assert (read.answer, read.extra["label"]) == ("2", 0), "COPA defines no label here"


def test_three_choices_are_not_cut_to_two() -> None:
    read = question(choice3="It was old.", answer="3")
    assert (len(read.choices), read.context, read.answer) == (3, "The window broke.", "3")


def test_without_its_premise_a_row_is_refused(write: Any) -> None:
    bare = {name: value for name, value in COPA.items() if name != "premise"}
    for row in (bare, {**COPA, "premise": " "}, {**COPA, "premise": ["x"]}):
        with pytest.raises(InvalidRow, match=r':1: "premise", .* is missing, empty or not a text'):
            list(questions(write(lines(row)), reporter=Recorder()))


def test_one_word_may_be_a_question_elsewhere() -> None:
    row = {"question": "effect", "choices": ["result", "reason"], "answer": 0}
    assert Question.from_row(to_question_row(row)).question == "effect"


def test_what_is_read_once_reads_the_same_again(tmp_path: Path) -> None:
    read = question(note="mine")
    written = json.loads(json.dumps(read.to_row()))
    assert Question.from_row(to_question_row(written)) == read


def test_a_field_without_a_name_is_not_the_question() -> None:
    row = {"premise": "It rained.", "": "cause", "choice1": "a", "choice2": "b"}
    with pytest.raises(RowProblem):
        to_question_row(row)
