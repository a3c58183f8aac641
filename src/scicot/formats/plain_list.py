"""Read choices given as a list of texts. The gold answer is a text (distilling-step-by-step), a
letter, or an index from 0 (MMLU). The choices are labelled A, B, C and so on.

{"question": "A bald eagle flies over St. Paul, where is it?",
 "choices": ["texas", "thermal", "minnesota"], "answer": "minnesota"}
"""

from __future__ import annotations

from scicot.formats import choices, fields, published
from scicot.formats.reading import PLAIN, Reading
from scicot.row_fields import Row


def matches(row: Row) -> bool:
    found = row.get("choices")
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(text, str) for text in found)
        and fields.has_question_text(row)
    )


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    row = fields.with_context(row, reading)
    gold = published.gold_of(tuple(row))
    return fields.labelled(row, choices.from_texts(row["choices"]), reading=reading, gold=gold)
