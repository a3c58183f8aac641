"""The teacher `recorded:FILE`: rationales from elsewhere, and replies that cannot be read."""

import csv
import re
from pathlib import Path

import openpyxl
import pytest
from conftest import Recorder, read_rows, world_rows, write_rows

from scicot import GenerateSettings, ReadingSettings, ScicotError, generate_rationales
from scicot.sources import rationales


def test_rows_are_their_own_teacher(tmp_path: Path) -> None:
    rows = [{**row, "conclusion": row["answer"]} for row in world_rows()]
    rows[0]["rationale"] += f" So the answer is ({rows[0]['answer']})."
    rows[1]["conclusion"] = "AB"["AB".index(rows[1]["answer"]) - 1]
    rows[2]["rationale"] = ""
    file, out = write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out.jsonl"
    summary = generate_rationales(file, out, teacher=f"recorded:{file}", reporter=Recorder())
    assert summary.kept == len(rows) - 2
    assert dict(summary.rejected) == {"wrong-conclusion": 1, "empty": 1}
    assert read_rows(out)[0]["rationale"] == world_rows()[0]["rationale"]


def _table(path: Path, header: str) -> Path:
    """Write a table of the ids and rationales of `world_rows`, each with its answer at the end."""
    rows = [f'{row["id"]},"{row["rationale"]} Answer: {row["answer"]}"' for row in world_rows()]
    path.write_text("\n".join([header, *rows]))
    return path


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("id,rationale", ""),
        ("ID,Rationale", ""),
        ("id,reply", ""),
        ("Nr,Text", "id=Nr,rationale=Text"),
        ("id,explanation", "rationale=explanation"),
    ],
)
def test_rationales_are_read_from_a_table(tmp_path: Path, header: str, columns: str) -> None:
    questions = write_rows(tmp_path / "q.jsonl", world_rows())
    table, out = _table(tmp_path / "rats.csv", header), tmp_path / "out.jsonl"
    workbook = openpyxl.Workbook()
    with table.open(newline="") as lines:
        for record in csv.reader(lines):
            workbook.active.append(record)
    workbook.save(tmp_path / "rats.xlsx")
    for file in (table, tmp_path / "rats.xlsx"):
        summary = generate_rationales(
            questions,
            out,
            teacher=f"recorded:{file}",
            reading=ReadingSettings(columns=columns),
            force=True,
            reporter=Recorder(),
        )
        assert (summary.kept, summary.errors) == (len(world_rows()), 0)
        assert read_rows(out)[0]["rationale"] == world_rows()[0]["rationale"]


@pytest.mark.parametrize("id_name", ["id", "Nr"])
def test_a_mapped_id_applies_to_the_questions_only_if_they_have_it(
    tmp_path: Path, id_name: str
) -> None:
    rows = [{**row, "choices": [c["text"] for c in row["choices"]]} for row in world_rows()]
    rows = [{id_name: f"own{row.pop('id')}", **row} for row in rows]
    questions = write_rows(tmp_path / "q.jsonl", rows)
    table = _table(tmp_path / "rats.csv", "Nr,Text")
    table.write_text("\n".join(f"own{line}" for line in table.read_text().splitlines())[3:])
    listener = Recorder()
    summary = generate_rationales(
        questions,
        tmp_path / "out.jsonl",
        teacher=f"recorded:{table}",
        reading=ReadingSettings(columns="id=Nr,rationale=Text"),
        reporter=listener,
    )
    assert (summary.kept, summary.errors) == (len(rows), 0)
    assert not [text for text in listener.warnings if "--columns" in text]
    with pytest.raises(ScicotError, match='there is no field "Nummer"'):
        generate_rationales(
            questions,
            tmp_path / "other.jsonl",
            teacher=f"recorded:{table}",
            reading=ReadingSettings(columns="id=Nr,rationale=Text,answer=Nummer"),
            reporter=Recorder(),
        )


def test_a_table_without_a_rationale_says_how_to_name_the_column(tmp_path: Path) -> None:
    questions = write_rows(tmp_path / "q.jsonl", world_rows())
    table = _table(tmp_path / "rats.csv", "id,explanation")
    with pytest.raises(
        ScicotError, match=r'found: "id", "explanation"\); .* --columns id=FIELD,rat'
    ):
        generate_rationales(
            questions, tmp_path / "o.jsonl", teacher=f"recorded:{table}", reporter=Recorder()
        )


