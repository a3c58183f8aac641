"""Files other than JSON lines: tables, zstd, other encodings, folders of shards."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Recorder, lines
from small_tables import CSV, golds, read

from scicot import ReadingSettings, ScicotError
from scicot.errors import InvalidRow
from scicot.sources import hub, is_rereadable, questions, sha256_of

# Parquet and zstd


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
    with pytest.raises(ScicotError, match=r"not UTF-8 text; .*--encoding latin-1"):
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


@pytest.mark.parametrize(
    "text", ["Q?,a,b,c,d,E\n", "Q?,a,b,c,AB\n", "Q?,a,b,c,2\n", "Q?,a,A\n", "x,y\nz,B\n"]
)
def test_other_tables_without_a_header_are_refused(write: Any, text: str) -> None:
    with pytest.raises(ScicotError, match=r"neither JSON nor a CSV header|no column is called"):
        read(write(text))


def test_lines_before_the_header_are_left_out_and_told(write: Any) -> None:
    recorder = Recorder()
    path = write("Physics test\nForm 9, term 2\n\n" + CSV)
    assert [question.answer for question in read(path, recorder)] == ["B", "A"]
    assert f"{path}: the header is in line 4; the lines before it are left out" in recorder.notes
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
    assert f'{file}: the rows are read from "data"; ignored: "version", "licence"' in (
        recorder.notes
    )
    own_text = {**GROUPED, "questions": [{**row, "passage": "Bo."}]}
    [question] = list(questions(write(json.dumps(own_text)), reporter=recorder))
    assert question.context == "Bo."
    assert any('ignored: "article", "title"' in note for note in recorder.notes)


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


def test_a_folder_of_save_to_disk_says_how_to_convert_it(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([{"question": "Q?", "choices": ["a", "b"], "answer": "a"}])
    for name, saved, split in (
        ("one", rows, ""),
        ("several", datasets.DatasetDict({"train": rows}), r'\["train"\]'),
    ):
        saved.save_to_disk(tmp_path / name)
        message = rf"load_from_disk\('.*{name}'\){split}\.to_parquet\(\"rows.parquet\"\)$"
        with pytest.raises(ScicotError, match=message):
            read(tmp_path / name)
    [arrow] = (tmp_path / "one").glob("*.arrow")
    with pytest.raises(ScicotError, match=r"Dataset\.from_file\('.*\.arrow'\)\.to_parquet"):
        read(arrow)


def test_what_a_folder_mixes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScicotError, match="a directory without data files"):
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
