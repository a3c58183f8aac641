"""Layouts of public data sets and of tables: those listed in docs/rows.md, and edge cases."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Recorder, write_rows

from scicot.formats import Columns, Reading, Tally, UncertainIndex, recognised, to_question_row
from scicot.formats.cells import value_of
from scicot.formats.names import plain_name
from scicot.records import Question
from scicot.row_fields import Row, RowProblem
from scicot.sources import questions

STRICT = Reading(strict=True)  # as for the rows of a file


def table() -> list[tuple[str, Row, str]]:
    """The layouts of docs/rows.md: name, row, text of the gold answer."""
    page = (REPOSITORY / "docs" / "rows.md").read_text()
    body = page.partition("| layout | a row | gold answer |\n| --- | --- | --- |\n")[2]
    found = []
    for line in body.partition("\n\n")[0].splitlines():
        name, rest = line.strip("| ").split(" | `", 1)
        row, gold = rest.rsplit("` | ", 1)
        found.append((name, json.loads(row), gold))
    return found


def question(row: Row, reading: Reading = STRICT) -> Question:
    return Question.from_row(to_question_row(row, reading))


@pytest.mark.parametrize(("name", "row", "gold"), table(), ids=[name for name, _, _ in table()])
def test_every_layout_of_the_page_is_read(name: str, row: Row, gold: str) -> None:
    before = json.dumps(row)
    read = question(row)
    assert read.answer is not None
    assert read.text_of(read.answer) == gold
    assert read.question.strip()
    assert json.dumps(row) == before, "the given row is left alone"
    assert question(read.to_row()) == read, "what scicot writes, scicot reads alike"
    line = recognised(row, STRICT).line()
    assert line.startswith("question = ")
    assert "answer = " in line


def test_the_page_has_all_layouts() -> None:
    assert len(table()) > 45


# An independent implementation: where the authors of each layout put the gold answer.
INDEPENDENT: dict[str, Any] = {
    "MMLU": lambda row: row["choices"][row["answer"]],
    "MMLU-Pro": lambda row: row["options"][row["answer_index"]],
    "MedQA": lambda row: row["options"][row["answer_idx"]],
    "SciQ": lambda row: row["correct_answer"],
    "GPQA": lambda row: row["Correct Answer"],
    "RACE": lambda row: row["options"]["ABCD".index(row["answer"])],
    "SWAG": lambda row: row[f"ending{row['label']}"],
    "HellaSwag": lambda row: row["endings"][int(row["label"])],
    "αNLI": lambda row: row[f"hyp{row['label']}"],
    "αNLI on the Hub": lambda row: row[f"hypothesis_{row['label']}"],
    "Story Cloze Test": lambda row: row[f"RandomFifthSentenceQuiz{row['AnswerRightEnding']}"],
    "PIQA": lambda row: row[f"sol{row['label'] + 1}"],
    "SocialIQA": lambda row: row[f"answer{'ABC'[int(row['label']) - 1]}"],
    "CosmosQA": lambda row: row[f"answer{row['label']}"],
    "BBQ": lambda row: row[f"ans{row['label']}"],
    "TruthfulQA (its mc1)": lambda row: row["mc1_targets"]["choices"][
        row["mc1_targets"]["labels"].index(1)
    ],
    "BoolQ": lambda row: "yes" if row["answer"] else "no",
    "StrategyQA": lambda row: "yes" if row["answer"] else "no",
    "AQuA-RAT": lambda row: row["options"]["ABCDE".index(row["correct"])][2:],
    "ThoughtSource": lambda row: row["answer"][0],
    "LogiQA": lambda row: row["options"][row["correct_option"]],
    "ReClor": lambda row: row["answers"][row["label"]],
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_gold_answers_are_those_of_an_independent_reading(name: str) -> None:
    [row] = [row for layout, row, _ in table() if layout == name]
    for changed in variants(name, row):
        read = question(changed)
        assert read.text_of(read.answer or "") == INDEPENDENT[name](changed)


def variants(name: str, row: Row) -> list[Row]:
    """The row with each of the gold answers that its layout can have."""
    values: dict[str, list[Row]] = {
        "MMLU": [{"answer": n} for n in (0, 1)],
        "MMLU-Pro": [{"answer": "ABC"[n], "answer_index": n} for n in (0, 1, 2)],
        "RACE": [{"answer": own} for own in "AB"],
        "SWAG": [{"label": n} for n in (0, 1)],
        "HellaSwag": [{"label": own} for own in "01"],
        "αNLI": [{"label": label} for label in (1, 2, "1", "2")],
        "αNLI on the Hub": [{"label": label} for label in (1, 2, "1", "2")],
        "Story Cloze Test": [{"AnswerRightEnding": number} for number in (1, 2, "1", "2")],
        "PIQA": [{"label": n} for n in (0, 1)],
        "SocialIQA": [{"label": own} for own in "123"],
        "CosmosQA": [{"label": n} for n in (0, 1)],
        "BBQ": [{"label": n} for n in (0, 1, 2)],
        "BoolQ": [{"answer": own} for own in (True, False)],
        "StrategyQA": [{"answer": own} for own in (True, False)],
        "AQuA-RAT": [{"correct": own} for own in "ABC"],
        "LogiQA": [{"correct_option": n} for n in (0, 1)],
        "ReClor": [{"label": n} for n in (0, 1)],
    }
    return [{**row, **own} for own in values.get(name, [{}])]


@pytest.mark.parametrize("field", ["article", "passage", "support", "premise", "context"])
def test_the_text_that_a_question_is_about_is_its_context(field: str) -> None:
    row = {"question": "Which?", "options": ["a", "b"], "answer": "A", field: "Read this."}
    read = question(row)
    assert (read.context, read.extra) == ("Read this.", {})


def test_the_sentences_of_a_story_are_its_context() -> None:
    row = {"obs1": "One.", "obs2": "Three.", "hyp1": "Two.", "hyp2": "Four.", "label": 3}
    with pytest.raises(RowProblem, match="3"):
        question(row)
    read = question({**row, "label": 1})
    assert (read.context, read.question) == ("One. ... Three.", "What happened in between?")
    with pytest.raises(RowProblem, match=r'"obs2" is missing or empty \(αNLI\)'):
        question({**row, "obs2": ""})


def test_sentences_of_swag_stand_before_its_question() -> None:
    row = {"sent1": "One.", "sent2": "Two.", "question": "Which?", "ending0": "a", "ending1": "b"}
    assert question(row).context == "One. Two."
    bare = {name: text for name, text in row.items() if name != "question"}
    assert (question(bare).context, question(bare).question) == ("One.", "Two.")


def test_the_order_of_right_and_wrong_answers_is_by_chance_and_stays() -> None:
    places = []
    for number in range(200):
        row = {"question": f"Q{number}", "correct_answer": "right",
               "distractor1": "x", "distractor2": "y", "distractor3": "z"}  # fmt: skip
        read = question(row)
        assert question(row) == read
        places.append(read.answer or "")
        assert sorted(choice.text for choice in read.choices) == ["right", "x", "y", "z"]
    assert all(30 <= places.count(label) <= 70 for label in "ABCD")
    assert recognised(row, STRICT).line().endswith("the same in each run")


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
        ({"q": "Q", "r": right, "w": wrong}, Reading(strict=True, columns=columns)),
    ):
        read = question(row, reading)
        assert {choice.text for choice in read.choices} == texts
        assert read.answer is not None
        assert read.text_of(read.answer) == right


def test_a_distractor_is_not_parted_at_its_marks() -> None:
    row = {"question": "Q", "correct_answer": "a; b", "distractor1": "c; d", "distractor2": "e|f"}
    assert {choice.text for choice in question(row).choices} == {"a; b", "c; d", "e|f"}
    together = {"question": "Q", "Correct Answer": "a", "Incorrect Answers": "b; c"}
    assert {choice.text for choice in question(together).choices} == {"a", "b", "c"}


COLUMNS = {"question": "Which?", "A": "wood", "B": "copper", "C": "wax", "D": "glass"}


@pytest.mark.parametrize("answer", ["1", "2", "3", 1, 2, 3])
def test_an_index_of_a_table_that_can_count_from_0_or_1_is_not_guessed(answer: Any) -> None:
    row = {**COLUMNS, "answer": answer}
    with pytest.raises(UncertainIndex, match=r"give --answer-index 0 .* or --answer-index 1"):
        question(row)
    number = int(answer)
    assert question(row, Reading(answer_index=0, strict=True)).answer == "ABCD"[number]
    assert question(row, Reading(answer_index=1, strict=True)).answer == "ABCD"[number - 1]


def test_an_index_that_can_only_be_one_choice_is_read() -> None:
    assert question({**COLUMNS, "answer": "0"}).answer == "A"
    assert question({**COLUMNS, "answer": "4"}).answer == "D"
    with pytest.raises(RowProblem, match="neither a label nor"):
        question({**COLUMNS, "answer": "5"})


def test_a_second_field_settles_an_index() -> None:
    assert question({**COLUMNS, "answer": "2", "correct_answer": "copper"}).answer == "B"
    with pytest.raises(RowProblem, match="two gold answers"):
        question({**COLUMNS, "answer": "copper", "answer_idx": "A"})


def test_an_index_past_the_end_of_a_list_names_the_option() -> None:
    row = {"question": "Which?", "choices": ["a", "b"], "answer": 2}
    with pytest.raises(UncertainIndex, match=r"past the last index from 0, 1; .*--answer-index"):
        question(row)
    assert question(row, Reading(answer_index=1, strict=True)).answer == "B"


def test_several_right_answers_are_refused() -> None:
    row = {"question": "Q", "mc1_targets": {"choices": ["a", "b"], "labels": [1, 1]}}
    with pytest.raises(RowProblem, match="marks 2 choices as right"):
        question(row)


@pytest.mark.parametrize("name", ["label", "key", "target", "solution"])
def test_a_name_that_can_mean_other_things_is_no_gold_answer(name: str) -> None:
    read = question({**COLUMNS, name: "B"})
    assert (read.answer, read.extra[name]) == (None, "B")


@pytest.mark.parametrize(
    ("row", "option"),
    [
        ({"Aufg": "Was leitet den Strom?", "W1": "a", "W2": "b", "Lsg": "a", "Sol": "a"},
         "--columns question=Aufg,choices=W1+W2,answer=Sol"),
        ({"q": {"text": "Which?"}, "opts": [1, 2], "gold": {"label": "B"}},
         "--columns question=q.text,choices=opts,answer=gold.label"),
        ({"The text": "Which is it?", "x y": 1}, "--columns 'question=The text,choices=FIELD+"),
    ],
)  # fmt: skip
def test_an_unread_row_is_shown_the_option_that_would_read_it(row: Row, option: str) -> None:
    with pytest.raises(RowProblem) as refused:
        question(row)
    assert option in str(refused.value)
    assert json.dumps(next(iter(row))) in str(refused.value)


@pytest.mark.parametrize(
    "cell",
    ["['a', 'b']", "['a' 'b']", '["a" \'b\']', "a|b", " a ; b ", "a\nb", "A) a B) b",
     "A. a\nB. b", "a ) a , b ) b", "{'A': 'a', 'B': 'b'}",
     "{'text': array(['a', 'b'], dtype=object), 'label': array(['A', 'B'], dtype=object)}"],
)  # fmt: skip
def test_lists_in_a_cell(cell: str) -> None:
    read = question({"question": "Which?", "choices": cell, "answer": "B"})
    assert [choice.text for choice in read.choices] == ["a", "b"]
    assert (read.answer or "").upper() == "B"


@pytest.mark.parametrize("cell", ["['a', 'b'", "[__import__('os')]", "['a', b]", "[" * 50, "a, b"])
def test_a_cell_that_is_no_list_is_one_line(cell: str) -> None:
    with pytest.raises(RowProblem, match='the column "choices"') as refused:
        question({"question": "Which?", "choices": cell, "answer": "a"})
    assert "\n" not in str(refused.value)


def test_the_right_answer_of_truthfulqa_is_not_always_the_first() -> None:
    targets = {"choices": ["right", "wrong", "other"], "labels": [1, 0, 0]}
    read = [question({"question": f"Q{n}?", "mc1_targets": targets}) for n in range(30)]
    assert {question_read.answer for question_read in read} == {"A", "B", "C"}
    assert all(
        question_read.text_of(question_read.answer or "") == "right" for question_read in read
    )


def test_rows_of_a_log_keep_the_order_that_its_task_used() -> None:
    ordered = Reading(ordered=True)
    targets = {"choices": ["right", "wrong", "other"], "labels": [1, 0, 0]}
    for n in range(9):
        row = {"question": f"Q{n}?", "mc1_targets": targets}
        assert question(row, ordered).answer == "A"
    for other_row in ({"question": "Q?", "answer": True}, {"question": "Q?", "correct_answer": "a",
                                                       "distractor1": "b"}):  # fmt: skip
        with pytest.raises(RowProblem, match="not a question row"):
            question(other_row, ordered)


@pytest.mark.parametrize("answer", [1, 2])
def test_numbers_beside_mapped_columns_are_not_guessed(answer: int) -> None:
    columns = Columns.parse("question=F,choices=W1+W2+W3,answer=L")
    row = {"F": "Q?", "W1": "a", "W2": "b", "W3": "c", "L": answer, "passage": "Read."}
    with pytest.raises(UncertainIndex):
        question(row, Reading(columns=columns, strict=True))
    read = question(row, Reading(columns=columns, answer_index=1, strict=True))
    assert (read.text_of(read.answer or ""), read.context) == ("ab"[answer - 1], "Read.")


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


def test_an_index_into_no_choices_is_no_row() -> None:
    row = {"question": "Q?", "choices": [], "answer": 0}
    with pytest.raises(RowProblem):
        Question.from_row(to_question_row(row, Reading(strict=True)))


def test_strings_of_a_list_in_a_cell() -> None:
    assert value_of("['a\rb', 'c\\n']") == ["a\rb", "c\n"]
    for cell in (r"['\x', 'b']", r"['\N{nothing}', 'b']"):  # escapes that Python rejects
        with pytest.raises(ValueError, match="no string"):
            value_of(cell)


def test_a_long_name_of_blanks_is_read_at_once() -> None:
    began = time.process_time()
    assert plain_name(f"answer{' ' * 60_000}x") == "answerx"
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    ["Which?\nOptions:\n" + "- a\n" * 20_000, "Options: " * 20_000, "(A) a or " + " " * 50_000],
    ids=["bullets", "lead-ins", "blanks"],
)
def test_long_texts_are_read_in_linear_time(text: str) -> None:
    start = time.process_time()
    with pytest.raises(RowProblem):
        question({"question": text, "answer": "A"})
    assert time.process_time() - start < 5, "seconds; 0.1 here, minutes if it were quadratic"


def test_choices_without_a_mark_are_answered_by_another_field() -> None:
    choices = {"text": ["wood", "copper"], "label": [0, 0]}
    row = {"question": "Which conducts?", "mc1_targets": choices, "answer": "copper"}
    marked = {"choices": ["wood", "copper"], "labels": [0, 0]}
    assert question({**row, "mc1_targets": marked}).answer == "B"


def test_a_mark_and_another_gold_answer_are_refused() -> None:
    marked = {"choices": ["wood", "copper"], "labels": [1, 0]}
    row = {"question": "Which conducts?", "mc1_targets": marked, "answer": "copper"}
    with pytest.raises(RowProblem, match="two gold answers"):
        question(row)


def test_a_decision_that_is_a_number_is_no_yes_or_no() -> None:
    with pytest.raises(RowProblem, match="not a question row"):
        question({"question": "Does copper conduct?", "final_decision": 5})


def test_a_reversed_range_of_columns_is_told() -> None:
    row = {"q": "Which?", "A": "wood", "B": "copper", "gold": "B"}
    columns = Columns.parse("question=q,choices=B-A,answer=gold")
    with pytest.raises(RowProblem, match='no field "B-A"'):
        question(row, Reading(strict=True, columns=columns))


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
    with pytest.raises(RowProblem, match=r"other letters stand before|neither a label"):
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
    with pytest.raises(RowProblem, match="other letters stand before"):
        question(row, Reading(strict=True, columns=columns))
    assert question({**row, "a": "C"}, Reading(strict=True, columns=columns)).answer == "C"


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
        with pytest.raises(UncertainIndex, match=r"stands before the text .* --answer-index 0"):
            question(row, reading)
    assert question(row, Reading(answer_index=1, strict=True)).answer == "A"
    assert question({**row, "answer": 0}).answer == "A"
    # another row of the file has an answer 0, so indices count from 0
    assert question(row, Reading(strict=True, tallies={"answer": Tally(zeros=1)})).answer == "B"


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
        question(row, Reading(strict=True))
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
        assert question(row, Reading(strict=True)).answer == "ABCD"[number]


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
