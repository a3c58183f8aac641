"""Letters and numbers that are printed before the texts of choices."""

from typing import Any

import pytest
from judging import STRICT, question

from scicot.formats import Columns, Evidence, Reading, UncertainIndex
from scicot.formats.reading import Tally
from scicot.row_fields import Row, RowProblem


@pytest.mark.parametrize(
    ("right", "wrong", "texts"),
    [
        ("B) c", ["A) a", "C) b", "D) d"], {"B) c", "A) a", "C) b", "D) d"}),
        ("B) c", "A) a|C) b|D) d", {"B) c", "A) a", "C) b", "D) d"}),
        ("C) c", ["A) a", "B) b"], {"C) c", "A) a", "B) b"}),
        ("C) c", "A) a|B) b", {"C) c", "A) a", "B) b"}),
        ("c", ["B) a", "A) b"], {"c", "B) a", "A) b"}),
        ("c", ["A) a", "B) b"], {"c", "a", "b"}),
    ],
)
def test_distractors_have_printed_letters_if_the_right_answer_has_one(
    right: str, wrong: Any, texts: set[str]
) -> None:
    columns = Columns.parse("question=q,distractors=w,answer=r")
    for row, reading in (
        ({"question": "Q", "correct_answer": right, "incorrect_answers": wrong}, STRICT),
        ({"q": "Q", "r": right, "w": wrong}, Reading(from_file=True, columns=columns)),
    ):
        read = question(row, reading)
        assert {choice.text for choice in read.choices} == texts
        assert read.answer is not None
        assert read.text_of(read.answer) == right


@pytest.mark.parametrize(
    ("options", "answer", "gold"),
    [
        (["(B)x", "(A)y"], "A", "y"),
        (["A) x", "C) y", "D) z"], "C", "y"),
        (["A) x", "C) y", "D) z"], "C) y", "y"),
        (["A) x", "C) y", "D) z"], 1, "y"),
        ("A) x; C) y; D) z", "C", "y"),
        ("B) x\nA) y", "A", "y"),
        ("a ) 38 , b ) 27 , d ) 5", "d", "5"),
        (["E. coli", "B. cereus", "C. difficile"], "A", "E. coli"),
        (["B. cereus", "E. coli", "S. aureus"], "B", "E. coli"),
        (["(R)-butanol", "(S)-butanol"], "A", "(R)-butanol"),
        (["(S) butanol", "(R) butanol"], "A", "(S) butanol"),
        (["E. coli", "B. cereus", "C. difficile", "A. baumannii"], "A", "E. coli"),
        (["C. albicans", "A. fumigatus", "B. dermatitidis"], "A", "C. albicans"),
        (["A. thaliana", "D. melanogaster", "C. elegans"], "B", "D. melanogaster"),
        (["C: major", "A: minor", "B: flat"], "A", "C: major"),
        (["B. Russell", "A. Einstein"], "B. Russell", "B. Russell"),
        (["B. Russell", "A. Einstein"], "A", "B. Russell"),
        (["A. wood", "B. copper"], "B", "copper"),
        (["(b) only", "(a) and (c)"], "A", "(b) only"),
        (["(a) and (b)", "(b) and (c)", "(a) holds", "(c) holds"], "C", "(a) holds"),
        (["(a) holds", "(b) holds", "(b) fails", "(a) fails"], "C", "(b) fails"),
        (["[B] > [A]", "[A] > [B]"], "A", "[B] > [A]"),
        (["(B)-5", "(A)-7"], "A", "(B)-5"),
        (["(B) -5", "(A) -7"], "A", "-7"),
        (["(B) f(x) = (x + y)", "(A) f(y)"], "A", "f(y)"),
        (["(B) → (A) → (C)", "(A) → (B) → (C)", "(C) → (A) → (B)"], "A", "(B) → (A) → (C)"),
        (["(b)→(a)", "(a)→(b)"], "A", "(b)→(a)"),
        (["(A) → (B) → (C)", "(B) → (A) → (C)"], "A", "(A) → (B) → (C)"),
        (["(A)-(B)", "(B)-(A)"], "B", "(B)-(A)"),
        (["(A)-5", "(B) -> x"], "A", "-5"),
        (["(B)-(A)-(C)", "(A)-(C)-(B)", "(C)-(B)-(A)"], "A", "(B)-(A)-(C)"),
        (["(B) – A", "(A) – B"], "A", "(B) – A"),
        (["(B); A", "(A); B"], "A", "(B); A"),
        (["B) A) C)", "A) B) C)", "C) A) B)"], "A", "B) A) C)"),
        (["(b) false, (a) true", "(a) false, (b) true"], "A", "(b) false, (a) true"),
    ],
)
def test_letters_printed_in_the_choices_are_their_labels(
    options: Any, answer: Any, gold: str
) -> None:
    read = question({"question": "Q", "options": options, "answer": answer})
    assert read.answer is not None
    assert read.text_of(read.answer) == gold


