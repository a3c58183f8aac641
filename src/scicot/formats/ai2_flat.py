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
from scicot.formats.choice_set import Choices, are_numeric, choice_rows
from scicot.formats.gold import GOLD, Gold
from scicot.formats.reading import PLAIN, Reading
from scicot.formats.values import is_text_or_number
from scicot.row_fields import Row, RowProblem, as_json

# the layout of ARC defines that "answerKey" is a label
_GOLD = Gold(never_texts=GOLD.never_texts | {"answerkey"})


def matches(row: Row) -> bool:
    choices = row.get("choices")
    return isinstance(choices, Mapping) and "text" in choices and "label" in choices


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    for name, entries in (("label", labels), ("text", texts)):
        _check_list(name, entries)
    if len(labels) != len(texts):
        raise RowProblem(f'"choices" has {len(texts)} texts and {len(labels)} labels')
    if labels and all(isinstance(label, int) and label in (0, 1) for label in labels):
        raise RowProblem(
            'the labels in "choices" are 0 and 1; if they are labels, write them as strings, and if'
            ' they mark the right choice, write its label into the field "answer"'
        )
    row = fields.with_context(row, reading)
    rows = choice_rows([*map(str, labels)], [*map(str, texts)])
    choices = Choices(rows, numeric=are_numeric(labels, texts), written=True)
    return fields.labelled(row, choices, reading=reading, gold=_GOLD)


def _check_list(name: str, value: Any) -> None:
    """Raise RowProblem unless `value` is a list of strings and numbers. `name` is its key."""
    if not isinstance(value, list):
        raise RowProblem('"choices" must hold two lists of strings, "text" and "label"')
    for number, entry in enumerate(value, start=1):
        if not isinstance(entry, str) and not is_text_or_number(entry):
            raise RowProblem(
                f"the {name} of choice {number} is {as_json(entry)}; it must be a string"
            )
