"""Read rows in which the choices are a list of texts. They are labelled A, B, C and so on.

{"question": "A bald eagle flies over St. Paul, where is it?",
 "choices": ["texas", "thermal", "minnesota"], "answer": "minnesota"}

The gold answer is the text of a choice (distilling-step-by-step), a letter, or an index from 0
(MMLU). Numbers in the list are read as texts.
"""

from __future__ import annotations

from scicot.formats import choices, fields, published
from scicot.formats.reading import PLAIN, Reading
from scicot.formats.values import are_strings, is_text_or_number
from scicot.row_fields import Row


def matches(row: Row) -> bool:
    found = row.get("choices")
    return (
        isinstance(found, list)
        and bool(found)
        and (are_strings(found) or all(map(is_text_or_number, found)))
        and fields.has_question_text(row)
    )


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    row = fields.with_context(row, reading)
    found = choices.from_texts(row["choices"], choices.letters_of(reading))
    gold = published.gold_of(tuple(row))
    return fields.labelled(row, found, reading=reading, gold=gold)
