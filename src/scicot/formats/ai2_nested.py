"""Read the official files of ARC, OpenBookQA, QASC and CommonsenseQA: the question is an object
that contains the choices.

{"id": "7-980", "question": {"stem": "The sun is responsible for", "choices":
 [{"text": "puppies learning", "label": "A"}, {"text": "plants sprouting", "label": "B"}]},
 "answerKey": "B"}

QASC has additional fields in the row, such as "fact1". CommonsenseQA has an additional field in the
question object, "question_concept".
"""

from __future__ import annotations

from collections.abc import Mapping

from scicot.formats import general, scicot_rows
from scicot.formats.reading import PLAIN, Reading
from scicot.records import QUESTION_FIELDS
from scicot.row_fields import Row


def matches(row: Row) -> bool:
    question = row.get("question")
    return isinstance(question, Mapping) and "stem" in question and "choices" in question


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    nested = dict(row["question"])
    flat = {**row, "question": nested.pop("stem"), "choices": nested.pop("choices")}
    for name, value in nested.items():
        # If the row has a field of the same name, the nested one is renamed, so that neither is
        # lost.
        taken = name in row or name in QUESTION_FIELDS
        flat[f"question.{name}" if taken else name] = value
    if scicot_rows.matches(flat):
        return scicot_rows.convert(flat, reading)
    try:
        return general.convert(flat, reading)
    except general.Unread:
        return flat  # Question.from_row says what is wrong
