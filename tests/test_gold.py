"""One rule reads gold answers, in every format and in several fields of a row."""

import json
from typing import Any

import pytest
from conftest import REPOSITORY, Recorder, lines, write_rows
from hypothesis import given
from hypothesis import strategies as st

from scicot import evaluate
from scicot.errors import InvalidRow, ScicotError
from scicot.formats import to_question_row
from scicot.formats.gold import agreed
from scicot.formats.meaning import Meaning
from scicot.records import Question
from scicot.row_fields import Row, RowProblem
from scicot.sources import questions

# "C" is the label of one choice and the text of another.
GASES = ["C", "NO2", "O2", "CO"]
SEAGULL, NFD_SEAGULL = "M\u00f6we", "Mo\u0308we"
METALS = ["zinc", "tin", "zinc"]


def forms(texts: list[str], labels: str = "ABCDEFGH") -> dict[str, Row]:
    """Return a question with the choices `texts` in every format, by the format's name. The formats
    that store labels get those of `labels`."""
    pairs = list(zip(labels, texts, strict=False))
    choices = [{"label": label, "text": text} for label, text in pairs]
    flat = {"label": list(labels[: len(texts)]), "text": texts}
    return {
        "own": {"question": "Q?", "choices": choices},
        "nested": {"question": {"stem": "Q?", "choices": choices}},
        "flat": {"question": "Q?", "choices": flat},
        "plain": {"question": "Q?", "choices": texts},
        "scienceqa": {"question": "Q?", "choices": texts, "hint": "", "image": None},
        "columns": {"question": "Q?", **dict(pairs)},
        "json cell": {"question": "Q?", "choices": json.dumps(texts)},
        "arc csv": {"question": "Q? " + " ".join(f"({a}) {b}" for a, b in pairs)},
    }


every_form = pytest.mark.parametrize("form", forms(GASES).keys())


def gold(row: Row) -> str | None:
    return Question.from_row(to_question_row(row)).answer


@every_form
def test_a_string_that_is_exactly_a_label_is_that_label(form: str) -> None:
    row = forms(GASES)[form]
    assert gold({**row, "answer": "C"}) == "C", "and not choice A, whose text it is"
    assert gold({**row, "answer": " C "}) == "C"
    assert gold({**row, "answer": "CO"}) == "D"
    assert gold({**row, "answer": "d"}) == "D"


@every_form
def test_an_integer_is_an_index(form: str) -> None:
    row = forms(["1", "3", "0", "2"])[form]
    assert [gold({**row, "answer": index}) for index in range(4)] == list("ABCD")
    assert gold({**row, "answer": "1"}) == "A", "a string is a text here"


@every_form
@pytest.mark.parametrize("value", [-1, "-1", "", " ", None])
def test_hidden_and_blank_answers_are_none(form: str, value: Any) -> None:
    assert gold({**forms(GASES)[form], "answerKey": value}) is None


@every_form
@pytest.mark.parametrize("value", [4, -2, True, False, 1.5, "2", "E", "2.0", ["C"], {"label": "C"}])
def test_what_names_no_choice_is_one_line(form: str, value: Any) -> None:
    with pytest.raises(RowProblem, match=r'^"answerKey" is .* nor an index') as refused:
        gold({**forms(GASES)[form], "answerKey": value})
    assert "\n" not in str(refused.value)


@every_form
def test_a_whole_number_with_a_point_is_the_integer(form: str) -> None:
    """pandas and Parquet write integers as 2.0 if a value of the column is missing."""
    row = forms(GASES)[form]
    assert gold({**row, "answerKey": 2.0}) == gold({**row, "answerKey": 2})


def test_an_integer_among_labels_of_digits() -> None:
    row = forms(["w", "x", "y", "z"], "1234")["flat"]
    assert gold({**row, "answer": "1"}) == "1"
    assert gold({**row, "answer": 1}) == "2", "an index"
    with pytest.raises(
        RowProblem, match=r'"answer" is 4, greater than 3, the last index .*choice \'4\''
    ):
        gold({**row, "answer": 4})
    assert gold({**row, "answer": 4, "answerKey": "4"}) == "4", "which another field settles"
    years = {
        "question": "Q?",
        "choices": [{"label": str(y), "text": f"in {y}"} for y in (1914, 18)],
    }
    assert gold({**years, "answer": 1914}) == "1914", "no label could be an index"
    assert gold({"question": "3 x 5?", "choices": ["12", "15"], "answer": 15}) == "B"


def test_a_text_and_a_label_in_other_capitals_are_not_guessed() -> None:
    row = forms(["b", "a", "x"])["plain"]
    with pytest.raises(RowProblem, match="'a', which can mean choice 'B' or 'A'"):
        gold({**row, "answer": "a"})
    assert gold({**row, "answer": "a", "answerKey": "A"}) == "A"
    assert gold({**forms(["a", "b"])["plain"], "answer": "b"}) == "B", "both are the same choice"


