"""Choices and labels that are no strings, and lists that may hold choices."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, write_rows
from judging import question

from scicot.formats import Columns, Reading, UncertainIndex, to_question_row
from scicot.row_fields import Row, RowProblem
from scicot.sources import questions

IN_TEXT = {"question": "Consider (a) X and (b) Y. Which holds?", "answer": "b"}


YES_NO = {"question": "Is it?", "answer": "Yes"}


@pytest.mark.parametrize(
    "row",
    [
        {**IN_TEXT, "opts_list": ["only a", "only b", "both"]},
        {**YES_NO, "alternatives_x": ["Maybe", "Yes", "No"]},
        {**YES_NO, "alternatives_x": {"A": "Maybe", "B": "Yes", "C": "No"}},
        {
            **YES_NO,
            "alternatives_x": [{"label": "A", "text": "Maybe"}, {"label": "B", "text": "Yes"}],
        },
        {**YES_NO, "alternatives_x": "['Maybe', 'Yes', 'No']"},
        {**YES_NO, "long": ["Yes", "it is not so " * 20]},
    ],
)
def test_a_list_that_may_hold_the_choices_is_not_passed_over(row: Row) -> None:
    *_, name = row
    with pytest.raises(RowProblem, match=f"may hold the choices.*--columns choices={name}"):
        to_question_row(row)
    mapped = to_question_row(row, Reading(columns=Columns.parse(f"choices={name}")))
    assert len(mapped["choices"]) > 1


@pytest.mark.parametrize(
    "row",
    [
        # StrategyQA
        {"question": "Would it work?", "answer": False, "term": "Wire", "facts": ["Wood insulates.",
         "Wire conducts."], "decomposition": ["What is it made of?", "Does #1 conduct?"],
         "evidence": [["Wood-1"], ["no_evidence"]]},
        # PubMedQA as published
        {"QUESTION": "Does it help?", "CONTEXTS": ["We asked.", "They said."], "YEAR": "2011",
         "LABELS": ["AIM", "RESULTS"], "MESHES": ["Adult", "Female"], "final_decision": "yes"},
        # CommonsenseQA 2.0
        {"question": "Is it?", "answer": "yes", "validations": ["yes", "sensitive"]},
        # HotpotQA
        {"question": "Is it?", "answer": "yes", "supporting_facts": [["Ann", 0], ["Bo", 1]],
         "context": [["Ann", ["She."]], ["Bo", ["He."]]], "type": "comparison"},
        # PrOntoQA, FOLIO
        {"question": "True or false: Ann is cold.", "answer": "False",
         "chain_of_thought": ["Ann is warm.", "Warm is not cold."]},
        {"question": "Ann is cold.", "answer": "True", "premises": ["All are cold.", "Ann is."]},
        {**IN_TEXT, "tags": ["physics", "easy"], "choice_labels": ["a", "b"]},
        {**YES_NO, "said": ["yes", "no"], "votes_by_hand": ["yes", "yes", "unclear"]},
        {**YES_NO, "scores": {"A": 0.5, "B": 0.5}, "rationales": ["since", "so"]},
        {**YES_NO, "ids": ["a1", "b2"], "languages": ["English", "German"], "hops": ["one", "two"]},
    ],
)  # fmt: skip
def test_lists_of_other_things_are_no_choices(row: Row) -> None:
    assert len(to_question_row(row)["choices"]) in (2, 3)


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        (["a", None, "c"], "choice 2 is null; it must be a string"),
        ([None, "b", "c"], "choice 1 is null; it must be a string"),
        ([True, False], "choice 1 is true; it must be a string"),
        ({"label": ["A", None], "text": ["a", "b"]}, "the label of choice 2 is null"),
        ({"label": [0, 1], "text": ["a", "b"]}, 'the labels in "choices" are 0 and 1'),
        (
            [{"label": "A", "text": "a"}, {"label": "B", "text": True}],
            "the text of choice 2 is true; it must be a string",
        ),
        ([{"label": ["A"], "text": "a"}, "b"], 'the label of choice 1 is ["A"]'),
    ],
)
def test_an_error_names_the_choice_that_is_no_text(choices: Any, problem: str) -> None:
    with pytest.raises(RowProblem) as refused:
        question({"question": "Q", "choices": choices, "answer": "A"})
    assert problem in str(refused.value)


@pytest.mark.parametrize("name", ["choices", "options"])
def test_choices_that_are_numbers_are_read_as_their_texts(name: str) -> None:
    read = question({"question": "Q", name: [10, 2.5, 30], "answer": "B"})
    assert [choice.text for choice in read.choices] == ["10", "2.5", "30"]
    assert question({"question": "Q", name: [10, 2.5, 30], "answer": 2.5}).answer == "B"
    assert question({"question": "Q", name: [10, 20, 30], "answer": 20}).answer == "B"
    with pytest.raises(UncertainIndex, match="can be the text of a choice or an index"):
        question({"question": "Q", name: [1, 2, 3], "answer": 2})


NUMBERS_IN_LAYOUTS: list[tuple[str, Any, Any]] = [
    ("choices", ["none", 4, 5, 3], 3),
    ("choices", [1, 2, "None"], 1),
    ("options", [3, 4, 5, "none"], 3),
    ("options", [{"label": "A", "text": 1}, {"label": "B", "text": 2}], 1),
    ("choices", [{"label": "A", "text": "2"}, {"label": "B", "text": 1}], 1),
    ("options", {"A": 10, "B": 20, "C": 1}, 1),
    ("choices", {"A": 10, "B": 20, "C": 1}, 1),
    ("options", [["A", 1], ["B", 2]], 1),
    ("options", [{"text": 1}, {"text": 2}], 1),
    ("choices", {"text": [1, 2, 3], "label": ["A", "B", "C"]}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "choices", "number"), NUMBERS_IN_LAYOUTS)
def test_a_number_beside_choices_that_are_numbers_is_no_plain_index(
    tmp_path: Path, name: str, choices: Any, number: int
) -> None:
    """One choice that is a JSON number suffices, in each layout."""
    row = {"question": "Q?", name: choices, "answer": number}
    with pytest.raises(UncertainIndex, match="can be the text of a choice or an index"):
        question(row, Reading(from_file=True))
    file = write_rows(tmp_path / "q.jsonl", [row])
    read = next(iter(questions(file, reporter=Recorder())))
    assert read.text_of(read.answer or "") == str(number), "no other row shows indices"
    letter = question({**row, "answer": read.answer})
    assert letter.choices == read.choices


def test_a_number_that_is_the_text_of_the_marked_choice_agrees_with_the_mark() -> None:
    options = [{"text": 1, "correct": True}, {"text": 2, "correct": False}]
    read = question({"question": "Q?", "options": options, "answer": 1})
    assert read.answer == "A"


def test_a_number_beside_strings_of_digits_is_an_index() -> None:
    for number in range(4):
        row = {"question": "Q?", "choices": ["3", "2", "1", "0"], "answer": number}
        assert question(row, Reading(from_file=True)).answer == "ABCD"[number]


def test_a_text_that_is_a_number_is_read_beside_its_label() -> None:
    choices = [{"label": "A", "text": 1.5}, {"label": "B", "text": "x", "source": 7}]
    for answer in ("A", 1.5, "1.5"):
        read = question({"question": "Q", "choices": choices, "answer": answer})
        assert (read.answer, read.choices[0].text) == ("A", "1.5")
        assert read.choices[1].extra == {"source": 7}


@pytest.mark.parametrize(
    "row",
    [
        {"choices": {"label": [1, 2], "text": ["a", "b"]}},
        {"choices": [{"label": 1, "text": "a"}, {"label": 2, "text": "b"}]},
        {"options": [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]},
        {"options": {"label": [1, 2], "text": ["a", "b"]}},
    ],
)
def test_labels_that_are_integers_are_read_as_strings(row: Row) -> None:
    assert question({"question": "Q", **row, "answer": "2"}).text_of("2") == "b"
    assert question({"question": "Q", **row, "answer": 2}).answer == "2"
    # the label 1, or the index 1 of the label 2
    with pytest.raises(UncertainIndex, match="can count from 0 or from 1"):
        question({"question": "Q", **row, "answer": 1})


def test_labels_that_are_integers_from_0_are_indices_too() -> None:
    choices = [{"label": 0, "text": "a"}, {"label": 1, "text": "b"}]
    assert question({"question": "Q", "choices": choices, "answer": 1}).answer == "1"