def test_a_blank_reply_beside_a_rationale_is_none(tmp_path: Path) -> None:
    questions = write_rows(tmp_path / "q.jsonl", world_rows()[:1])
    [row] = world_rows()[:1]
    table = tmp_path / "rats.csv"
    table.write_text(f"id,reply,rationale,conclusion\n{row['id']},,It is so.,{row['answer']}\n")
    summary = generate_rationales(
        questions, tmp_path / "o.jsonl", teacher=f"recorded:{table}", reporter=Recorder()
    )
    assert summary.kept == 1


@pytest.mark.parametrize(
    ("name", "columns", "option"),
    [
        ("r.jsonl", "", ""),
        ("id,rationale.csv", "", ""),
        ("id,why.csv", "rationale=why", " --columns rationale=why"),
    ],
)
def test_rationales_without_questions_are_refused_with_the_command_that_joins_them(
    tmp_path: Path, name: str, columns: str, option: str
) -> None:
    if name == "r.jsonl":
        file = write_rows(tmp_path / name, [{"id": "q0", "rationale": "It is so."}])
    else:
        file = _table(tmp_path / "r.csv", name.removesuffix(".csv"))
    advice = f"generate-rationales QUESTIONS -o OUT --teacher recorded:{file}{option}"
    reading = ReadingSettings(columns=columns)
    with pytest.raises(ScicotError, match=f"{re.escape(advice)}$"):
        rationales(file, reading=reading, reporter=Recorder()).check()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "r.csv",
            "id,Aufgabe,W1,W2,L,rationale\n1,Was ist Metall?,Holz,Kupfer,B,weil es leitet\n",
            "--columns question=Aufgabe,choices=W1+W2,answer=FIELD",
        ),
        (
            "r.jsonl",
            '{"id": 1, "problem_text": "What is a metal?", "rationale": "It conducts.",'
            ' "options": ["wood", "copper"], "label": 1}\n',
            "--columns question=problem_text,choices=options,answer=label",
        ),
    ],
)
def test_rationales_beside_a_question_of_another_name_are_no_bare_rationales(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ScicotError, match=re.escape(said)):
        rationales(file, reporter=Recorder()).check()


def test_known_fields_beside_a_bare_rationale_change_nothing(tmp_path: Path) -> None:
    row = {"id": "q0", "reply": "It is so.", "model": "m", "sample": 0, "usage": {"in": 1}}
    file = write_rows(tmp_path / "r.jsonl", [row])
    with pytest.raises(ScicotError, match=f"--teacher recorded:{re.escape(str(file))}$"):
        rationales(file, reporter=Recorder()).check()


def test_a_token_count_of_true_is_no_count(tmp_path: Path) -> None:
    (row, *_), reporter = world_rows(), Recorder()
    file, out = write_rows(tmp_path / "q.jsonl", [row]), tmp_path / "o.jsonl"
    reply = {"id": row["id"], "reply": f"{row['rationale']} Answer: {row['answer']}"}
    counts = {"input_tokens": True, "output_tokens": 5}
    replies = write_rows(tmp_path / "r.jsonl", [{**reply, "usage": counts}])
    generate_rationales(file, out, teacher=f"recorded:{replies}", reporter=reporter)
    assert read_rows(out)[0]["usage"] == {"output_tokens": 5}
    assert any("impossible token counts (input_tokens)" in warning for warning in reporter.warnings)


def test_replies_that_cannot_be_read_are_told_after_the_first_20(tmp_path: Path) -> None:
    rows = world_rows()
    file, reporter = write_rows(tmp_path / "q.jsonl", rows), Recorder()
    said = [{"id": row["id"], "reply": f"Who can tell? Nobody ({row['id']})."} for row in rows]
    replies = write_rows(tmp_path / "r.jsonl", said)
    generate_rationales(
        file, tmp_path / "o.jsonl", teacher=f"recorded:{replies}", reporter=reporter,
        settings=GenerateSettings(keep="all"),
    )  # fmt: skip
    (warning,) = [text for text in reporter.warnings if "found no answer" in text]
    assert warning.startswith("scicot found no answer in 20 of the first 20 replies")
    assert warning.count("Nobody") == 3