@every_form
@pytest.mark.parametrize("names", [("answer", "answerKey"), ("answerKey", "answer"),
                                   ("answer", "AnswerKey"), ("answer_key", "Answer")])  # fmt: skip
def test_an_unambiguous_field_wins_over_an_ambiguous_one(form: str, names: Any) -> None:
    row = forms(METALS)[form]
    ambiguous, exact = names
    assert gold({**row, ambiguous: "zinc"}) == "A", "the first, where nothing else tells"
    assert gold({**row, ambiguous: "zinc", exact: "C"}) == "C"
    assert gold({**row, ambiguous: "see page 4", exact: "C"}) == "C"
    assert gold({**row, ambiguous: None, exact: 2}) == "C"


@every_form
@pytest.mark.parametrize(
    ("answer", "key"), [("A", "B"), ("tin", "C"), (0, "tin"), ("zinc", "B"), ("C", 0)]
)
def test_two_fields_that_name_different_choices_are_refused(
    form: str, answer: Any, key: Any
) -> None:
    """This holds for scicot's own schema too, in which most fields are not examined."""
    row = {**forms(METALS)[form], "answer": answer, "answerKey": key}
    with pytest.raises(RowProblem) as refused:
        gold(row)
    for part in (f'"answer" is {answer!r}, choice ', f'"answerKey" is {key!r}, choice '):
        assert part in str(refused.value)


def test_a_contradiction_is_named_by_its_line(write: Any) -> None:
    row = {"id": "q1", **forms(GASES)["own"], "answer": "A", "Answer Key": "B"}
    with pytest.raises(InvalidRow, match=r"rows:1: has two gold answers: .*remove the wrong one"):
        list(questions(write(lines(row)), reporter=Recorder()))


def test_the_marks_of_a_table_are_no_gold_answers() -> None:
    row = forms(["1", "2"])["columns"]
    assert gold({**row, "answer": "A", "correct": "2"}) == "A"
    assert gold({**row, "correct": "B"}) == "B", "where no other column holds the answer"


values = st.one_of(
    st.sampled_from(["A", "B", "b", "zinc", "tin", "1", "-1", " C", "", None, True, 1.5]),
    st.integers(-2, 4),
    st.text(max_size=2),
)


@given(st.sampled_from(sorted(forms(METALS))), values, values)
def test_what_scicot_writes_has_the_same_gold_answer(form: str, first: Any, second: Any) -> None:
    row = {**forms(METALS)[form], "answer": first, "answerKey": second}
    try:
        read = Question.from_row(to_question_row(row))
    except RowProblem:
        return
    assert Question.from_row(to_question_row(read.to_row())) == read


def test_the_table_in_rows_md_is_how_answers_are_read() -> None:
    page = (REPOSITORY / "docs" / "rows.md").read_text()
    table = page.partition("| `answer` | read as | why |")[2].partition("\n\n")[0]
    checked = 0
    for line in table.splitlines()[2:]:
        values, wanted, _ = line.strip("| ").split(" | ")
        for value in values.split(", "):
            row = {**forms(["wood", "copper", "B", "copper"])["own"]}
            row["answer"] = json.loads(value.strip("`"))
            try:
                label = gold(row) or "none"
            except RowProblem:
                label = "refused"
            assert label == wanted, line
            checked += 1
    assert checked == 13


# Predictions


def test_a_prediction_that_is_exactly_a_label_is_that_label(tmp_path: Any) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "q1", **forms(GASES)["own"], "answer": "C"},
        {"id": "q2", **forms(METALS)["own"], "answer": "B"},
    ]
    asked = write_rows(tmp_path / "q.jsonl", rows)
    for said, right in {"C": 1, "(c)": 1, "O2": 1, "CO": 0, 2: 1, "A": 0}.items():
        # The second prediction shows that the file has labels.
        predictions: list[dict[str, Any]] = [
            {"id": "q1", "prediction": said},
            {"id": "q2", "prediction": "B"},
        ]
        file = write_rows(tmp_path / "p.jsonl", predictions)
        (system,) = evaluate(file, questions=asked, reporter=Recorder()).systems
        assert (system.answered, system.correct) == (2, right + 1), said


def test_a_prediction_that_can_mean_two_choices_is_refused(tmp_path: Any) -> None:
    row = {"id": "q1", **forms(["b", "a"])["own"], "answer": "A"}
    asked = write_rows(tmp_path / "q.jsonl", [row])
    file = write_rows(tmp_path / "p.jsonl", [{"id": "q1", "prediction": "a"}])
    with pytest.raises(ScicotError, match=r"p.jsonl:1: \"prediction\" is 'a', which can mean"):
        evaluate(file, questions=asked, reporter=Recorder())


def test_a_log_of_the_harness_names_an_exact_label(tmp_path: Any) -> None:
    doc = {"id": "q1", **forms(GASES)["flat"], "answerKey": "C"}
    log = {"doc_id": 0, "doc": doc, "target": "C", "arguments": {}, "filter": "none",
           "resps": [["C."]], "filtered_resps": ["C."]}  # fmt: skip
    (system,) = evaluate(write_rows(tmp_path / "s.jsonl", [log]), reporter=Recorder()).systems
    assert (system.answered, system.correct) == (1, 1)


