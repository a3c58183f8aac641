"""The choices of one row, as read from its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Literal

from scicot.formats.values import is_number
from scicot.row_fields import RowProblem

ChoiceRow = dict[str, Any]
Cells = tuple[str | None, ...]  # see Choices.cells

# Where the labels of choices come from:
# - "row": from the row, from the names of its columns, or from the order of objects,
# - "texts": from letters that were printed before the texts, and are removed,
# - "order": from the order of a list of texts. Choices in scicot's own schema and in cells of a
#   table count as such, because their labels may have been made when the file was written.
LabelSource = Literal["row", "texts", "order"]


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of a row.

    rows: one dict for each choice, with the keys "label" and "text". All labels are strings.
    cells: the label of each cell that may hold a choice, in order. None stands for a blank cell.
        Blank cells are listed because indices count them too. By default, no cell is blank.
    labels_from: where the labels come from.
    numeric: False if gold answers that are integers are indices from 0. True if such integers may
        also be labels, texts or indices from 1.
    written: True if the row itself writes a label for each choice, as in {"A": "wood"}.
    columns: maps the name of each choice's column to the label of the choice, for gold answers that
        name a column. The names are in the form that `plain_name` returns. None if the choices are
        not in columns.
    """

    rows: list[ChoiceRow]
    cells: Cells = ()
    labels_from: LabelSource = "order"
    numeric: bool = False
    columns: Mapping[str, str] | None = None
    written: bool = False

    def __post_init__(self) -> None:
        if not self.cells:
            object.__setattr__(self, "cells", tuple([choice["label"] for choice in self.rows]))

    @property
    def labels_written(self) -> bool:
        """True if the row itself writes the labels of the choices: in the objects of the choices
        ({"label": "A", ...}), as keys ({"A": ...}), or before their texts ("(A) wood")."""
        return self.written or self.labels_from == "texts"

    @property
    def extent(self) -> int:
        """The length of `cells` without the blank cells at the end."""
        count = len(self.cells)
        while count and self.cells[count - 1] is None:
            count -= 1
        return count


def choice_rows(labels: Sequence[str], texts: Sequence[Any]) -> list[ChoiceRow]:
    return [{"label": label, "text": text} for label, text in zip(labels, texts, strict=True)]


def lettered(texts: Sequence[Any]) -> list[ChoiceRow]:
    """Make choices from a list of texts, labelled A, B, C and so on. Raises RowProblem for more
    than 26 texts."""
    if len(texts) > len(ascii_uppercase):
        raise RowProblem(f"has {len(texts)} choices; at most {len(ascii_uppercase)} are allowed")
    return choice_rows(ascii_uppercase[: len(texts)], texts)


def are_numeric(labels: Sequence[Any], texts: Sequence[Any]) -> bool:
    """Return True if any label or text is a number instead of a string. Labels that are exactly 0,
    1, 2 and so on are ignored."""
    # The labels 0, 1, 2 are also the indices of the choices, so an integer has only one meaning.
    if any(map(is_number, texts)):
        return True
    return any(map(is_number, labels)) and list(labels) != list(range(len(labels)))
