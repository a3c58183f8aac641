"""Gold answers that are numbers: labels, texts of choices, or indices from 0 or from 1."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, lines
from small_tables import golds

from scicot import ReadingSettings, ScicotError
from scicot.errors import InvalidRow
from scicot.formats import Reading, to_question_row
from scicot.sources import questions


def indexed(*answers: str) -> str:
    rows = [f"Q{n}?,ant,bee,cow,dog,{answer}" for n, answer in enumerate(answers)]
    return "question,A,B,C,D,answer\n" + "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("2", "4", "1"), ["bee", "dog", "ant"]),
        (("2", "0", "1"), ["cow", "ant", "bee"]),
        (("1", "2", "3", "0"), ["bee", "cow", "dog", "ant"]),
    ],
)
def test_a_later_row_proves_what_numbers_count_from(
    write: Any, answers: Any, expected: list[str]
) -> None:
    assert golds(write(indexed(*answers))) == expected


@pytest.mark.parametrize("answers", [("1", "2", "3"), ("2",), ("0", "4", "2"), ("1", "2") * 50])
@pytest.mark.parametrize("skip_invalid", [False, True])
def test_without_a_proof_the_option_is_asked_for(
    write: Any, answers: Any, skip_invalid: bool
) -> None:
    rows = questions(write(indexed(*answers)), skip_invalid=skip_invalid, reporter=Recorder())
    with pytest.raises(ScicotError, match=r"--answer-index 0 .* or --answer-index 1"):
        rows.check()


def test_the_option_tells_what_numbers_count_from(write: Any) -> None:
    assert golds(write(indexed("1", "2")), answer_index=0) == ["bee", "cow"]
    assert golds(write(indexed("1", "2")), answer_index=1) == ["ant", "bee"]
    with pytest.raises(ScicotError, match="give 0 or 1"):
        ReadingSettings(answer_index=2)  # type: ignore[arg-type]


def test_a_number_that_is_a_choice_is_its_text_unless_the_file_has_indices(write: Any) -> None:
    numbers = "question,A,B,C,D,answer\nLegs of an ant?,4,6,8,2,2\n"
    assert golds(write(numbers)) == ["2"], "a text, as docs/rows.md has it"
    assert golds(write(numbers + "Which barks?,ant,bee,cow,dog,4\n")) == ["6", "dog"]
    with pytest.raises(ScicotError, match="can be the text of a choice or an index"):
        golds(write(numbers + "Which barks?,ant,bee,cow,dog,4\nWhich flies?,ant,bee,cow,dog,bee\n"))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize(
    "rows",
    [
        [(["11", "10", "01", "00"], answer) for answer in ("01", "10", "11", "00")],
        [(["1", "01", "2"], "01"), (["1", "01", "2"], "2")],
        [(["0001", "0002", "0003", "0004"], "0003"), (["ant", "bee", "cow", "dog"], "0")],
        [(["006", "007", "008", "1"], "007")],
    ],
)
def test_a_number_with_a_leading_zero_is_a_text_and_no_index(
    tmp_path: Path, rows: Any, suffix: str
) -> None:
    file = tmp_path / f"q{suffix}"
    records = [
        {"question": f"Q{number}?", "choices": choices, "answer": answer}
        for number, (choices, answer) in enumerate(rows)
    ]
    if suffix == ".csv":
        cells = [[r["question"], "|".join(r["choices"]), r["answer"]] for r in records]
        file.write_text(
            "".join(",".join(r) + "\n" for r in [["question", "choices", "answer"], *cells])
        )
    else:
        file.write_text(lines(*records))
    expected = [choices[0] if answer == "0" else answer for choices, answer in rows]
    assert golds(file) == expected


@pytest.mark.parametrize("labels", [["00", "01", "02"], ["02", "01", "03"]])
def test_a_label_with_a_leading_zero_is_that_label(write: Any, labels: list[str]) -> None:
    choices = {"label": labels, "text": ["ant", "bee", "cow"]}
    row = {"question": "Q?", "choices": choices, "answerKey": "01"}
    assert golds(write(lines(row))) == ["bee"]
    assert golds(write(lines(row)), answer_index=1) == ["bee"]


def test_an_answer_that_names_a_column_is_that_column(write: Any) -> None:
    """It is no index, whatever --answer-index or the published layout says about numbers."""
    table = "question,opt01,opt02,opt03,answer\nQ?,ant,bee,cow,02\nR?,ant,bee,cow,opt01\n"
    for base in (None, 0, 1):
        assert golds(write(table), answer_index=base) == ["bee", "ant"]
    assert golds(write("goal,sol1,sol2,label\nQ?,ant,bee,sol1\nR?,ant,bee,1\n")) == ["ant", "bee"]
    with pytest.raises(InvalidRow, match="'opt02', neither a label"):
        golds(write("question,opt01,opt02,opt03,answer\nQ?,ant,,cow,opt02\n"))


BLANKS = "q1?,a,b,c,d,{}\nq2?,a,b,c,d,{}\nq3?,a,,c,d,{}\n"


def test_a_blank_choice_keeps_its_index(write: Any) -> None:
    table = "question,A,B,C,D,answer\n" + BLANKS
    assert golds(write(table.format(4, 1, 3))) == ["d", "a", "c"]
    assert golds(write(table.format(2, 1, 3)), answer_index=1) == ["b", "a", "c"]
    assert golds(write(table.format(0, 1, 3))) == ["a", "b", "d"]
    assert golds(write(table.format(0, 1, 2)), answer_index=0) == ["a", "b", "c"]
    medical = "question,opa,opb,opc,opd,cop\n" + BLANKS
    assert golds(write(medical.format(4, 1, 3))) == ["d", "a", "c"]
    mapped = "question,W1,W2,W3,W4,answer\n" + BLANKS
    columns = "choices=W1+W2+W3+W4"
    assert golds(write(mapped.format(4, 1, 3)), columns=columns) == ["d", "a", "c"]
    nested = {"question": "Q?", "options": {"A": "a", "B": None, "C": "c", "D": "d"}, "answer": 2}
    assert golds(write(lines(nested))) == ["c"]
    options = {"option1": "a", "option2": "b", "option3": "c", "option4": "d"}
    rows = [{"question": "Q?", **options, "answer": answer} for answer in (4, 3)]
    assert golds(write(lines(rows[0], {**rows[1], "option2": None}))) == ["d", "c"]


def test_the_number_of_filled_cells_proves_nothing(write: Any) -> None:
    table = "question,A,B,C,D,answer\nq1?,a,b,c,d,1\nq2?,a,b,,d,3\nq3?,a,b,c,d,2\n"
    with pytest.raises(ScicotError, match="can count from 0 or from 1"):
        golds(write(table))
    assert golds(write(table), answer_index=0) == ["b", "d", "c"]
    assert golds(write(table + "q4?,a,b,c,d,0\n")) == ["b", "d", "c", "a"]


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        ("q1?,a,b,c,d,0\nq2?,a,,c,d,1\n", {}),
        ("q1?,a,b,c,d,0\nq2?,a,b,c,,3\n", {}),
        ("q1?,a,b,c,d,4\nq2?,a,,c,d,2\n", {}),
        ("q1?,a,b,c,d,1\nq2?,a,,c,d,1\n", {"answer_index": 0}),
        ("q1?,a,b,c,d,1\nq2?,a,b,c,,4\n", {"answer_index": 1}),
    ],
)
def test_the_index_of_a_blank_choice_is_refused(write: Any, rows: str, settings: Any) -> None:
    with pytest.raises(
        InvalidRow, match=r"rows:3: \"answer\" is '\d', an index from [01] that names"
    ):
        golds(write("question,A,B,C,D,answer\n" + rows), **settings)
    first = {"question": "Q?", "options": {"A": "a", "B": None, "C": "c"}, "answer": 1}
    with pytest.raises(
        InvalidRow, match='"answer" is 1, an index from 0 that names a blank choice'
    ):
        golds(write(lines(first)))


def test_questions_with_fewer_choices_have_blank_cells_at_the_end(write: Any) -> None:
    table = "question,A,B,C,D,answer\nq1?,yes,no,,,2\nq2?,a,b,c,,3\nq3?,a,b,c,,1\n"
    assert golds(write(table)) == ["no", "c", "a"]
    assert golds(write(table + "q4?,a,b,c,d,4\n")) == ["no", "c", "a", "d"]
    assert golds(write(table), answer_index=1) == ["no", "c", "a"]
    from_zero = "question,A,B,C,D,answer\nq1?,yes,no,,,1\nq2?,a,b,c,,0\n"
    assert golds(write(from_zero)) == ["no", "a"]


def test_a_number_that_is_no_label_among_labels_of_digits_is_not_guessed(write: Any) -> None:
    header = "question,opt1,opt2,opt3,opt4,answer\n"
    with pytest.raises(ScicotError, match=r"is not a label in this row.*give --answer-index 0"):
        golds(write(f"{header}R?,a,b,c,d,1\nQ?,a,b,c,d,0\n"))
    rows = "Q?,a,b,c,d,0\nR?,a,b,c,d,1\n"
    assert golds(write(header + rows), answer_index=0) == ["a", "b"]


def test_the_label_of_a_blank_choice_is_an_error_of_its_row(write: Any) -> None:
    header = "question,opt1,opt2,opt3,answer\nQ?,a,b,c,1\n"
    for row in ("R?,a,,c,2", "R?,a,,c,2.0", "R?,,b,c,1", "R?,a,b,,3"):
        with pytest.raises(InvalidRow, match=r"rows:3: .*', the label of a blank choice; fill in"):
            golds(write(f"{header}{row}\n"))
        rows = questions(write(f"{header}{row}\n"), skip_invalid=True, reporter=Recorder())
        assert [question.answer for question in rows] == ["1"]


def test_a_number_with_a_fraction_is_the_text_of_a_choice(tmp_path: Path, write: Any) -> None:
    import pyarrow
    import pyarrow.parquet

    choices = {"A": 1.5, "B": 4.25, "C": 1.0}
    rows = [{"question": f"{answer}?", **choices, "answer": answer} for answer in (4.25, 1.5, 1.0)]
    assert golds(write(lines(*rows))) == ["4.25", "1.5", "1.0"]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "q.parquet")
    assert golds(tmp_path / "q.parquet") == ["4.25", "1.5", "1.0"]
    listed = {"question": "Q?", "options": [1.5, 4.25, 2.0], "answer": 4.25}
    assert golds(write(lines(listed))) == ["4.25"]


def test_an_index_that_pandas_made_a_float_is_read_as_the_integer(write: Any) -> None:
    assert golds(write(indexed("2.0", "4.0", "", "-1.0"))) == ["bee", "dog", None, None]
    assert golds(write(indexed("2.0", "0.0"))) == ["cow", "ant"]
    options = "question,opt1,opt2,answer\nQ?,ant,bee,2.0\nR?,ant,bee,1.0\n"
    assert golds(write(options)) == ["bee", "ant"]
    assert golds(write("question,A,B,C,answer\nQ?,2,4,2.0,2.0\n")) == ["2.0"], "exactly a text"
    text = "question,A,B,C,answer\nQ?,2,4,1.0,1\nR?,2,4,3.0,3\n"
    assert golds(write(text)) == ["1.0", "3.0"], "choices that pandas made floats"


def test_the_base_that_the_user_gives_wins_over_a_text() -> None:
    row = {"question": "Q?", "choices": [10.0, 2.0, 3.75, 0.5], "answer": 2.0}
    assert to_question_row(row, Reading(from_file=True, answer_index=0))["answer"] == "C"


def test_a_number_that_may_be_a_text_or_an_index_asks_for_either_option(write: Any) -> None:
    rows = [{"question": f"{n}?", "choices": ["2", "3", "4"], "answer": n} for n in ("2", "1")]
    with pytest.raises(
        ScicotError,
        match=r"'2', the text of a choice, or an index that can count from 0 or from 1; give"
        r" --answer-texts if the answers are texts, or --answer-index 0",
    ):
        golds(write(lines(*rows)))


@pytest.mark.parametrize(("base", "numbers"), [(0, "from 0 to 1"), (1, "from 1 to 2")])
def test_an_unreadable_answer_names_the_indices_that_can_be_read(
    write: Any, base: Any, numbers: str
) -> None:
    row = {"question": "Q?", "choices": ["ant", "bee"], "answer": 7}
    with pytest.raises(InvalidRow, match=rf"an index \(a number {numbers}\)"):
        golds(write(lines(row)), answer_index=base)


def test_a_leading_zero_is_named_as_the_reason(write: Any) -> None:
    with pytest.raises(
        InvalidRow, match=r"'04', neither .* if it is an index, write 4, without a leading zero"
    ):
        golds(write(indexed("04")))


def test_a_number_in_a_pipe_that_may_be_a_text_is_refused(scicot: Any) -> None:
    def csv(*rows: str) -> str:
        return "".join(f"{row}\n" for row in ("question,choices,answer", *rows))

    refused = scicot("check", "-", stdin=csv("Q1?,2|3|4,2", "Q2?,2|3|4,0"))
    assert refused.code == 1
    assert "<stdin>:2: \"answer\" is '2', which can be the text of a choice or" in refused.stderr
    texts = csv("Q0?,12|13|14,12", "Q1?,2|3|4,2")
    assert scicot("check", "-", stdin=texts).code == 1, "a later answer may be an index"
    assert "2 of 2: A 2" in scicot("check", "-", "--answer-texts", stdin=texts).stdout
    assert scicot("check", "-", "--answer-labels", stdin=texts).code == 1, "it may be an index"
