"""Read ARC, OpenBookQA, QASC and CommonsenseQA in the layout of the Hugging Face Hub: the choices
are an object of two lists.

{"id": "NYSEDREGENTS_2006_8_10", "question": "Rocks are classified according to",
 "choices": {"text": ["their color", "how they formed"], "label": ["1", "2"]}, "answerKey": "2"}

In OpenBookQA the question is in "question_stem". CommonsenseQA has an additional field,
"question_concept".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scicot.formats import fields
from scicot.formats.reading import PLAIN, Reading
from scicot.row_fields import Row, RowProblem


def matches(row: Row) -> bool:
    choices = row.get("choices")
    return isinstance(choices, Mapping) and "text" in choices and "label" in choices


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    if not _are_strings(labels) or not _are_strings(texts):
        raise RowProblem('"choices" must hold two lists of strings, "text" and "label"')
    if len(labels) != len(texts):
        raise RowProblem(f'"choices" has {len(texts)} texts and {len(labels)} labels')
    row = fields.with_context(row, reading)
    return fields.labelled(row, fields.choice_rows(labels, texts), reading=reading)


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
