"""What the formats share: how a row is rewritten, and which choice the gold answer means.

Gold answers met in the wild, for the choices A "wood", B "copper", C "glass":

    "B"   "b"   "copper"   1 (a position, counted from 0)   "" or null (unlabelled)
"""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping, Sequence
from string import ascii_uppercase
from typing import Any, Protocol

from scicot.records import Row, RowProblem

# The first of these names that holds something is read; the others are fields of the user's own.
QUESTION_NAMES = ("question", "question_stem", "stem", "prompt", "Question")
ANSWER_NAMES = ("answer", "answerKey", "AnswerKey")

ChoiceRow = dict[str, Any]


class Format(Protocol):
    """What each module of a format offers, as two plain functions."""

    def matches(self, row: Row) -> bool:
        """Whether the row is of this format, going by its fields and their types."""

    def convert(self, row: Row) -> Row:
        """A new row in scicot's schema; raises RowProblem for one that is broken."""


class NotText(RowProblem):
    """A question that text alone cannot answer. Such rows are skipped and counted, not errors."""


def is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def first_filled(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of these names under which the row holds something; None where all are blank."""
    return next((name for name in names if not is_blank(row.get(name))), None)


def has_question_text(row: Mapping[str, Any]) -> bool:
    name = first_filled(row, QUESTION_NAMES)
    return name is not None and isinstance(row[name], str)


def choice_rows(labels: Sequence[str], texts: Sequence[Any]) -> list[ChoiceRow]:
    return [{"label": label, "text": text} for label, text in zip(labels, texts, strict=True)]


def lettered(texts: Sequence[Any]) -> list[ChoiceRow]:
    """Choices that came without labels: A, B, C and so on."""
    if len(texts) > len(ascii_uppercase):
        raise RowProblem(f'"choices" has {len(texts)}; at most {len(ascii_uppercase)} are read')
    return choice_rows(ascii_uppercase[: len(texts)], texts)


def rebuilt(
    row: Mapping[str, Any],
    choices: list[ChoiceRow],
    answer: str | None,
    *,
    used: Collection[str | None] = (),
) -> Row:
    """The row in scicot's schema; fields in `used` have been read and are not repeated.

    Raises RowProblem where no field holds the question's text.
    """
    source = first_filled(row, QUESTION_NAMES)
    if source is None:
        raise RowProblem('"question" is missing or empty')
    rewritten = {source, "question", "choices", "answer", *used}
    rest = {name: value for name, value in row.items() if name not in rewritten}
    return {"question": row[source], "choices": choices, "answer": answer, **rest}


def labelled(row: Mapping[str, Any], choices: list[ChoiceRow]) -> Row:
    """A row whose choices came with labels: the gold answer is a label, or else a choice's text."""
    name = first_filled(row, ANSWER_NAMES)
    answer = None if name is None else gold_of_labelled(name, row[name], choices)
    return rebuilt(row, choices, answer, used=[name])


def gold_of_labelled(name: str, value: Any, choices: Sequence[ChoiceRow]) -> str:
    """The label meant where the choices have labels of their own (3 is the label "3" then)."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        label = label_named(value, choices) or label_of_text(value, choices)
        if label is not None:
            return label
    raise RowProblem(f'"{name}" is {shown(value)}, neither a label nor the text of a choice')


def label_named(value: str, choices: Sequence[ChoiceRow]) -> str | None:
    """The label that is this value, or that it is but for capitals and spaces around."""
    labels = [str(choice["label"]) for choice in choices]
    if value in labels:
        return value
    folded = value.strip().casefold()
    return next((label for label in labels if label.strip().casefold() == folded), None)


def label_of_text(value: str, choices: Sequence[ChoiceRow]) -> str | None:
    """The label of the first choice with this text; data sets do have the same text twice."""
    for choice in choices:
        text = choice["text"]
        if isinstance(text, str) and text.strip() == value.strip():
            return str(choice["label"])
    return None


def shown(value: Any) -> str:
    """A value short enough for a one-line message."""
    return reprlib.repr(value)
