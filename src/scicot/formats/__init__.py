"""Question rows as met in the wild, brought into scicot's own schema.

A row's format is recognised by what it holds, row by row, never by its file's name. Gold answers
may be missing everywhere, and fields that a format does not know pass through untouched.

    {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1, "mine": "x"}    becomes
    {"question": "2 + 2?", "choices": [{"label": "A", "text": "3"}, {"label": "B", "text": "4"}],
     "answer": "B", "mine": "x"}

A new format is one module with these two functions and one line in the table below; the first
that matches is taken.
"""

from __future__ import annotations

import json

from scicot.formats import ai2_flat, ai2_nested, columns, copa, own, plain_list, scienceqa
from scicot.formats.fields import Format, NotText
from scicot.row_fields import Row, RowProblem

__all__ = ["NotText", "to_question_row"]


_FORMATS: tuple[Format, ...] = (
    copa,  # first, since its "question" holds no question, whatever the form of its choices
    own,
    ai2_nested,
    ai2_flat,
    scienceqa,  # before plain_list, whose choices it shares
    plain_list,
    columns,
)

_NAMES_SHOWN = 12
_NAME_LENGTH = 40


def to_question_row(row: Row) -> Row:
    """The row in scicot's schema, ready for `from_row` of any record; the row given is not changed.

    Raises RowProblem for a row of no known format, NotText for a question about an image.
    """
    for form in _FORMATS:
        if form.matches(row):
            return form.convert(row)
    raise RowProblem(
        f"not a question row: {_named(row)}; one needs "
        '"question" and "choices" (and "answer", where it is known)'
    )


def _named(row: Row) -> str:
    if not row:
        return "it has no fields"
    names = [json.dumps(name[:_NAME_LENGTH], ensure_ascii=False) for name in row]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"it has the fields {', '.join(names[:_NAMES_SHOWN])}{more}"
