"""Read rows in which the choices are a list of texts. They are labelled A, B, C and so on.

{"question": "A bald eagle flies over St. Paul, where is it?",
 "choices": ["texas", "thermal", "minnesota"], "answer": "minnesota"}

The gold answer is the text of a choice (distilling-step-by-step), a letter, or an index from 0
(MMLU). Numbers in the list are read as texts.
"""

from __future__ import annotations

from dataclasses import replace

from scicot.formats import choices, fields, printed, published
from scicot.formats.reading import PLAIN, Reading
from scicot.row_fields import Row


def matches(row: Row) -> bool:
    found = row.get("choices")
    return (
        isinstance(found, list)
        and bool(found)
        and (fields.are_strings(found) or all(map(fields.is_text_or_number, found)))
        and fields.has_question_text(row)
    )


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    row = fields.with_context(row, reading)
    texts, gold = row["choices"], published.gold_of(tuple(row))
    if not fields.are_strings(texts):  # the case of nearly no row
        gold = fields.gold_of_texts(texts, gold)
        texts = [text if isinstance(text, str) else str(text) for text in texts]
    found = choices.from_texts(texts, choices.letters_of(reading))
    if printed.are_removed(texts[0], found[0]):
        gold = replace(gold, letters="removed")
    return fields.labelled(row, found, reading=reading, gold=gold)
