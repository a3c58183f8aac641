"""Convert question rows of public formats to scicot's own schema.

The format of each row is recognised by its fields, never by the file's name. Gold answers may be
missing in any format, and unknown fields are kept unchanged.

    {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1, "mine": "x"}    becomes
    {"question": "2 + 2?", "choices": [{"label": "A", "text": "3"}, {"label": "B", "text": "4"}],
     "answer": "B", "mine": "x"}

The modules in _FORMATS are tried first, in the order of the list. If none of them matches a row,
general.py reads it by the names and types of its fields.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from scicot.formats import (
    ai2_flat,
    ai2_nested,
    copa,
    general,
    plain_list,
    scicot_rows,
    scienceqa,
    story_gaps,
)
from scicot.formats.fields import Format, NotText, named, with_context
from scicot.formats.general import Unread
from scicot.formats.mapped_rows import is_scicot_row, mapped_row
from scicot.formats.mapping import Columns
from scicot.formats.names import QUESTIONS
from scicot.formats.reading import (
    PLAIN,
    Evidence,
    MappedFields,
    MissingField,
    Reading,
    Recognised,
    UncertainIndex,
)
from scicot.formats.suggested_columns import option_for, question_problem
from scicot.formats.values import is_blank
from scicot.row_fields import Row, RowProblem, not_a_text

__all__ = [
    "PLAIN",
    "Columns",
    "Evidence",
    "MappedFields",
    "MissingField",
    "NotText",
    "Reading",
    "Recognised",
    "UncertainIndex",
    "is_scicot_row",
    "mapped_row",
    "recognised",
    "to_question_row",
]


_FORMATS: tuple[Format, ...] = (
    copa,  # first, since its "question" field holds only "cause" or "effect"
    scicot_rows,
    ai2_nested,
    ai2_flat,
    scienceqa,  # before plain_list, which also matches its choices
    plain_list,
    story_gaps,
)

_NAMES_SHOWN = 12
_NAME_LENGTH = 40


def to_question_row(row: Row, reading: Reading = PLAIN) -> Row:
    """Convert a row to scicot's schema, so that `Question.from_row` and the other record classes
    can parse it. Return a new row, or `row` itself if nothing has to be converted.

    Raises RowProblem if the row cannot be converted. Its subclasses have these causes:
    - NotText: the question is about an image.
    - UncertainIndex: the gold answer has several meanings. Other rows may show which is meant.
    - MissingField: --columns names a field that is missing (see reading.py).
    """
    columns = reading.columns
    if columns is not None:
        mapped = mapped_row(row, reading)
        if mapped is row:
            reading = replace(reading, columns=None)
        else:
            cells = columns.cell_labels(row)
            if cells is not None:
                cell_names = columns.labels_by_name(row)
                reading = replace(reading, cells=cells, cell_names=cell_names)
            _check_mapped_question(mapped, reading)
            row = with_context(mapped, reading)
    for form in _FORMATS:
        if form.matches(row):
            return form.convert(row, reading)
    try:
        return general.convert(row, reading)
    except Unread:
        list_field = _several_questions(row)
        if list_field is not None:
            raise RowProblem(
                f'holds several questions in one row (the list in "{list_field}"); write a row for'
                " each of them, with its choices and its answer"
            ) from None
        problem = question_problem(row)
        if problem is not None:
            raise RowProblem(problem) from None
        raise RowProblem(
            f"not a question row: {_named(row)}; a row needs "
            '"question" and "choices" (and "answer", if known);'
            f" name the fields that hold them: {option_for(row)}"
        ) from None


def _check_mapped_question(mapped: Row, reading: Reading) -> None:
    """Raise RowProblem if --columns maps the question to a field that is blank, a number or a
    boolean. `mapped` is the row after --columns was applied."""
    # Otherwise another field such as "prompt" would be read as the question, without a notice.
    field = reading.columns.roles.get("question") if reading.columns is not None else None
    value = mapped.get("question")
    if field is not None and (is_blank(value) or not isinstance(value, Collection)):
        raise RowProblem(not_a_text(field, value))


def _several_questions(row: Row) -> str | None:
    """Return the name of the field that lists the questions of a row, as in the files of RACE and
    QuALITY. Return None if the row does not hold several questions."""
    # Another field lists the choices of each question, and has as many elements.
    lists = {name: value for name, value in row.items() if isinstance(value, list) and value}
    sizes = {len(v) for v in lists.values() if all(isinstance(entry, list) for entry in v)}
    named = (name for name in lists if "question" in str(name).casefold())
    return next(
        (name for name in named if len(lists[name]) in sizes),
        next((name for name in lists if all(map(_is_question, lists[name]))), None),
    )


def _is_question(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(named(value, QUESTIONS))


def recognised(row: Row, reading: Reading = PLAIN) -> Recognised:
    """Return the names of the fields from which the question, the choices, the answer and the
    context of a row are read. Raises the same exceptions as `to_question_row`."""
    result = Recognised()
    converted = to_question_row(row, replace(reading, recognised=result))
    result.question = result.question or "question"
    result.choices = result.choices or "choices"
    if not result.context and converted.get("context"):
        result.context = "context"
    if not result.answer and converted.get("answer") is not None:
        result.answer, result.kind = "answer", "labels"
    if reading.columns is not None:
        for role in ("question", "choices", "answer", "context"):
            if role in reading.columns.roles and getattr(result, role) == role:
                setattr(result, role, reading.columns.roles[role])
    return result


def _named(row: Row) -> str:
    if not row:
        return "it has no fields"
    names = [json.dumps(name[:_NAME_LENGTH], ensure_ascii=False) for name in row]
    rest_note = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"it has the fields {', '.join(names[:_NAMES_SHOWN])}{rest_note}"
