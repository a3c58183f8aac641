"""A table of two questions, and functions that read the questions of a source."""

from typing import Any

from conftest import Recorder

from scicot import ReadingSettings
from scicot.sources import questions

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
