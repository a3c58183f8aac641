"""Choices as a plain list of texts, the gold answer a text (distilling-step-by-step), a letter,
or an index counted from 0 (MMLU). The labels become A, B, C and so on.

{"question": "A bald eagle flies over St. Paul, where is it?",
 "choices": ["texas", "thermal", "minnesota"], "answer": "minnesota"}
"""

from __future__ import annotations

from scicot.formats import fields
from scicot.row_fields import Row


def matches(row: Row) -> bool:
    choices = row.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(text, str) for text in choices)
    )


def convert(row: Row) -> Row:
    return fields.labelled(row, fields.lettered(row["choices"]))