@pytest.mark.parametrize(
    "row",
    [
        {"options": ["A) x", "C) y", "D) z"], "answer": "B"},
        {"options": ["B) x", "A) y", "z"], "answer": "A"},
        {"options": ["z", "B) x", "A) y"], "answer": "A"},
        {"A": "B) x", "B": "A) y", "answer": "A"},
        {"options": "A. x; C. y; D. z", "answer": "C"},
        {"options": ["A. x", "C. y", "D. z"], "answer": "B"},
    ],
)
def test_an_answer_that_contradicts_the_printed_letters_is_refused(row: Row) -> None:
    with pytest.raises(RowProblem, match=r"letters printed in the texts .* differ|neither a label"):
        question({"question": "Q", **row})


@pytest.mark.parametrize(
    ("row", "gold"),
    [
        ({"choices": ["A) A. Einstein", "B) B. Bohr", "C) E. Fermi"], "answer": "C"}, "E. Fermi"),
        ({"options": ["(A)A. Einstein", "(B)B. Bohr", "(C)E. Fermi"], "answer": "C"}, "E. Fermi"),
        ({"options": "A) A. Bell | B) B. Bohr | C) E. Fermi", "answer": "C"}, "E. Fermi"),
        ({"choices": ["A) (B) form", "B) (A) form", "C) (D) form"], "answer": "B"}, "(A) form"),
        ({"A": "A. Einstein", "B": "D. Hilbert", "C": "E. Fermi", "answer": "B"}, "D. Hilbert"),
        (
            {"choices": ["A. Bell", "D. Hilbert", "E. Fermi"], "answer": "B) D. Hilbert"},
            "D. Hilbert",
        ),
    ],
)
def test_initials_behind_labels_contradict_nothing(row: Row, gold: str) -> None:
    read = question({"question": "Q", **row})
    assert read.text_of(read.answer or "") == gold


def test_an_answer_that_contradicts_letters_printed_in_mapped_columns_is_refused() -> None:
    columns = Columns.parse("question=q,choices=c1+c2+c3,answer=a")
    row = {"q": "Q", "c1": "B) w", "c2": "A) x", "c3": "C) y", "a": "A"}
    with pytest.raises(RowProblem, match=r"letters printed in the texts .* differ"):
        question(row, Reading(from_file=True, columns=columns))
    assert question({**row, "a": "C"}, Reading(from_file=True, columns=columns)).answer == "C"


def test_a_choice_without_text_is_told_before_printed_letters() -> None:
    with pytest.raises(RowProblem, match='choice 3 has no "text"'):
        question({"question": "Q", "choices": ["A) wood", "C) x", ""], "answer": "C"})


def test_initials_in_columns_are_no_labels() -> None:
    read = question({"question": "Q", "A": "B. Russell", "B": "A. Einstein", "answer": "A"})
    assert read.answer is not None
    assert read.text_of(read.answer) == "B. Russell"


def test_a_second_field_settles_an_answer_that_contradicts_the_printed_letters() -> None:
    row = {"question": "Q", "options": ["B) x", "A) y", "z"], "answer": "A", "answer_index": 1}
    assert question(row).answer == "B"


def test_an_index_that_is_printed_before_another_choice_is_refused() -> None:
    row = {"question": "Q", "options": ["1. x", "2. y"], "answer": 1}
    for reading in (STRICT, Reading()):
        with pytest.raises(
            UncertainIndex, match=r"text of another choice begins .* --answer-index 0"
        ):
            question(row, reading)
    assert question(row, Reading(answer_index=1, from_file=True)).answer == "A"
    assert question({**row, "answer": 0}).answer == "A"
    # another row of the file has an answer 0, so indices count from 0
    evidence = Evidence("complete", {"answer": Tally(zeros=1)})
    assert question(row, Reading(from_file=True, evidence=evidence)).answer == "B"


@pytest.mark.parametrize(
    "marks", [("A.", "B.", "D."), ("(A)", "(B)", "(D)"), ("(a)", "(b)", "(d)")]
)
def test_a_label_that_is_missing_among_lines_hides_no_choice(marks: tuple[str, ...]) -> None:
    first, second, third = marks
    text = f"Which?\n{first} wood\n{second} tin\n{third} wax"
    read = question({"question": text, "answer": third})
    assert [choice.text for choice in read.choices] == ["wood", "tin", "wax"]
    assert read.answer == third.strip("(.)")


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("Which? (A) wood (B) tin\n(D) wax", ["wood", "tin\n(D) wax"]),
        ("Which?\n(A) wood\n(B) tin (C) wax\n(D) ash", ["wood", "tin", "wax", "ash"]),
        ("A. wood\nB. tin\nD. wax\nWhich? (A) A only (B) B only", ["A only", "B only"]),
    ],
)
def test_labels_in_brackets_within_a_line_are_read(text: str, choices: list[str]) -> None:
    read = question({"question": text, "answer": "B"})
    assert [choice.text for choice in read.choices] == choices


def test_a_label_that_comes_later_is_not_missing() -> None:
    text = "Which?\nA. wood\nB. tin\nD. is no label yet\nC. wax\nD. ash"
    read = question({"question": text, "answer": "D"})
    assert [choice.label for choice in read.choices] == list("ABCD")
