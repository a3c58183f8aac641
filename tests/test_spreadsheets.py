"""Spreadsheets and other binary files: XLSX, Parquet."""

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder
from small_tables import CELLS, CSV, HEADER, golds, read

from scicot import ScicotError
from scicot.errors import InvalidRow
from scicot.sources import questions


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook_is_read_below_its_title(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "quiz.xlsx",
        Quiz=[["Physics, form 9"], [], HEADER, *CELLS, [None, None]],
        Notes=[["made by Ann"]],
    )
    recorder = Recorder()
    assert [question.answer for question in read(path, recorder)] == ["B", "A"]
    assert f"{path}: sheet 'Notes' left out: no header in its first 20 rows" in recorder.notes


def test_numbers_of_a_workbook_are_read_as_a_table_writes_them(tmp_path: Path) -> None:
    legs: list[Any] = ["How many legs?", 4, 6.0, 2.5, 2]
    path = workbook(tmp_path / "q.xlsx", Q=[HEADER, legs, ["How many eyes?", 2, 5, 8, 3]])
    assert [c.text for c in read(path)[0].choices] == ["4", "6", "2.5"]
    assert golds(path) == ["6", "8"], "3 is the number of choices, so they count from 1"


def test_a_formula_without_a_stored_value_is_an_error_of_its_row(tmp_path: Path) -> None:
    """openpyxl stores no values of formulas."""
    rows: list[list[Any]] = [
        HEADER,
        ["Which?", "=1/0", "tin", "ash", "C"],
        CELLS[0],
        ["Why?", "a", "b", None, "A"],
    ]
    path = workbook(tmp_path / "q.xlsx", Q=rows)
    with pytest.raises(InvalidRow, match=r"q.xlsx\[Q\]:2: the cell B2 holds a formula .* save it"):
        read(path)
    rest = list(questions(path, skip_invalid=True, reporter=Recorder()))
    assert [len(question.choices) for question in rest] == [3, 2], "an empty cell is no choice"
    header = workbook(tmp_path / "h.xlsx", Q=[[*HEADER[:3], '="C"', "answer"], *CELLS])
    with pytest.raises(ScicotError, match=r"h.xlsx\[Q\]:1: the cell D1 holds a formula"):
        read(header)


def test_a_formula_whose_stored_value_is_empty_is_an_empty_cell(tmp_path: Path) -> None:
    path = workbook(tmp_path / "q.xlsx", Q=[HEADER, ["Which?", "ice", "tin", '=""', "A"]])
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b'<c r="D2"><f>' in members[sheet]
    members[sheet] = members[sheet].replace(b'<c r="D2"><f>', b'<c r="D2" t="str"><f>')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert [choice.text for choice in read(path)[0].choices] == ["ice", "tin"]


def test_a_broken_record_of_a_workbook_names_its_sheet_and_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "q.xlsx", Q=[HEADER, [*CELLS[0][:4], "E"]])
    with pytest.raises(InvalidRow, match=r"q.xlsx\[Q\]:2: \"answer\" is 'E'"):
        read(path)


def test_a_workbook_without_questions_says_what_to_do(tmp_path: Path) -> None:
    path = workbook(tmp_path / "q.xlsx", Q=[["name", "age"], ["Ann", 9]])
    with pytest.raises(
        ScicotError, match="has a column 'question'; name the columns with --columns"
    ):
        read(path)
    mapped = workbook(tmp_path / "m.xlsx", Q=[["nr", "Aufgabe", "X1", "X2", "ok"],
                                              [1, "Was?", "a", "b", "B"]])  # fmt: skip
    assert golds(mapped, columns="question=Aufgabe,choices=X1+X2,answer=ok") == ["b"]


def test_without_the_package_the_extra_is_named(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(ScicotError, match=r"pip install 'scicot\[tables\]'") as refused:
        read(write(packed.getvalue()))
    assert "\n" not in str(refused.value)


def test_other_archives_are_refused(write: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("q.csv", CSV)
    with pytest.raises(ScicotError, match="unpack it"):
        read(write(packed.getvalue()))
    with pytest.raises(ScicotError, match="a damaged ZIP file"):
        read(write(b"PK\x03\x04 nothing"))


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_parquet_is_read_row_by_row(tmp_path: Path) -> None:
    nested = [{"question": "Q?", "choices": {"text": ["a", "b"], "label": ["A", "B"]},
               "answerKey": "B", "score": float("nan")}]  # fmt: skip
    [question] = read(parquet(tmp_path / "n.parquet", nested))
    assert (question.answer, question.extra["score"]) == ("B", None)
    flat = [dict(zip(HEADER, cells, strict=True)) for cells in CELLS]
    assert golds(parquet(tmp_path / "f.parquet", flat)) == ["copper", "ice"]
    as_bytes = [{name: str(value).encode() for name, value in row.items()} for row in flat]
    assert golds(parquet(tmp_path / "b.parquet", as_bytes)) == ["copper", "ice"]
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(ScicotError, match="cannot be read as Parquet"):
        read(tmp_path / "x.parquet")
