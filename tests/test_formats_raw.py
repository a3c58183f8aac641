"""Samples of the data sets as they are published, with every gold answer kept."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from scicot.formats import NotText, to_question_row
from scicot.records import Question
from scicot.row_fields import Row
from scicot.sources import located_rows

RAW = Path(__file__).resolve().parents[2] / "shared" / "data" / "raw"

pytestmark = pytest.mark.skipif(
    not RAW.is_dir(), reason="the shared samples are not on this machine"
)


def question(row: Row) -> Question:
    return Question.from_row(to_question_row(row))


# All gold answers of the raw samples, determined by hand: {id: text of the gold choice}.
def by_hand(path: Path) -> dict[str, str]:
    text = path.read_text()
    if path.suffix == ".jsonl":
        found = [json.loads(line) for line in text.splitlines()]
    elif path.name == "scienceqa_problems.json":
        found = [{"id": k, **v} for k, v in json.loads(text).items() if v["image"] is None]
    else:
        found = json.loads(text)
    return {row["id"]: gold_text(row) for row in found}


def gold_text(row: Row) -> str:
    if "answerKey" not in row:
        gold = row["answer"]
        return str(row["choices"][gold] if isinstance(gold, int) else gold)
    listed = row["choices"] if "choices" in row else row["question"]["choices"]
    if isinstance(listed, dict):
        return str(listed["text"][listed["label"].index(row["answerKey"])])
    return next(str(c["text"]) for c in listed if c["label"] == row["answerKey"])


@pytest.mark.parametrize(
    "name",
    [
        "arc_hf_flattened_array.json",
        "arc_hf_flattened_jsonl.jsonl",
        "arc_hf_flattened_numeric_labels.jsonl",
        "arc_official_nested.jsonl",
        "csqa_official_nested.jsonl",
        "dss_cqa_questions.jsonl",
        "openbookqa_official_nested.jsonl",
        "qasc_official_nested_8_choices.jsonl",
        "scienceqa_problems.json",
    ],
)
def test_every_gold_answer_of_the_raw_samples(name: str) -> None:
    found: dict[str, str] = {}
    images = 0
    for _, row in located_rows(RAW / name):
        try:
            read = question(row)
        except NotText:
            images += 1
            continue
        assert read.answer is not None
        found[read.id] = read.text_of(read.answer)
    assert found == by_hand(RAW / name)
    assert (len(found), images) == ((10, 10) if name.startswith("scienceqa") else (20, 0))


def test_arc_as_its_own_csv_reads_like_its_jsonl(tmp_path: Path) -> None:
    official = [row for _, row in located_rows(RAW / "arc_official_nested.jsonl")]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["questionID", "AnswerKey", "schoolGrade", "question"])
    writer.writeheader()
    for row in official:
        marked = " ".join(f"({c['label']}) {c['text']}" for c in row["question"]["choices"])
        writer.writerow({"questionID": row["id"], "AnswerKey": row["answerKey"],
                         "question": f"{row['question']['stem']} {marked}"})  # fmt: skip
    path = tmp_path / "ARC-Easy-Test.csv"
    path.write_text(out.getvalue())
    for (_, row), expected in zip(located_rows(path), official, strict=True):
        read, wanted = question(row), question(expected)
        assert (read.id, read.question, read.answer) == (wanted.id, wanted.question, wanted.answer)
        assert read.choices == wanted.choices
