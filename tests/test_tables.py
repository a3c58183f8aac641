"""Files other than JSON lines: spreadsheets, Parquet, zstd, other encodings, folders of shards."""

import csv
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, lines

from scicot import ReadingSettings, ScicotError
from scicot.errors import InvalidRow
from scicot.sources import hub, is_rereadable, questions, sha256_of

HEADER = ["question", "A", "B", "C", "answer"]
CELLS = [
    ["Which conducts?", "wood", "copper", "wax", "B"],
    ["Which melts?", "ice", "tin", "ash", "A"],
]
CSV = "\n".join(",".join(row) for row in [HEADER, *CELLS]) + "\n"


def read(source: Any, recorder: Recorder | None = None, **settings: Any) -> list[Any]:
    reading = ReadingSettings(**settings)
    return list(questions(source, reading=reading, reporter=recorder or Recorder()))


def golds(source: Any, **settings: Any) -> list[str | None]:
    return [
        question.answer and question.text_of(question.answer)
        for question in read(source, **settings)
    ]


# Spreadsheets


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
    assert f"{path}: the sheet 'Notes' is left out, no row names columns" in recorder.notes


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
    with pytest.raises(ScicotError, match="has a column 'question'; say by --columns"):
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


# Parquet and zstd


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


def zstd(text: str) -> bytes:
    import pyarrow

    data: bytes = pyarrow.compress(text.encode(), codec="zstd", asbytes=True)
    return data


def test_text_may_be_compressed_by_zstd(write: Any) -> None:
    row = {"question": "Q?", "choices": ["a", "b"], "answer": "b"}
    assert golds(write(zstd(lines(row)))) == ["b"]
    assert golds(write(zstd(CSV))) == ["copper", "ice"]
    assert golds(write(zstd(lines(row)) + zstd(lines({**row, "id": "2"})))) == ["b", "b"]
    with pytest.raises(ScicotError, match="zstd data is damaged or cut short"):
        read(write(zstd(lines(row) * 500)[:-9]))


# Encodings


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
@pytest.mark.parametrize("text", [CSV.replace("ice", "Eis 0 °C"),
                                  lines({"question": "Ä?", "choices": ["Eis 0 °C", "x"],
                                         "answer": 0}).replace("\\u00c4", "Ä")
                                  .replace("\\u00b0", "°")])  # fmt: skip
def test_text_in_another_encoding(write: Any, encoding: str, text: str) -> None:
    assert golds(write(text.encode(encoding)), encoding=encoding)[-1] == "Eis 0 °C"


def test_the_option_is_named_where_it_is_needed(write: Any) -> None:
    with pytest.raises(ScicotError, match=r"not UTF-8 text .*--encoding latin-1"):
        read(write(CSV.replace("ice", "Eis 0 °C").encode("latin-1")))
    with pytest.raises(ScicotError, match="UTF-16 text; add --encoding utf-16"):
        read(write(CSV.encode("utf-16")))
    with pytest.raises(ScicotError, match="not ascii text"):
        read(write(CSV.replace("ice", "é").encode()), encoding="ascii")


@pytest.mark.parametrize("name", ["nope", "base64", "x\0"])
def test_an_encoding_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ScicotError, match="no such encoding"):
        ReadingSettings(encoding=name)


# Tables as text


def test_mmlus_own_files_have_no_header(write: Any) -> None:
    text = (
        '"Which, of these,\nconducts?",wood,copper,wax,glass,B\nWhich melts?,ice,tin,ash,coal,A\n'
    )
    recorder = Recorder()
    first, second = read(write(text), recorder)
    assert (first.question, first.answer) == ("Which, of these,\nconducts?", "B")
    assert [choice.text for choice in second.choices] == ["ice", "tin", "ash", "coal"]
    assert any("has no header; read as question, A, B, C, D, answer" in n for n in recorder.notes)


@pytest.mark.parametrize("text", ["Q?,a,b,c,d,E\n", "Q?,a,b,c,2\n", "Q?,a,A\n", "x,y\nz,B\n"])
def test_other_tables_without_a_header_are_refused(write: Any, text: str) -> None:
    with pytest.raises(ScicotError, match=r"no CSV header|no column is called"):
        read(write(text))


def test_lines_before_the_header_are_left_out_and_told(write: Any) -> None:
    recorder = Recorder()
    path = write("Physics test\nForm 9, term 2\n\n" + CSV)
    assert [question.answer for question in read(path, recorder)] == ["B", "A"]
    assert f"{path}: what stands before the header in line 4 is left out" in recorder.notes
    assert golds(write("sep=;\n" + CSV.replace(",", ";"))) == ["copper", "ice"]


# JSON documents


