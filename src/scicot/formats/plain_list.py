"""Choices as a plain list of texts, the gold answer a text (distilling-step-by-step), a letter,
or a position counted from 0 (MMLU). The labels become A, B, C and so on.

{"question": "A bald eagle flies over St. Paul, where is it?",
 "choices": ["texas", "thermal", "minnesota"], "answer": "minnesota"}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scicot.formats import fields
from scicot.records import Row, RowProblem

# What the Hub's integer columns hold where the gold answer of a test set is kept secret.
_HIDDEN = -1


def matches(row: Row) -> bool:
    choices = row.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(text, str) for text in choices)
    )


def convert(row: Row) -> Row:
    choices = fields.lettered(row["choices"])
    name = fields.first_filled(row, fields.ANSWER_NAMES)
    answer = None if name is None else _gold(name, row[name], choices)
    return fields.rebuilt(row, choices, answer, used=[name])


def _gold(name: str, value: Any, choices: Sequence[fields.ChoiceRow]) -> str | None:
    if isinstance(value, str):
        # The text first: a choice may read "A", and then the letter would mislead.
        label = fields.label_of_text(value, choices) or fields.label_named(value, choices)
        if label is not None:
            return label
    elif isinstance(value, int) and not isinstance(value, bool):
        if value == _HIDDEN:
            return None
        if 0 <= value < len(choices):
            return str(choices[value]["label"])
    # "2" in quotes is refused: nothing says whether its writer counted from 0 or from 1.
    raise RowProblem(
        f'"{name}" is {fields.shown(value)}, which is no choice\'s text, no letter up to '
        f"{choices[-1]['label']} and no position (a JSON number counted from 0)"
    )
