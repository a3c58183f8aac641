"""Read and check question rows, compared with `json.loads` on the same lines."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.timing import Ratio, in_pairs
from scicot import sources
from scicot.reporting import LogReporter, Muted

GOAL = "no goal: what checking every row costs"
ROWS = 20_000
LAYOUT_ROWS = 10_000  # rows of each other layout; times are scaled by a hundred to a million rows
_PAIRS = 3

Row = dict[str, Any]


def measure() -> Ratio:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "questions.jsonl"
        file.write_text("".join(json.dumps(_scicot_row(n)) + "\n" for n in range(ROWS)))
        return in_pairs(partial(_check, file), partial(_decode, file))


def print_figures() -> None:
    """Print the time to read and check a row of each common layout, and of a CSV file."""
    print(f"  {'layout':<22}{'us a row':>10}{'json.loads':>12}{'ratio':>8}{'a million':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for name, row in LAYOUTS.items():
            file = Path(folder) / "rows.jsonl"
            rows = [row(number) for number in range(LAYOUT_ROWS)]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            _print_ratio(name, in_pairs(partial(_check, file), partial(_decode, file), _PAIRS))
        rows = [_columns(number) for number in range(LAYOUT_ROWS)]
        table = Path(folder) / "rows.csv"
        with table.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        _print_ratio("CSV", in_pairs(partial(_check, table), partial(_decode, file), _PAIRS))


def _print_ratio(name: str, ratio: Ratio) -> None:
    ours_us, reference = (1e6 * seconds / LAYOUT_ROWS for seconds in (ratio.ours, ratio.theirs))
    print(f"  {name:<22}{ours_us:>10.1f}{reference:>12.1f}{ratio.ratio:>8.1f}{ours_us:>10.0f} s")


def _check(file: Path) -> int:
    return sources.questions(file, reporter=Muted(LogReporter())).check()


def _decode(file: Path) -> list[Any]:
    with file.open("rb") as stream:
        return [json.loads(line) for line in stream]


def _texts(number: int) -> list[str]:
    return [f"choice {label} of {number}" for label in "ABCD"]


def _question_text(number: int) -> str:
    return f"Which of these is number {number}, and why not another one?"


def _scicot_row(number: int) -> Row:
    choices = [{"label": label, "text": f"choice {label} of {number}"} for label in "ABCD"]
    return {
        "id": f"q{number}",
        "question": _question_text(number),
        "choices": choices,
        "answer": "A",
    }


def _columns(number: int) -> Row:
    texts = dict(zip("ABCD", _texts(number), strict=True))
    return {"question": _question_text(number), **texts, "answer": "ABCD"[number % 4]}


def _hub(number: int) -> Row:
    choices = {"text": _texts(number), "label": list("ABCD")}
    return {
        "id": f"q{number}",
        "question": _question_text(number),
        "choices": choices,
        "answerKey": "B",
    }


def _list(number: int) -> Row:
    return {"question": _question_text(number), "choices": _texts(number), "answer": number % 4}


def _options(number: int) -> Row:
    texts = _texts(number)
    options = dict(zip("ABCD", texts, strict=True))
    return {
        "question": _question_text(number),
        "options": options,
        "answer": texts[1],
        "answer_idx": "B",
    }


def _distractors(number: int) -> Row:
    right, *wrong = _texts(number)
    distractors = {f"distractor{position}": text for position, text in enumerate(wrong, start=1)}
    return {
        "question": _question_text(number),
        **distractors,
        "correct_answer": right,
        "support": "It is.",
    }


def _endings(number: int) -> Row:
    endings = {f"ending{index}": text for index, text in enumerate(_texts(number))}
    return {"sent1": f"Case {number}.", "sent2": "It", **endings, "label": number % 4}


def _yes_no(number: int) -> Row:
    return {"question": _question_text(number), "passage": "It is so.", "answer": number % 2 == 0}


LAYOUTS: dict[str, Callable[[int], Row]] = {
    "scicot's own": _scicot_row,
    "ARC on the Hub": _hub,
    "MMLU": _list,
    "MedQA": _options,
    "SciQ": _distractors,
    "SWAG": _endings,
    "BoolQ": _yes_no,
    "columns A to D": _columns,
}
