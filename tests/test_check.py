"""scicot check: how a file is read, and what is wrong with it."""

import json
import re
import string
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Recorder, lines, student_of_letters, write_rows

from scicot import ReadingSettings, ScicotError, check

TABLE = "Frage;A;B;C;Richtig;Note\n" + "".join(
    f"Was leitet {n}?;Holz;Kupfer;Glas;B;n{n}\n" for n in range(5)
)


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"q{number}", "question": f"Part {number}?", "choices": ["a", "b"],
            "answer": 1, **more}  # fmt: skip


def test_a_table_is_shown_as_it_is_read(scicot: Any, tmp_path: Path) -> None:
    file = tmp_path / "quiz.csv"
    file.write_text(TABLE)
    outcome = scicot("check", file)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "question = Frage, choices = A-C, answer = Richtig (labels)" in outcome.stdout
    assert "other fields, kept unchanged: Note" in outcome.stdout
    assert "3  Was leitet 2?" in outcome.stdout
    assert "Was leitet 3?" not in outcome.stdout, "three questions are enough"
    assert "B  Kupfer  <- right" in outcome.stdout
    assert "5 of 5: B 5" in outcome.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["quiz.csv"], "nothing is written"


def test_json_holds_the_same(scicot: Any, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(1), row(2), row(1), row(3, question="Part 2?")])
    outcome = scicot("check", file, "--json")
    found = json.loads(outcome.stdout)
    assert (outcome.code, found["fit"], found["problems"]) == (0, True, [])
    assert (found["questions"], found["choices"], found["gold"]) == (4, {"2": 4}, {"B": 4})
    assert (found["repeated"], found["same_text"]) == (1, 1)
    assert found["first"][0]["answer"] == "B"


def test_two_gold_answers_of_one_question_are_a_problem(scicot: Any, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(1), row(2), row(1, answer=0)])
    outcome = scicot("check", file)
    assert outcome.code == 1
    assert "q.jsonl:3: has the gold answer 'A', but" in outcome.stderr
    assert "an earlier row has 'B' for the same question (id 'q1', " in outcome.stderr
    assert "--skip-invalid" not in outcome.stderr
    file = write_rows(tmp_path / "q.jsonl", [row(1, answer=None), row(2), row(1)])
    outcome = scicot("check", file)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "lacks the gold answer of a later row (q1)" in outcome.stdout


def test_quiet_shows_only_what_is_wrong(scicot: Any, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(1), row(2)])
    outcome = scicot("check", "-q", file)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert json.loads(scicot("check", "-q", file, "--json").stdout)["fit"] is True
    write_rows(file, [row(1), row(1, question="Another?")])
    outcome = scicot("check", "-q", file)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("error: different questions share an id (q1)")


@pytest.mark.parametrize(
    ("heading", "columns", "fields", "made", "said"),
    [
        ("Question ID", "", ["Question ID"], 1, 'from "Question ID"; 1 without an id, made from'),
        ("Nr.", "", [], 3, "made from the texts of question, context and choices; no field was"),
        ("Nr.", "id=Nr.", ["Nr."], 1, 'from "Nr."; 1 without an id'),
    ],
)
def test_the_field_of_the_id_is_named(
    scicot: Any, tmp_path: Path, heading: str, columns: str, fields: list[str], made: int, said: str
) -> None:
    file = tmp_path / "q.csv"
    rows = "".join(f"{n or ''},Part {n}?,a,b,B\n" for n in (1, 2, 0))
    file.write_text(f"{heading},question,A,B,answer\n{rows}")
    options = ["--columns", columns] if columns else []
    found = json.loads(scicot("check", file, *options, "--json").stdout)
    assert (found["id_fields"], found["made_ids"]) == (fields, made)
    assert f"ids               {said}" in scicot("check", file, *options).stdout


