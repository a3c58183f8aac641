"""Replies of two public data sets, and what scicot reads from each reply."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from scicot.records import Question
from scicot.replies import read_reply

DATA = Path(__file__).parents[2] / "shared" / "data"


READINGS = Path(__file__).parent / "data" / "scienceqa_replies_read.json"


def rows(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def asked_in(row: dict[str, Any]) -> Question:
    return Question.from_row({key: row[key] for key in ("id", "question", "choices", "answer")})


def test_palm_replies_read_as_recorded() -> None:
    """29 of the 4,000 conclusions differ: these replies name two choices, or a label and the text
    of another choice."""
    right = same = 0
    recorded = rows("csqa_palm.train.jsonl")
    for row in recorded:
        reply = read_reply(row["reply"], asked_in(row))
        right += reply.conclusion == row["conclusion"]
        same += reply.rationale.split() == row["rationale"].split()
        assert "Q:" not in reply.rationale
    assert right >= 0.99 * len(recorded)
    assert same >= 0.98 * len(recorded)


def test_llama_replies_read_as_a_person_reads_them() -> None:
    read_by_eye = json.loads(READINGS.read_text())
    drawn = random.Random(read_by_eye["seed"]).sample(rows(read_by_eye["source"]), 100)
    readings = read_by_eye["readings"]
    assert {row["id"] for row in drawn} == set(readings)
    right = [
        read_reply(row["reply"], asked_in(row)).conclusion == readings[row["id"]] for row in drawn
    ]
    assert sum(right) >= 98