def test_values_of_odd_types_in_answers_are_one_line(tmp_path: Any) -> None:
    row = {"id": "q1", **forms(GASES)["own"], "answer": "C"}
    asked = write_rows(tmp_path / "q.jsonl", [row])
    file = write_rows(tmp_path / "p.jsonl", [{**row, "rationale": "So.", "conclusion": ["C"]}])
    with pytest.raises(ScicotError, match=r'p.jsonl:1: "conclusion" must be a label or null'):
        evaluate(file, questions=asked, reporter=Recorder())
    log = {"doc_id": 0, "doc": {"x": 1}, "target": "9" * 5000, "filter": "none",
           "arguments": {str(n): {"arg_0": "Q?", "arg_1": text} for n, text in enumerate("xy")},
           "filtered_resps": [["-1.0", "False"], ["-2.0", "False"]]}  # fmt: skip
    with pytest.raises(ScicotError, match="no row has a gold answer to judge by"):
        evaluate(write_rows(tmp_path / "s.jsonl", [log]), reporter=Recorder())


def own_row(**gold: Any) -> Row:
    choices = [{"label": a, "text": t} for a, t in zip("ABC", ("b", "x", "y"), strict=True)]
    return {"question": "Which?", "choices": choices, **gold}


def test_three_fields_that_allow_no_common_choice_are_refused() -> None:
    """Any two of the fields could mean the same choice, but not all three."""
    meanings = {
        name: Meaning(tuple(labels), ambiguity)
        for name, labels, ambiguity in (("a", "AB", ""), ("b", "BC", "unclear"), ("c", "AC", "so"))
    }
    with pytest.raises(RowProblem) as refused:
        agreed({"a": "x", "b": "y", "c": "z"}, meanings)
    assert str(refused.value) == (
        "has several gold answers: \"a\" is 'x', choice 'A' or 'B',"
        " \"b\" is 'y', choice 'B' or 'C', and \"c\" is 'z', choice 'A' or 'C';"
        " remove the wrong one"
    )


@pytest.mark.parametrize("name", ["Answer_Key", "ANSWERKEY", "answer-key", "Answer key", "ANSWER"])
def test_a_second_gold_field_is_seen_however_it_is_spelled(name: str) -> None:
    with pytest.raises(RowProblem, match="two gold answers"):
        to_question_row(own_row(answer="B", **{name: "C"}))


def test_a_hidden_answer_is_none_also_where_a_choice_reads_minus_one() -> None:
    row = {"question": "Which?", "choices": ["-1", "5", "7"], "answer": -1}
    assert to_question_row(row)["answer"] is None


@pytest.mark.parametrize("answer", [0, 1, 2, 1.0])
def test_a_number_as_the_answer_of_copa_is_refused(answer: float) -> None:
    """Its choices are numbered from 1, its label from 0."""
    row = {"premise": "It rained.", "question": "effect", "choice1": "a", "choice2": "b"}
    with pytest.raises(RowProblem, match="numbers its choices from 1"):
        to_question_row({**row, "answer": answer})


@pytest.mark.parametrize(
    ("text", "answer"), [(SEAGULL, NFD_SEAGULL), (NFD_SEAGULL, SEAGULL), (NFD_SEAGULL, NFD_SEAGULL)]
)
def test_composed_and_decomposed_characters_are_equal(text: str, answer: str) -> None:
    row = {"question": "Which flies?", "choices": ["stone", text], "answer": answer}
    assert to_question_row(row)["answer"] == "B"


@pytest.mark.parametrize(
    "row",
    [
        {"choices": ["wood", "copper"], "answer": "Copper"},
        {"A": "", "B": "a", "C": "c", "answer": "A"},
    ],
)
def test_other_capitals_are_no_other_characters(row: dict[str, Any]) -> None:
    with pytest.raises(RowProblem, match="neither a label nor the text of a choice"):
        to_question_row({"question": "Which?", **row})


@pytest.mark.parametrize(
    ("texts", "answer", "problem"),
    [
        (["x", "y"], "\u0412", "looks like 'B', .*CYRILLIC CAPITAL LETTER VE"),
        (["x", "y"], "\uff22", "looks like 'B', .*FULLWIDTH LATIN CAPITAL LETTER B"),
        (["o\u00adx", "y"], "ox", "the choice has SOFT HYPHEN"),
        (["x y", "y"], "x\u00a0y", "looks like 'x y', .*NO-BREAK SPACE"),
    ],
)
def test_an_answer_with_other_characters_of_the_same_look_is_named(
    texts: list[str], answer: str, problem: str
) -> None:
    with pytest.raises(RowProblem, match=problem):
        to_question_row({"question": "Which?", "choices": texts, "answer": answer})
