"""Gold answers that are the label of one choice and the text of another."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, lines
from small_tables import golds

from scicot import ReadingSettings, ScicotError, check
from scicot.errors import InvalidRow
from scicot.formats import Reading, to_question_row
from scicot.row_fields import RowProblem


def test_a_number_that_is_a_label_and_another_text_is_refused() -> None:
    labelled = [{"label": n, "text": text} for n, text in ((1, 4), (2, 1), (3, 3), (4, 2))]
    row = {"question": "Q?", "choices": labelled, "answer": 4}
    with pytest.raises(RowProblem, match="the label of one choice and the text of another"):
        to_question_row(row, Reading(from_file=True))


SUMS = "What is 7 + 5?,10,11,12,12\nSides of a triangle?,3,4,5,3\n"


BLOOD = "Both antigens?,A,0,AB,B,AB\nOnly antigen A?,B,A,AB,0,A\nUniversal donor?,AB,A,0,B,0\n"


@pytest.mark.parametrize("prefix", ["option", "choice", "opt", "Answer ", "Antwort "])
def test_answers_of_a_file_of_texts_are_texts_even_if_they_are_labels(
    write: Any, prefix: str
) -> None:
    header = "question," + ",".join(f"{prefix}{n}" for n in (1, 2, 3)) + ",answer\n"
    assert golds(write(header + SUMS)) == ["12", "3"]
    assert golds(write("question,A,B,C,D,answer\n" + BLOOD)) == ["AB", "A", "0"]
    only_short = "question,A,B,C,D,answer\n" + "".join(BLOOD.splitlines(keepends=True)[1:])
    assert golds(write(only_short)) == ["A", "0"], "a 0 that is a text is no letter"


@pytest.mark.parametrize("number", [int, str])
def test_the_same_table_is_read_the_same_from_json_and_csv(number: Any, write: Any) -> None:
    rows = [
        {"question": q, "option1": number(a), "option2": number(b), "answer": number(answer)}
        for q, a, b, answer in (("7 + 5?", 10, 12, 12), ("3 - 2?", 2, 1, 1))
    ]
    assert golds(write(lines(*rows))) == ["12", "1"]
    labels = [{**rows[1], "answer": number(1)}, {**rows[0], "answer": number(2)}]
    assert golds(write(lines(*labels))) == ["2", "12"], "the 2 is no text of its row"


def test_answers_of_a_file_of_labels_are_labels_even_if_they_are_texts(write: Any) -> None:
    table = "question,A,B,C,answer\nOnly antigen A?,B,A,AB,B\nWhich barks?,ant,bee,dog,C\n"
    assert golds(write(table)) == ["A", "dog"]
    numbered = "question,opt1,opt2,opt3,answer\nSides?,3,4,5,1\nMoons?,2,1,0,2\n"
    assert golds(write(numbered)) == ["3", "1"]
    mapped = "question,W1,W2,W3,answer\nOnly antigen A?,B,A,AB,B\nWhich barks?,ant,bee,dog,C\n"
    assert golds(write(mapped), columns="choices=W1+W2+W3") == ["A", "dog"]
    assert golds(write(mapped.replace(",C\n", ",dog\n")), columns="choices=W1+W2+W3") == [
        *("B", "dog")
    ]


def test_a_label_that_is_another_text_is_refused_if_the_file_does_not_show_which(
    write: Any,
) -> None:
    file = write("question,option1,option2,option3,answer\nSides?,3,4,5,3\n")
    with pytest.raises(
        InvalidRow,
        match=r"'3', the label of one choice and the text of another \(choice '3' by its label,"
        r" choice '1' by its text\), and no other answer of the file shows .* --answer-texts if the"
        r" answers are texts, or --answer-labels if they are labels",
    ):
        golds(file)
    assert golds(file, answer_texts=False) == ["5"]
    assert golds(file, answer_texts=True) == ["3"]


@pytest.mark.parametrize(
    "others",
    ["X?,ant,bee,cow,cow\nY?,ant,bee,cow,3\n", "X?,ant,bee,cow,1\n", "X?,ant,bee,cow,cow\n" * 2],
)
def test_one_label_in_a_file_shows_that_its_answers_are_labels(write: Any, others: str) -> None:
    file = write("question,option1,option2,option3,answer\nSides?,3,4,5,3\n" + others)
    has_label = others[-2] in "13"
    assert golds(file)[0] == ("5" if has_label else "3")


VITAMIN = {"question": "Vitamin?", "answer": "C"}


VITAMINS = {"A": "A", "B": "C", "C": "D"}


@pytest.mark.parametrize(
    "choices",
    [
        VITAMINS,
        [{"key": label, "value": text} for label, text in VITAMINS.items()],
        [[label, text] for label, text in VITAMINS.items()],
    ],
)
def test_labels_that_the_row_writes_are_labels_unless_the_other_answers_are_texts(
    write: Any, choices: Any
) -> None:
    row = {**VITAMIN, "options": choices}
    assert golds(write(lines(row))) == ["D"]
    text = {"question": "Beast?", "options": ["ant", "bee"], "answer": "bee"}
    assert golds(write(lines(row, text))) == ["C", "bee"]
    with pytest.raises(InvalidRow, match="--answer-labels"):
        golds(write(lines({**VITAMIN, "options": list(VITAMINS.values())})))


def test_answer_labels_changes_no_index(write: Any) -> None:
    vitamin = {**VITAMIN, "choices": ["A", "C", "D"]}
    beast = {"question": "Beast?", "choices": ["ant", "bee", "cow"], "answer": 1}
    row = {**beast, "question": "Another?", "answer": "bee"}
    assert golds(write(lines(vitamin, row, beast)), answer_texts=False) == ["D", "bee", "bee"]
    both = {"answer_texts": False, "answer_index": 1}
    assert golds(write(lines(vitamin, row, beast)), **both) == ["D", "bee", "ant"]


def test_an_integer_is_an_index_also_with_answer_labels(write: Any) -> None:
    """Read as a label, the 1 would be 4 although the 0 shows that the file counts from 0."""
    row = {"question": "Q?", "option1": 4, "option2": 1, "option3": 9, "answer": 1}
    letters = {"question": "R?", "option1": "a", "option2": "b", "option3": "c"}
    for other, right in ((0, "1"), (3, "4")):
        file = write(lines(row, {**letters, "answer": other}))
        assert golds(file, answer_texts=False)[0] == right
    with pytest.raises(ScicotError, match="from 0 or from 1; give --answer-index 0"):
        golds(write(lines(row)), answer_texts=False)
    assert golds(write(lines({**row, "answer": "1"})), answer_texts=False) == ["4"]


@pytest.mark.parametrize("answer_index", [0, 1])
def test_answer_index_leaves_a_text_a_text(write: Any, answer_index: Any) -> None:
    table = "question,A,B,C,answer\nWhich barks?,ant,bee,dog,dog\nVitamin?,A,C,D,C\n"
    assert golds(write(table), answer_index=answer_index) == ["dog", "C"]
    more = table + "Another?,ant,bee,dog,1\n"
    assert golds(write(more), answer_index=answer_index)[1] == "D", "the 1 is an index"


def test_rows_of_a_pipe_are_read_as_the_rows_before_them_show(scicot: Any) -> None:
    vitamin = {**VITAMIN, "choices": ["A", "C", "D"]}
    label = {"question": "Beast?", "choices": ["ant", "bee", "cow"], "answer": "B"}
    outcome = scicot("check", "-", stdin=lines(label, vitamin))
    assert outcome.code == 0
    assert "C  D  <- right" in outcome.stdout
    for other in (label, {**label, "answer": "bee"}):
        refused = scicot("check", "-", stdin=lines(vitamin, other))
        assert refused.code == 1, "a later answer may be a label or a text"
    refused = scicot("check", "-", stdin=lines({**label, "answer": "bee"}, vitamin))
    assert refused.code == 1, "texts so far do not show that no later answer is a label"
    assert "pipes cannot be read ahead, so give a file, or add --answer-texts" in refused.stderr
    assert scicot("check", "-", "--answer-labels", stdin=lines(vitamin, label)).code == 0
    written = {**VITAMIN, "options": VITAMINS}
    assert scicot("check", "-", stdin=lines(written)).code == 1, "a later answer may be a text"
    columns = [{"question": "Q?", "A": "7", "B": "8", "gold": "A"}]
    columns += [{"question": "R?", "A": "B", "B": "9", "gold": "B"}]
    mapped = scicot("check", "-", "--columns", "choices=A+B,answer=gold", stdin=lines(*columns))
    assert mapped.code == 0
    assert "B  9  <- right" in mapped.stdout


@pytest.mark.parametrize(
    ("in_file", "given", "right"),
    [
        ("answer-texts: true", ["--answer-index", "0"], "ant"),
        ("answer-texts: true", ["--answer-index", "1", "--answer-labels"], "2"),
        ("answer-index: 0", ["--answer-texts"], "1"),
        ("answer-texts: true", ["--answer-labels"], "2"),
        ("answer-texts: false", ["--answer-texts"], "1"),
        ("answer-texts: false\nanswer-index: 0", [], "ant"),
    ],
)
def test_the_command_line_overrides_how_the_settings_file_reads_answers(
    scicot: Any, tmp_path: Path, in_file: str, given: list[str], right: str
) -> None:
    row = {"question": "Q?", "option1": "2", "option2": "ant", "option3": "1", "answer": "1"}
    file, settings = tmp_path / "q.jsonl", tmp_path / "c.yaml"
    file.write_text(lines(row))
    settings.write_text(in_file + "\n")
    outcome = scicot("check", file, "--config", settings, *given)
    assert outcome.code == 0, outcome.stderr
    assert f"  {right}  <- right" in outcome.stdout
    both = scicot("check", file, "--answer-texts", "--answer-index", "0")
    assert both.code == 2
    assert "--answer-texts and --answer-index 0: give only one;" in both.stderr


def test_answer_labels_in_a_settings_file_is_written_as_answer_texts_false(
    scicot: Any, tmp_path: Path
) -> None:
    settings = tmp_path / "c.yaml"
    settings.write_text("answer-labels: true\n")
    outcome = scicot("check", "q.jsonl", "--config", settings)
    assert outcome.code == 2
    assert "write answer-texts: false" in outcome.stderr


def test_the_user_can_say_that_answers_are_texts(write: Any) -> None:
    table = "question,option1,option2,option3,answer\nSides?,3,4,5,3\nArms?,4,2,1,2\n"
    assert golds(write(table), answer_texts=True) == ["3", "2"]
    numbers = {"question": "Q?", "choices": [1, 2.0, 3], "answer": 2}
    assert golds(write(lines(numbers)), answer_texts=True) == ["2.0"]
    with pytest.raises(InvalidRow, match=r"'B', not the text of a choice; .* --answer-texts"):
        golds(write(lines({**numbers, "answer": "B"})), answer_texts=True)
    with pytest.raises(ScicotError, match="--answer-texts and --answer-index 1: give only one;"):
        ReadingSettings(answer_index=1, answer_texts=True)


@pytest.mark.parametrize(
    "row",
    [
        {"question": "Q?", "choices": [{"label": "A", "text": "B"}, {"label": "B", "text": "A"}]},
        {"question": "Q?", "choices": {"text": ["B", "A"], "label": ["A", "B"]}},
        {"article": "T", "question": "Q?", "options": ["B", "A"]},
        {"input": "Q?", "choices": ["B", "A"]},
        {"question": "Q?", "options": ["B", "A"], "answer_idx": "A"},
    ],
)
@pytest.mark.parametrize("settings", [{}, {"answer_texts": True}])
def test_layouts_define_that_the_answer_is_a_label(write: Any, row: Any, settings: Any) -> None:
    gold = {"choices": "answerKey"} if isinstance(row.get("choices"), dict) else {}
    name = "target" if "input" in row else gold.get("choices", "answer")
    row = row if "answer_idx" in row else {**row, name: "A"}
    assert golds(write(lines(row)), **settings) == ["B"]


def test_check_says_it_if_a_file_has_answers_of_several_kinds(write: Any) -> None:
    table = "question,A,B,C,answer\nQ?,ant,bee,cow,B\nR?,ant,bee,cow,cow\n"
    (line,) = check(write(table), reporter=Recorder()).read_as
    assert line.endswith("answer = answer (labels and texts)")


def test_a_marked_choice_decides_between_a_label_and_a_text(write: Any) -> None:
    options = [{"text": text, "correct": text == "A"} for text in ("B", "A", "AB")]
    row = {"question": "Q?", "options": options}
    assert golds(write(lines({**row, "answer": "A"}))) == ["A"]
    assert golds(write(lines({**row, "answer": "B"}))) == ["A"]
    wrong = [{**option, "correct": option["text"] == "AB"} for option in options]
    with pytest.raises(InvalidRow, match="has two gold answers"):
        golds(write(lines({**row, "options": wrong, "answer": "B"})))


@pytest.mark.parametrize("name", ["answer", "answerKey"])
def test_a_marked_choice_of_a_row_with_labels_must_be_the_gold_answer(
    write: Any, name: str
) -> None:
    choices = [
        {"label": label, "text": text, "isCorrect": label == "A"}
        for label, text in (("A", "wood"), ("B", "copper"))
    ]
    row = {"question": "Q?", "choices": choices}
    assert golds(write(lines({**row, name: "A"}))) == ["wood"]
    assert golds(write(lines({**row, name: -1}))) == ["wood"], "the gold field is hidden"
    with pytest.raises(InvalidRow, match=r"two gold answers: .* 'B', and choice 'A' is marked"):
        golds(write(lines({**row, name: "B"})))
    assert golds(write(lines({**row, "key": "B"})), columns="answer=key") == ["copper"]
