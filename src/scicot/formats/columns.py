"""Recognise the header of a table, and convert the cells of scicot's own fields.

All cells of a CSV file are strings. Some of scicot's own fields, such as "scores", have values that
are not strings. The cells of these fields are parsed as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from scicot.formats import choice_columns, fields
from scicot.formats.names import (
    CHOICES,
    GAP_CHOICES,
    IDS,
    QUESTIONS,
    QUESTIONS_BESIDE_CHOICES,
    plain_name,
)
from scicot.jsonl import decode
from scicot.row_fields import Row

# scicot's own fields that are not strings. CSV cells hold them as JSON: undecoded, the cell "False"
# of "saw_answer" would count as true.
_JSON_CELLS = (
    "sample", "saw_answer", "usage", "meta", "rationales", "scores", "confidence", "models",
)  # fmt: skip
# If the cell of one of these fields is empty, the row has no value for the field.
_OPTIONAL_CELLS = ("id", "teacher", "conclusion", "still_concludes", "request", "prediction")
_WIDE = 5  # columns from which a table is wide: question, two choices, answer and one more
_HEADING = 40  # maximum length of a heading, in characters
_RENAMED = {"id": IDS, "prediction": ("prediction",)}


def is_header(names: Iterable[str], mapped: Iterable[str] = ()) -> bool:
    """Return True if these column names are the header of a table of questions or of predictions.
    `mapped` are the column names given by --columns."""
    columns = tuple(name.strip() for name in names)
    plain_names = {plain_name(name) for name in columns}
    answers = plain_names & set(IDS) and "prediction" in plain_names
    stories = any(set(pair) <= set(columns) for pair in GAP_CHOICES)
    if answers or stories or plain_names & set(QUESTIONS) or set(columns) & set(mapped):
        return True
    possible_questions = plain_names & set(QUESTIONS_BESIDE_CHOICES)
    return bool(
        possible_questions and (plain_names & set(CHOICES) or choice_columns.families(columns))
    )


def is_sparse(
    header: Sequence[str], filled: Mapping[str, str], mapped: Collection[str] = ()
) -> bool:
    """Return True if a record of a table is probably not a question, but a heading or a total.
    `filled` maps column names to the cells that are not empty. `mapped` are the column names given
    by --columns.

    Records of predictions are never sparse. Any other record is sparse in three cases:
    - The table has at least three columns, and only one cell is filled. This cell is neither in a
      question column nor in a mapped column.
    - The table has at least _WIDE columns, and only two cells are filled. Neither cell is in a
      question column or in a mapped column.
    - The table has at least _WIDE columns, and only one cell is filled. This cell is in a question
      column or in a mapped column, and its text looks like a heading ("Part B").
    """
    if "prediction" in map(plain_name, header) or not filled:
        return False
    question_names = {*QUESTIONS, *QUESTIONS_BESIDE_CHOICES}
    question_cells = [
        name for name in filled if name in mapped or plain_name(name) in question_names
    ]
    if question_cells:
        text = filled[question_cells[0]]
        # A heading is short and has no question mark.
        heading = "?" not in text and len(text) <= _HEADING
        return len(filled) == 1 and len(header) >= _WIDE and heading
    return len(filled) == 1 < len(header) - 1 or (len(filled) == 2 and len(header) >= _WIDE)


def cells(row: Row) -> Row:
    """Return a copy of a table's row, in which the cells of scicot's own fields are converted to
    values.

    The column of the id, such as "Question ID", is renamed to "id". The column of the prediction,
    such as "Prediction", is renamed to "prediction".
    """
    return _typed(_renamed(row))


def _renamed(row: Row) -> Row:
    row = dict(row)
    for own_name, aliases in _RENAMED.items():
        found = fields.named(row, aliases)
        name = fields.first_filled(row, found) or next(iter(found), None)
        if name is not None and name != own_name:
            row[own_name] = row.pop(name)
    return row


def _typed(row: Row) -> Row:
    typed = dict(row)
    for name in (*_JSON_CELLS, *_OPTIONAL_CELLS):
        cell = row.get(name)
        if not isinstance(cell, str):
            continue
        if name in _JSON_CELLS:
            typed[name] = _value(cell)
            if typed[name] is None:
                del typed[name]
        elif not cell.strip():
            typed[name] = None
    return typed


def _value(cell: str) -> Any:
    """Parse a cell as JSON. Return None for a blank cell, and the cell itself if it is not JSON."""
    if not cell.strip():
        return None
    try:
        return decode(cell.lower() if cell in ("True", "False") else cell)
    except ValueError:
        return cell  # from_row of the record class accepts or rejects it