@pytest.mark.parametrize(
    ("name", "text", "fields", "made"),
    [
        (
            "q.jsonl",
            '{"id": null, "qid": 7, "question": "Q1?", "choices": ["a", "b"]}\n'
            '{"id": "k", "qid": 8, "question": "Q2?", "choices": ["a", "b"]}\n',
            ["id"],
            1,
        ),
        ("q.csv", "id,qid,question,A,B\n,7,Q1?,a,b\nk,8,Q2?,a,b\n", ["qid", "id"], 0),
        ("q.csv", "qid,question,A,B\n,Q1?,a,b\nk,Q2?,a,b\n", ["qid"], 1),
    ],
)
def test_only_fields_that_were_read_as_ids_are_named(
    scicot: Any, tmp_path: Path, name: str, text: str, fields: list[str], made: int
) -> None:
    file = tmp_path / name
    file.write_text(text)
    found = json.loads(scicot("check", file, "--json").stdout)
    assert (found["id_fields"], found["made_ids"]) == (fields, made)


def test_the_ids_of_scicots_own_rows(scicot: Any, tmp_path: Path) -> None:
    rows = [{**row(1), "choices": [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]}]
    rows[0]["answer"] = "B"
    assert 'from "id"\n' in scicot("check", write_rows(tmp_path / "q.jsonl", rows)).stdout


def test_no_torch_is_loaded_without_a_student(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(1)])
    code = (
        "import sys; from scicot_cli.app import run; sys.argv = ['scicot', 'check', sys.argv[1]];"
        " assert run() == 0; heavy = {'torch', 'transformers', 'datasets', 'pyarrow', 'openpyxl'};"
        " assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_rows_that_cannot_be_read_are_counted_and_end_with_1(scicot: Any, tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(lines(row(1), row(2, answer="c"), "oops"))
    outcome = scicot("check", file)
    assert outcome.code == 1
    assert "2 rows cannot be read, first" in outcome.stderr
    assert "q.jsonl:2: \"answer\" is 'c'" in outcome.stderr
    assert "1, 2 rows that cannot be read" in outcome.stdout


def test_an_answer_under_another_name_is_a_problem(tmp_path: Path) -> None:
    rows = [{"question": f"Q{n}?", "A": "a", "B": "b", "key": "B"} for n in range(3)]
    found = check(write_rows(tmp_path / "q.jsonl", rows), reporter=Recorder())
    assert found.problems == [
        'no row has a gold answer; if "key" holds it, add --columns answer=key'
    ]
    settings = ReadingSettings(columns="answer=key")
    assert check(tmp_path / "q.jsonl", reading=settings, reporter=Recorder()).fit
    plain = write_rows(tmp_path / "p.jsonl", [{"question": "Q?", "choices": ["a", "b"]}])
    assert check(plain, reporter=Recorder()).fit, "questions to predict need no answers"


def test_questions_that_share_an_id_are_named(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(1), row(1, question="Another?")])
    [problem] = check(file, reporter=Recorder()).problems
    assert "different questions share an id (q1)" in problem


def test_long_texts_and_overlap_are_counted(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(1, context="x " * 1500), row(2), row(3)])
    other = write_rows(tmp_path / "o.jsonl", [row(2), row(3, choices=["a", "c"])])
    found = check(file, overlap=other, reporter=Recorder())
    assert (found.long, found.unit) == (1, "characters")
    assert found.overlap == {"same_text": 2, "same_question": 1}


