"""Helpers for converting a row to scicot's own schema, shared by the format modules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from string import ascii_uppercase
from typing import Any, Protocol

from scicot.formats.gold import (
    ChoiceRow,
    Meaning,
    agreed,
    gold_fields,
    is_blank,
    is_hidden,
    read_choice,
    unread,
)
from scicot.formats.indices import meaning_of
from scicot.formats.names import ANSWERS, CONTEXTS, FURTHER_ANSWERS, QUESTIONS, plain_name
from scicot.formats.printed import Letters
from scicot.formats.reading import PLAIN, Base, Positions, Reading
from scicot.row_fields import Row, RowProblem

# Fields of these names hold the gold answer in some files, and a mark (right or wrong) in others.
_MARKS = frozenset({"correct", "richtig", "correcta"})


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


@dataclass(frozen=True, slots=True)
class Gold:
    """The fields of a row that may hold the gold answer, and how their values are written.

    Names of fields and of columns are in the form that `plain_name` returns.

    names: the fields that are read first.
    secondary: the fields that are read after those in `names`.
    bases: maps a field to the number from which its indices count, 0 or 1. A field is missing if
        the data set does not define this number.
    loose: True if integers may count from 0 or from 1, as in tables.
    columns: maps the name of each choice's column to the label of the choice, for gold answers that
        name a column. A column "opt01" is also found under "01".
    single: True if the gold answer may be wrapped in a list of one element.
    positions: the label of each choice cell in order, None for a blank cell. Blank cells have
        indices too. Empty if no cell can be blank.
    """

    names: tuple[str, ...] = ANSWERS
    secondary: tuple[str, ...] = FURTHER_ANSWERS
    bases: Mapping[str, Base] = field(default_factory=dict)
    loose: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    single: bool = False
    positions: Positions = ()
    letters: Letters = "none"

    def value(self, row: Mapping[str, Any], name: str) -> Any:
        value = row[name]
        if self.single and isinstance(value, list) and len(value) == 1:
            return value[0]
        return value

    def column(self, value: Any, choices: Sequence[ChoiceRow]) -> Meaning | None:
        """Return the choice whose column is named `value`, such as "Option B".

        Return None if there is no such column, or if `value` names a choice in another way.
        """
        if not (self.columns and isinstance(value, str)) or read_choice(value, choices) is not None:
            return None
        label = self.columns.get(plain_name(value))
        if not any(choice["label"] == label for choice in choices):
            return None
        return Meaning((str(label),), kind="labels")


GOLD = Gold()


def first_filled(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the name of the first of these fields that is not blank in the row. Return None if all
    are blank or missing."""
    return next((name for name in names if not is_blank(row.get(name))), None)


def named(row: Mapping[str, Any], plain_names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the row's fields that `plain_name` converts to one of `plain_names`, in
    the order of `plain_names`."""
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


def is_text_or_number(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def are_strings(values: Iterable[Any]) -> bool:
    """Return True if the type of all values is str. This check is fast enough for each row of the
    largest files. It returns False for instances of subclasses of str."""
    return set(map(type, values)) == {str}


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def gold_of_labels(labels: Sequence[Any], gold: Gold = GOLD) -> Gold:
    """Return `gold`, with `loose` set to True if any label is a number. The labels 0, 1, 2 and so
    on are an exception, because they are equal to the indices of the choices."""
    # An integer as the gold answer may be a label or an index.
    if not any(map(is_number, labels)) or list(labels) == list(range(len(labels))):
        return gold
    return replace(gold, loose=True)


def gold_of_texts(texts: Iterable[Any], gold: Gold) -> Gold:
    """Return `gold`, with `loose` set to True if any of `texts`, the texts of the choices before
    numbers are converted to strings, is a number."""
    # A number as the gold answer may then be the text of a choice or an index.
    return replace(gold, loose=True) if any(map(is_number, texts)) else gold


def choice_rows(labels: Sequence[str], texts: Sequence[Any]) -> list[ChoiceRow]:
    return [{"label": label, "text": text} for label, text in zip(labels, texts, strict=True)]


def lettered(texts: Sequence[Any]) -> list[ChoiceRow]:
    """Make choices from a list of texts, labelled A, B, C and so on. Raises RowProblem for more
    than 26 texts."""
    if len(texts) > len(ascii_uppercase):
        raise RowProblem(f'"choices" has {len(texts)}; at most {len(ascii_uppercase)} are read')
    return choice_rows(ascii_uppercase[: len(texts)], texts)


def rebuilt(
    row: Mapping[str, Any],
    choices: list[ChoiceRow],
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
    if source is None:
        raise RowProblem('"question" is missing or empty')
    rewritten = {source, "question", "choices", "answer", *used}
    rest = {name: value for name, value in row.items() if name not in rewritten}
    if reading.recognised is not None:
        reading.recognised.question = reading.recognised.question or source
    return {"question": row[source], "choices": choices, "answer": answer, **rest}


def labelled(
    row: Mapping[str, Any],
    choices: list[ChoiceRow],
    *,
    reading: Reading = PLAIN,
    gold: Gold = GOLD,
    used: Collection[str] = (),
) -> Row:
    """Return the row in scicot's schema, with `choices` and with the gold label that `read_gold`
    finds. The fields in `used` are left out."""
    if reading.columns is not None and reading.columns.maps("answer"):
        gold = replace(gold, names=("answer",), secondary=(), bases={})
    if reading.in_columns:
        gold = replace(gold, loose=True, positions=reading.positions)
    answer, answer_field = read_gold(row, choices, gold, reading)
    return rebuilt(row, choices, answer, used=[*used, answer_field], reading=reading)


def read_gold(
    row: Mapping[str, Any],
    choices: Sequence[ChoiceRow],
    gold: Gold = GOLD,
    reading: Reading = PLAIN,
) -> tuple[str | None, str | None]:
    """Return (gold label, name of its field), or (None, None) if the row has no gold answer.

    Raises RowProblem if the gold fields contradict each other, or if the gold answer is ambiguous.
    Also raises RowProblem if the row has gold answers, but none of them names a choice.
    """
    meanings: dict[str, Meaning] = {}
    unread_field, blank = "", None
    fields = gold_fields(row, gold.names)
    secondary = gold_fields(row, gold.secondary) if gold.secondary else []
    if fields and secondary:
        secondary = [name for name in secondary if plain_name(name) not in _MARKS]
    for name in (*fields, *secondary):
        value = gold.value(row, name)
        if is_hidden(value):
            continue
        base = gold.bases.get(plain_name(name)) if gold.bases else None
        by_column = gold.column(value, choices) if gold.columns else None
        meaning = by_column or meaning_of(
            value,
            choices,
            name=name,
            reading=reading,
            base=base,
            loose=gold.loose,
            positions=gold.positions,
            letters=gold.letters,
        )
        if meaning is not None and meaning.labels:
            meanings[name] = meaning
        # In a secondary field, a list, an object or a boolean is probably no gold answer.
        elif name in fields or not isinstance(value, list | dict | bool):
            blank = blank if unread_field else meaning
            unread_field = unread_field or name
    if meanings:
        label, name = agreed(row, meanings)
        if reading.recognised is not None:
            reading.recognised.answer, reading.recognised.kind = name, meanings[name].kind
        return label, name
    if unread_field:
        raise unread(row, unread_field, choices, len(gold.positions or choices), blank)
    return None, None


def with_context(row: Row, reading: Reading = PLAIN, *, without: Collection[str] = ()) -> Row:
    """Return the row with its context as a string in the field "context".

    Return `row` itself if its "context" is a filled string, or if --columns maps the context.
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
