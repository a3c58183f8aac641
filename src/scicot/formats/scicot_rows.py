"""Read scicot's own rows: those in data/*.jsonl and in every file that scicot writes.

{"id": "q1", "question": "Which conducts electricity?",
 "choices": [{"label": "A", "text": "wood"}, {"label": "B", "text": "copper"}], "answer": "B"}
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from scicot.formats import fields, printed
from scicot.formats.names import ANSWERS, plain_name
from scicot.formats.reading import PLAIN, Reading
from scicot.row_fields import MAPPING, Row


@lru_cache(maxsize=256)  # cached because nearly all rows of a file have the same fields
def _has_second_gold(names: tuple[str, ...]) -> bool:
    """Return True if a field other than "answer" is named like a gold answer."""
    return any(plain_name(name) in ANSWERS for name in names if name != "answer")


def matches(row: Row) -> bool:
    """Return True if "choices" is a list in the layout of scicot's own rows. Such a list is empty,
    or has an element that is neither a string nor a number."""
    # Question.from_row reports invalid choices.
    choices = row.get("choices")
    if not isinstance(choices, list):
        return False
    # the type of the first choice nearly always decides
    if not choices or isinstance(choices[0], dict):
        return True
    return not (fields.are_strings(choices) or all(map(fields.is_text_or_number, choices)))


def convert(row: Row, reading: Reading = PLAIN) -> Row:
    choices, answer = row["choices"], row.get("answer")
    if isinstance(row.get("question"), str) and isinstance(answer, str):
        for choice in choices:
            if isinstance(choice, dict) and choice.get("label") == answer:
                if _has_second_gold(tuple(row)) or _has_other_type(choices):
                    break
                # With --columns, the labels are those of the columns, so they are less certain.
                if reading.in_columns and printed.contradicting(answer, choices, "explicit"):
                    break
                return row  # nothing to convert, as in nearly all rows of the largest files
    if not all(map(_is_choice, choices)):
        return row
    gold = fields.gold_of_labels([choice["label"] for choice in choices])
    gold = fields.gold_of_texts([choice["text"] for choice in choices], gold)
    return fields.labelled(row, list(map(_with_strings, choices)), reading=reading, gold=gold)


def _has_other_type(choices: list[Any]) -> bool:
    """Return True if the text of a choice is not a string. Question.from_row reports choices
    without a text."""
    # This runs for each row, so the types are not checked one by one.
    try:
        return {type(choice["text"]) for choice in choices} != {str}
    except (KeyError, TypeError):
        return False


def _is_choice(value: Any) -> bool:
    return (
        isinstance(value, MAPPING)
        and fields.is_text_or_number(value.get("label"))
        and fields.is_text_or_number(value.get("text"))
    )


def _with_strings(choice: Row) -> Row:
    """Convert the label and the text of a choice to strings."""
    label, text = choice["label"], choice["text"]
    if isinstance(label, str) and isinstance(text, str):
        return choice
    return {**choice, "label": str(label), "text": str(text)}
