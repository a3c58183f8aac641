"""scicot's own rows; the fields of data/*.jsonl and of everything that scicot writes.

{"id": "q1", "question": "Which conducts electricity?",
 "choices": [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}], "answer": "B"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scicot.formats import fields
from scicot.records import Row


def matches(row: Row) -> bool:
    """Any list but a list of strings: Question.from_row then says what is wrong with an entry."""
    choices = row.get("choices")
    return isinstance(choices, list) and not (choices and all(isinstance(c, str) for c in choices))


def convert(row: Row) -> Row:
    if not all(_is_choice(choice) for choice in row["choices"]):
        return row
    return fields.labelled(row, row["choices"])


def _is_choice(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("label"), str)
        and isinstance(value.get("text"), str)
    )
