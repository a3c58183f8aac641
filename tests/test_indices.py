"""Gold answers that are numbers: labels, texts of choices, or indices from 0 or from 1."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, lines

from scicot import ReadingSettings, ScicotError, check
from scicot.errors import InvalidRow
from scicot.formats import Reading, to_question_row
from scicot.row_fields import RowProblem
from scicot.sources import questions


def golds(source: Any, **settings: Any) -> list[str | None]:
    rows = questions(source, reading=ReadingSettings(**settings), reporter=Recorder())
    return [row.answer and row.text_of(row.answer) for row in rows]


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
    with pytest.raises(ScicotError, match=r"none of the row's labels.*give --answer-index 0"):
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


def test_a_number_that_is_a_label_and_another_text_is_refused() -> None:
    labelled = [{"label": n, "text": text} for n, text in ((1, 4), (2, 1), (3, 3), (4, 2))]
    row = {"question": "Q?", "choices": labelled, "answer": 4}
    with pytest.raises(RowProblem, match="the label of one choice and the text of another"):
        to_question_row(row, Reading(strict=True))


def test_the_base_that_the_user_gives_wins_over_a_text() -> None:
    row = {"question": "Q?", "choices": [10.0, 2.0, 3.75, 0.5], "answer": 2.0}
    assert to_question_row(row, Reading(strict=True, answer_index=0))["answer"] == "C"


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
    assert "pipes cannot be read ahead, so name a file, or add --answer-texts" in refused.stderr
    assert scicot("check", "-", "--answer-labels", stdin=lines(vitamin, label)).code == 0
    written = {**VITAMIN, "options": VITAMINS}
    assert scicot("check", "-", stdin=lines(written)).code == 1, "a later answer may be a text"


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
    assert "--answer-texts and --answer-index 0: give one of them" in both.stderr


def test_answer_labels_in_a_settings_file_is_written_as_answer_texts_false(
    scicot: Any, tmp_path: Path
) -> None:
    settings = tmp_path / "c.yaml"
    settings.write_text("answer-labels: true\n")
    outcome = scicot("check", "q.jsonl", "--config", settings)
    assert outcome.code == 2
    assert "write answer-texts: false" in outcome.stderr


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


def test_the_user_can_say_that_answers_are_texts(write: Any) -> None:
    table = "question,option1,option2,option3,answer\nSides?,3,4,5,3\nArms?,4,2,1,2\n"
    assert golds(write(table), answer_texts=True) == ["3", "2"]
    numbers = {"question": "Q?", "choices": [1, 2.0, 3], "answer": 2}
    assert golds(write(lines(numbers)), answer_texts=True) == ["2.0"]
    with pytest.raises(InvalidRow, match=r"'B', not the text of a choice; .* --answer-texts"):
        golds(write(lines({**numbers, "answer": "B"})), answer_texts=True)
    with pytest.raises(ScicotError, match="--answer-texts and --answer-index 1: give one"):
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


def test_a_leading_zero_is_named_as_the_reason(write: Any) -> None:
    with pytest.raises(InvalidRow, match=r"'04', neither .* leading zero is no index.* write 4 if"):
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