@pytest.mark.parametrize(
    "document",
    [
        {"version": 1, "data": [{"question": "Q?", "choices": ["a", "b"], "answer": 1}]},
        {"response_code": 0, "results": [{"question": "Q?", "options": ["a", "b"], "answer": "B"}]},
        {"rows": [{"row_idx": 0, "row": {"question": "Q?", "choices": ["a", "b"], "answer": 1}}]},
        {
            "sets": {
                "train": [{"question": "Q?", "choices": ["a", "b"], "cot": [], "answer": ["b"]}]
            }
        },
        {"question": {"0": "Q?"}, "A": {"0": "a"}, "B": {"0": "b"}, "answer": {"0": "B"}},
        {"question": ["Q?"], "A": ["a"], "B": ["b"], "answer": ["B"]},
        {"x1": {"Question": "Q?", "A": "a", "B": "b", "Answer": "B"}},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_rows_inside_a_document(write: Any, document: Any, indent: int | None) -> None:
    assert golds(write(json.dumps(document, indent=indent))) == ["b"]


def test_several_lists_in_a_document_are_not_mixed(write: Any) -> None:
    row = {"question": "Q?", "choices": ["a", "b"]}
    with pytest.raises(ScicotError, match=r"several lists of rows \(train, test\)"):
        read(write(json.dumps({"train": [row], "test": [row]})))


GROUPED = {
    "article": "Ann bought a wire.",
    "title": "Wires",
    "questions": [{"question": "Which?", "options": ["a", "b"], "gold_label": 2}],
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("count", [1, 2])
def test_questions_inside_the_row_of_their_text_are_refused(
    write: Any, indent: int | None, count: int
) -> None:
    """As in QuALITY's files; the text would be lost."""
    if indent and count > 1:
        file = write(json.dumps([GROUPED] * count, indent=indent))
    else:
        file = write((json.dumps(GROUPED, indent=indent) + "\n") * count)
    with pytest.raises(ScicotError, match=r'holds several questions .* in "questions"'):
        read(file)


def test_fields_beside_the_rows_of_a_document_are_noted(write: Any, recorder: Any) -> None:
    row = {"question": "Q?", "choices": ["a", "b"], "answer": 1}
    file = write(json.dumps({"version": 1, "data": [row], "licence": "MIT"}))
    list(questions(file, reporter=recorder))
    assert f'{file}: the rows in "data" are read; "version", "licence" beside them left out' in (
        recorder.notes
    )
    own_text = {**GROUPED, "questions": [{**row, "passage": "Bo."}]}
    [question] = list(questions(write(json.dumps(own_text)), reporter=recorder))
    assert question.context == "Bo."
    assert any('"article", "title" beside them left out' in note for note in recorder.notes)


# Folders and patterns


def test_a_folder_and_a_pattern_are_read_in_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        row = {"id": str(number), "question": f"Q{number}?", "choices": ["a", "b"]}
        (tmp_path / f"part-{number}.jsonl").write_text(lines(row))
    (tmp_path / "README.md").write_text("what this is")
    for source in (tmp_path, f"{tmp_path}/part-*.jsonl"):
        assert [question.id for question in read(source)] == ["1", "2", "10"]
        assert is_rereadable(source)
    before = sha256_of(tmp_path)
    assert before == sha256_of(tmp_path)
    (tmp_path / "part-2.jsonl").write_text(lines({"question": "other", "choices": ["a", "b"]}))
    assert sha256_of(tmp_path) != before


def test_what_a_folder_mixes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScicotError, match="a directory without files of rows"):
        read(tmp_path)
    for name in ("train-0.jsonl", "test-0.jsonl"):
        (tmp_path / name).write_text("{}\n")
    with pytest.raises(ScicotError, match=r"several splits \(test, train\); give a pattern"):
        read(tmp_path)
    (tmp_path / "x.csv").write_text(CSV)
    with pytest.raises(ScicotError, match=r"several kinds of files \(\.csv, \.jsonl\)"):
        read(tmp_path)
    with pytest.raises(ScicotError, match="no file matches this pattern"):
        read(f"{tmp_path}/*.parquet")


def test_files_of_a_data_set_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    (tmp_path / "data").mkdir()
    for name in ("data/b.csv", "data/a.csv"):
        (tmp_path / name).write_text(CSV)

    class Api:
        def list_repo_files(self, repository: str, repo_type: str) -> list[str]:
            assert (repository, repo_type) == ("owner/name", "dataset")
            return ["README.md", "data/b.csv", "data/a.csv"]

    def download(repository: str, name: str, repo_type: str) -> str:
        assert (repository, repo_type) == ("owner/name", "dataset")
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert golds("hf://owner/name/data/b.csv") == ["copper", "ice"]
    assert golds("hf://owner/name/data/*.csv") == ["copper", "ice"] * 2
    with pytest.raises(ScicotError, match="no file of the data set matches"):
        read("hf://owner/name/*.parquet")
    assert hub.files_of("hf://owner/name/config/test") is None


def test_a_long_cell_of_a_table_is_read(tmp_path: Path) -> None:
    """Python's own limit is 131,072 characters. It is that of the process, so it is kept."""
    limit = csv.field_size_limit()
    path = tmp_path / "q.csv"
    path.write_text(f"{CSV}{'wire ' * 40_000}?,a,b,c,B\n")
    assert len(read(path)[-1].question) > 200_000
    assert csv.field_size_limit() == limit
    path.write_text(f"{CSV}{'x' * 10_000_001}?,a,b,c,B\n")
    with pytest.raises(InvalidRow, match="larger than field limit"):
        read(path)
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CSV.replace("\n", "\r"), "lines end with carriage returns only"),
        ('{"question": "a"}\r{"question": "b"}\r', "lines end with carriage returns only"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 5\n", "git lfs pull"),
        ("\n<!DOCTYPE html>\n<html><td>question</td></html>\n", "an HTML or XML page"),
    ],
)
def test_the_error_names_the_kind_of_a_file_that_is_no_table(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "quiz.csv"
    path.write_bytes(content.encode())
    with pytest.raises(ScicotError, match=f"quiz.csv: .*{said}"):
        read(path)