def test_what_a_whole_file_says_wrong_is_one_line(scicot: Any, tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    file.write_text("question,A,B,C,answer\nQ?,a,b,c,2\n")
    outcome = scicot("check", file)
    assert outcome.code == 1
    assert "--answer-index 0" in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert scicot("check", file, "--answer-index", "1").code == 0
    assert scicot("check", file, "--answer-index", "2").code == 2


def test_a_model_as_the_student(tmp_path: Path) -> None:
    rows = [row(1), row(2, choices=["\u2603", "\u2602"])]
    file = write_rows(tmp_path / "q.jsonl", rows)
    found = check(
        file,
        student=str(student_of_letters(tmp_path / "student", string.printable)),
        reporter=Recorder(),
    )
    assert found.unit == "tokens"
    assert found.characters["lacking"] >= 1
    assert any("q2" in problem for problem in found.problems), "its choices are the same"


@pytest.mark.parametrize("student", ["scratch:tiny", "./nowhere"])
def test_a_student_without_a_tokenizer_is_one_line(tmp_path: Path, student: str) -> None:
    file = write_rows(tmp_path / "q.jsonl", [row(1)])
    with pytest.raises(ScicotError, match="--student"):
        check(file, student=student, reporter=Recorder())


@pytest.mark.parametrize("packed", [True, False])
def test_standard_input_from_a_file(tmp_path: Path, packed: bool) -> None:
    """A file behind "<" is read like the file itself: Parquet, and CSV in another encoding."""
    more: list[str] = []
    if packed:
        file = tmp_path / "questions.parquet"
        row = {"question": "Which conducts?", "options": ["wood", "copper"], "answer": "B"}
        pq.write_table(pa.Table.from_pylist([row]), file)
    else:
        file, more = tmp_path / "fragen.csv", ["--encoding", "latin-1"]
        file.write_bytes("Frage,A,B,Antwort\nWas fließt?,Öl,Stein,A\n".encode("latin-1"))
    command = [sys.executable, "-m", "scicot_cli", "check", "-", *more]
    with file.open("rb") as stream:
        ended = subprocess.run(command, stdin=stream, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "2 (1 question)" in ended.stdout


def test_a_sheet_that_states_wrong_dimensions_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "made_by_a_program.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["Question", "A", "B", "Answer"])
    for number in range(3):
        book.active.append([f"Question {number}?", "wood", "copper", "B"])
    book.save(file)
    with zipfile.ZipFile(file) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = re.sub(rb'<dimension ref="[^"]+"', b'<dimension ref="A1:D2"', parts[sheet])
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    assert check(file, reporter=Recorder()).questions == 3
    parts[sheet] = parts[sheet][: len(parts[sheet]) // 2]
    with zipfile.ZipFile(file, "w") as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    with pytest.raises(ScicotError, match="cannot be read as XLSX"):
        check(file, reporter=Recorder())


def test_the_first_line_of_json_lines_may_hold_a_list(tmp_path: Path) -> None:
    choices = [{"text": "wood", "label": "A"}, {"text": "copper", "label": "B"}]
    rows = [{"question": f"{n}?", "choices": choices, "answer": "B"} for n in range(3)]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    assert check(file, reporter=Recorder()).questions == 3


def test_headings_sums_and_empty_numbered_rows_of_a_sheet_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "quiz.csv"
    file.write_text(
        "Nr;Aufgabe;a);b);Lösung\n1;Was leitet?;Holz;Kupfer;b\n;Teil B;;;\n"
        "2;Was brennt?;Holz;Glas;a\n3;;;;\n;;;Summe;2\n4;Was schwimmt?;Holz;Blei;a,b\n",
        encoding="utf-8",
    )
    found = check(file, reporter=Recorder())
    assert (found.questions, found.unreadable) == (2, 1)
    assert found.notes == [
        "3 rows left out: no question and only one or two filled cells, as in headings and totals"
        f" (first: {file}:3)"
    ]
    assert found.problems == [
        f"1 row cannot be read: {file}:7: \"Lösung\" is 'a,b', several answers; give exactly one"
    ]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_header_of_unknown_names_is_answered_with_the_option(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"table.{kind}"
    records = [["Nr", "Was", "x1", "x2", "Loes"], ["1", "Was leitet den Strom?", "a", "b", "x2"]]
    if kind == "csv":
        file.write_text("\n".join(map(";".join, records)))
    else:
        book = openpyxl.Workbook()
        for record in records:
            book.active.append(record)
        book.save(file)
    with pytest.raises(ScicotError, match=r"--columns question=Was,choices=x1\+x2,answer=Loes"):
        check(file, reporter=Recorder())


def test_a_question_that_lost_its_choices_is_not_taken_for_a_heading(tmp_path: Path) -> None:
    file = tmp_path / "quiz.csv"
    file.write_text("question,A,B,answer,note\nWhich conducts?,,,,\nWhich?,wood,copper,B,\n")
    assert (found := check(file, reporter=Recorder())).unreadable == 1, found
    mapped = tmp_path / "mapped.csv"
    mapped.write_text("Was,Optionen,Loes,x,y\nWas leitet?,Holz|Kupfer,,,\nWas?,Holz|Kupfer,B,,\n")
    reading = ReadingSettings("question=Was,choices=Optionen,answer=Loes")
    assert check(mapped, reading=reading, reporter=Recorder()).questions == 2
