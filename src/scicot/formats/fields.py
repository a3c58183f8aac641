"""Helpers for converting a row to scicot's own schema, shared by the format modules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol

from scicot.formats.choice_set import Choices
from scicot.formats.gold import GOLD, Gold, read_gold
from scicot.formats.names import CONTEXTS, QUESTIONS, plain_name
from scicot.formats.reading import PLAIN, Reading
from scicot.formats.values import is_blank
from scicot.row_fields import Row, RowProblem, not_a_text

# The gold field if --columns maps the answer, by Gold.single.
_MAPPED_GOLD = {single: Gold(("answer",), (), single=single) for single in (False, True)}


class Format(Protocol):
    """The two functions that every format module defines."""

    def matches(self, row: Row) -> bool:
        """Return True if the names and types of the row's fields are those of this format."""

    def convert(self, row: Row, reading: Reading = PLAIN) -> Row:
        """Return the row in scicot's schema: a new row, or `row` itself if nothing has to be
        converted. Raises RowProblem if the row is invalid."""


class NotText(RowProblem):
    """Raised for a question that cannot be answered from text alone, such as one about an image.
    Such rows are skipped and counted, not reported as errors."""


def first_filled(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the name of the first of these fields that is not blank in the row. Return None if all
    are blank or missing."""
    return next((name for name in names if not is_blank(row.get(name))), None)


def named(row: Mapping[str, Any], plain_names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the row's fields whose plain form (see `plain_name`) is one of
    `plain_names`, in the order of `plain_names`."""
    return _named(tuple(row), tuple(plain_names))


@lru_cache(maxsize=1024)  # cached because nearly all rows of a file have the same fields
def _named(names: tuple[str, ...], plain_names: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(plain_name(name), name)
    return tuple(found[short] for short in plain_names if short in found)


def question_field(row: Mapping[str, Any]) -> str | None:
    """Return the name of the field that holds the question's text, None if there is none."""
    if isinstance(row.get("question"), str) and not is_blank(row["question"]):
        return "question"
    return first_filled(row, named(row, QUESTIONS))


def has_question_text(row: Mapping[str, Any]) -> bool:
    name = question_field(row)
    return name is not None and isinstance(row[name], str)


def rebuilt(
    row: Mapping[str, Any],
    choices: Choices,
    answer: str | None,
    *,
    used: Collection[str | None] = (),
    reading: Reading = PLAIN,
) -> Row:
    """Return the row in scicot's schema, with `choices` and with `answer` as its gold label. The
    fields in `used` are left out.

    Raises RowProblem if no field holds the question's text.
    """
    source = question_field(row)
    if source is None or not isinstance(row[source], str):
        name = source or next(iter(named(row, QUESTIONS)), None)
        raise RowProblem('"question" is missing' if name is None else not_a_text(name, row[name]))
    rewritten = {source, "question", "choices", "answer", *used}
    rest = {name: value for name, value in row.items() if name not in rewritten}
    if reading.recognised is not None:
        reading.recognised.question = reading.recognised.question or source
    return {"question": row[source], "choices": choices.rows, "answer": answer, **rest}


def labelled(
    row: Mapping[str, Any],
    choices: Choices,
    *,
    reading: Reading = PLAIN,
    gold: Gold = GOLD,
    used: Collection[str] = (),
) -> Row:
    """Return the row in scicot's schema, with `choices` and with the gold label that `read_gold`
    finds. The fields in `used` are left out."""
    if reading.columns is not None and reading.columns.maps("answer"):
        gold = _MAPPED_GOLD[gold.single]
    if reading.cells is not None:
        names = reading.cell_names
        choices = replace(choices, cells=reading.cells, numeric=True, columns=names)
    answer, answer_field = read_gold(row, choices, gold, reading)
    return rebuilt(row, choices, answer, used=[*used, answer_field], reading=reading)


def with_context(row: Row, reading: Reading = PLAIN, *, without: Collection[str] = ()) -> Row:
    """Return the row with its context as a string in the field "context".

    Return `row` itself if its "context" is a non-empty string, or if --columns maps the context.
    Otherwise the context is taken from the first field of CONTEXTS, such as "passage", that holds
    a text. The fields in `without` are skipped. Return `row` itself if no field holds a text.
    """
    mapped = reading.columns is not None and reading.columns.maps("context")
    if mapped or (not is_blank(row.get("context")) and isinstance(row["context"], str)):
        if reading.recognised is not None:
            found = "" if is_blank(row.get("context")) else "context"
            reading.recognised.context = reading.recognised.context or found
        return row
    for name in named(row, CONTEXTS):
        text = None if name in without else _text_of(row[name])
        if text:
            rest = {key: value for key, value in row.items() if key not in (name, "context")}
            if reading.recognised is not None:
                reading.recognised.context = name
            return {**rest, "context": text}
    return row


def _text_of(value: Any) -> str | None:
    """Return a context as one text. The value may be a string, a list of strings, or an object with
    a list of strings under "contexts". Return None for other values and blank texts."""
    if isinstance(value, Mapping):
        value = value.get("contexts")  # PubMedQA's layout
    if isinstance(value, list) and value and all(isinstance(text, str) for text in value):
        value = "\n".join(value)
    return value if isinstance(value, str) and value.strip() else None
