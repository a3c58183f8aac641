"""What the formats share: how a row is rewritten, and which choice the gold answer means.

Gold answers met in the wild, for the choices A "wood", B "copper", C "glass":

    "B"   "b"   "copper"   1 (an index, counted from 0)   "" or null or -1 (unlabelled)

One rule reads all of them, in every format, and predictions too (`read_choice`):

1. A JSON string that is exactly a label is that label, whatever the texts of the choices are.
2. A JSON integer is an index. Past the last one it may be a label, see `_read_integer`.
3. Any other string is the text of a choice, or a label in other capitals.

A row may hold its gold answer in several fields (`gold_fields`): what all of them can mean counts.
"""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase
from typing import Any, Protocol

from scicot.row_fields import Row, RowProblem

# The first of these names that holds something is read; the others are fields of the user's own.
QUESTION_NAMES = ("question", "question_stem", "stem", "prompt", "Question")
# The fields of the gold answer, as `plain_name` writes them: "answerKey" and "Answer Key" count.
GOLD_NAMES = ("answer", "answerkey")
# What integer columns of the Hub hold where the gold answer of a test set is kept secret.
_HIDDEN = ("-1", -1)

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


def labelled(
    row: Mapping[str, Any], choices: list[ChoiceRow], *, names: Sequence[str] = GOLD_NAMES
) -> Row:
    """The row in scicot's schema, with the label that its gold fields (`names`) agree on."""
    answer, used = read_gold(row, choices, names)
    return rebuilt(row, choices, answer, used=[used])


@lru_cache(maxsize=1024)
def plain_name(name: str) -> str:
    """A field's name for comparison: "Answer Key" and "answer_key" are "answerkey"."""
    return "".join(character for character in name.lower() if character not in " _-")


def gold_fields(row: Mapping[str, Any], names: Sequence[str] = GOLD_NAMES) -> list[str]:
    """The fields that hold something and are read as the gold answer, in the order of `names`."""
    found = [name for name in row if plain_name(name) in names and not is_blank(row[name])]
    return sorted(found, key=lambda name: names.index(plain_name(name)))


@dataclass(frozen=True, slots=True)
class Reading:
    """The labels that a value can mean; with `doubt` it takes another field to choose.

    Several labels without a doubt are choices of the same text, of which the first is taken.
    """

    labels: tuple[str, ...]
    doubt: str = ""


def read_gold(
    row: Mapping[str, Any], choices: Sequence[ChoiceRow], names: Sequence[str] = GOLD_NAMES
) -> tuple[str | None, str | None]:
    """The gold label and the field that tells it; (None, None) for an unlabelled row.

    A field that names no choice is ignored where another one does. Raises RowProblem where none
    does, and where two fields name different choices.
    """
    readings: dict[str, Reading] = {}
    unread = ""
    for name in gold_fields(row, names):
        reading = read_choice(row[name], choices)
        if reading is not None:
            readings[name] = reading
        elif row[name] not in _HIDDEN:
            unread = unread or name
    if readings:
        return _agreed(row, readings)
    if unread:
        raise RowProblem(
            f'"{unread}" is {shown(row[unread])}, neither a label nor the text of a choice nor an'
            f" index (a JSON integer from 0 to {len(choices) - 1})"
        )
    return None, None


def _agreed(row: Mapping[str, Any], readings: Mapping[str, Reading]) -> tuple[str, str]:
    """The label that all gold fields agree on, and the field it is taken from; RowProblem where
    they can mean none in common."""
    name = min(readings, key=lambda name: len(readings[name].labels))
    for other, reading in readings.items():
        if not set(reading.labels) & set(readings[name].labels):
            told = [
                f'"{own}" is {shown(row[own])}, choice {_either(reading.labels)}'
                for own, reading in readings.items()
                if own in (name, other)
            ]
            raise RowProblem(f"has two gold answers: {', and '.join(told)}; remove the wrong one")
    if all(reading.doubt for reading in readings.values()):
        raise RowProblem(f'"{name}" is {shown(row[name])}, {readings[name].doubt}')
    common = set.intersection(*(set(reading.labels) for reading in readings.values()))
    labels = readings[name].labels
    return next((label for label in labels if label in common), labels[0]), name


def read_choice(value: Any, choices: Sequence[ChoiceRow]) -> Reading | None:
    """The choice that a gold answer or a prediction names; None where it names none."""
    labels = [str(choice["label"]) for choice in choices]
    if isinstance(value, int) and not isinstance(value, bool):
        return _read_integer(value, labels, choices)
    if not isinstance(value, str):
        return None
    if value in labels:
        return Reading((value,))
    said = value.strip()
    exact = [label for label in labels if label.strip() == said]
    if len(exact) == 1:
        return Reading((exact[0],))
    by_text = labels_of_text(said, choices)
    folded = [label for label in labels if label.strip().casefold() == said.casefold()]
    if len(folded) == 1 and (not by_text or folded[0] in by_text):
        return Reading((folded[0],))
    if folded:
        meant = tuple(dict.fromkeys((*by_text, *folded)))
        doubt = f"which can mean choice {_either(meant)}, by text or label; write the label exactly"
        return Reading(meant, doubt)
    return Reading(by_text) if by_text else None


def _read_integer(
    value: int, labels: Sequence[str], choices: Sequence[ChoiceRow]
) -> Reading | None:
    """An index from 0. A larger integer is a label or a text, unless others of them could be taken
    for indices: of rows with the labels 1 to 4, those with the answers 1 to 3 are read as indices.
    """
    if value < 0:
        return None
    if value < len(labels):
        return Reading((labels[value],))
    written = str(value)
    named = (written,) if written in labels else labels_of_text(written, choices)
    if not named:
        return None
    others = {*labels, *(choice["text"] for choice in choices if isinstance(choice["text"], str))}
    if others.isdisjoint(map(str, range(len(labels)))):
        return Reading(named)
    doubt = (
        f"an integer, so an index from 0, and the last one is {len(labels) - 1}; it is also the"
        f" label or text of choice {_either(named)}, so write it as a string"
    )
    return Reading(named, doubt)


def labels_of_text(said: str, choices: Sequence[ChoiceRow]) -> tuple[str, ...]:
    """The labels of the choices with this text; data sets do have the same text twice."""
    return tuple(
        str(choice["label"])
        for choice in choices
        if isinstance(choice["text"], str) and choice["text"].strip() == said.strip()
    )


def _either(labels: Sequence[str]) -> str:
    return " or ".join(map(shown, labels))


def shown(value: Any) -> str:
    """A value short enough for a one-line message."""
    return reprlib.repr(value)
