"""Layouts of public data sets and of tables: those listed in docs/rows.md, and edge cases."""

import json
import time
from typing import Any

import pytest
from conftest import REPOSITORY
from judging import STRICT, question

from scicot.formats import Columns, Reading, UncertainIndex, recognised, to_question_row
from scicot.formats.cells import value_of
from scicot.formats.names import plain_name
from scicot.records import Question
from scicot.row_fields import Row, RowProblem


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
    assert question(row, Reading(answer_index=0, from_file=True)).answer == "ABCD"[number]
    assert question(row, Reading(answer_index=1, from_file=True)).answer == "ABCD"[number - 1]


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
    with pytest.raises(
        UncertainIndex,
        match=r"one more than 1, the last index counted from 0; give --answer-index 1",
    ):
        question(row)
    assert question(row, Reading(answer_index=1, from_file=True)).answer == "B"


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
        question(row, Reading(columns=columns, from_file=True))
    read = question(row, Reading(columns=columns, answer_index=1, from_file=True))
    assert (read.text_of(read.answer or ""), read.context) == ("ab"[answer - 1], "Read.")


def test_an_index_into_no_choices_is_no_row() -> None:
    row = {"question": "Q?", "choices": [], "answer": 0}
    with pytest.raises(RowProblem):
        Question.from_row(to_question_row(row, Reading(from_file=True)))


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
        question(row, Reading(from_file=True, columns=columns))
