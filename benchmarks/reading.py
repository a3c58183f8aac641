"""Reading and checking question rows, beside decoding the same lines with `json.loads`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.timing import Ratio, in_pairs
from scicot import sources
from scicot.reporting import LogReporter

GOAL = "no goal: what checking every row costs"
ROWS = 20_000


def measure() -> Ratio:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "questions.jsonl"
        file.write_text("".join(_row(n) for n in range(ROWS)))
        return in_pairs(
            lambda: sources.questions(file, reporter=LogReporter()).check(),
            lambda: [json.loads(line) for line in file.open("rb")],
        )


def _row(number: int) -> str:
    choices = [{"label": label, "text": f"choice {label} of {number}"} for label in "ABCD"]
    question = f"Which of these is number {number}, and why not another one?"
    row = {"id": f"q{number}", "question": question, "choices": choices, "answer": "A"}
    return json.dumps(row) + "\n"
