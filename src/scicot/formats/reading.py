"""Settings and evidence for reading one file: the user's options, the base of its answer indices.

A numeric gold answer can be an index from 0 or from 1. `Tally` collects the evidence in the rows of
a file: a 0 is impossible counting from 1, and a number equal to the number of choices is impossible
counting from 0. A mere majority decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from scicot.row_fields import Row, RowProblem

Base = Literal[0, 1]


class UncertainIndex(RowProblem):
    """A numeric gold answer that may count from 0 or from 1."""


@dataclass(slots=True)
class Tally:
    """Counts of a file's numeric gold answers by their possible meanings, one count per row."""

    zeros: int = 0
    lasts: int = 0  # answers equal to the number of choices
    indices: int = 0  # answers that are neither a label nor the text of a choice
    texts: int = 0  # answers that are the text of a choice and no index

    @property
    def base(self) -> Base | None:
        """The base of the indices, 0 or 1; None if the rows prove neither or contradict each
        other."""
        if bool(self.zeros) == bool(self.lasts):
            return None
        return 0 if self.zeros else 1

    @property
    def all_texts(self) -> bool:
        """True if numeric answers in this file are choice texts, not indices."""
        return not self.indices


@dataclass(slots=True)
class Recognised:
    """The fields from which each part of a question was read, as shown in messages."""

    question: str = ""
    choices: str = ""
    answer: str = ""
    kind: str = ""  # how answers are written: "labels", "texts", "index from 0"
    context: str = ""
    shuffled: bool = False

    def line(self) -> str:
        """Format the parts and their fields as "question = Frage, choices = A-D, answer = Richtig
        (labels)"."""
        kind = f" ({self.kind})" if self.kind else ""
        parts = [
            f"question = {self.question}",
            f"choices = {self.choices}",
            f"answer = {self.answer}{kind}" if self.answer else "no answer",
            f"context = {self.context}" if self.context else "",
        ]
        shuffled = "; the choices are shuffled by a hash of the question, the same in each run"
        return ", ".join(filter(None, parts)) + (shuffled if self.shuffled else "")


class FieldMapping(Protocol):
    """The user's mapping of fields to the parts of a question (mapping.Columns)."""

    @property
    def roles(self) -> Mapping[str, str]: ...
    def tabular(self, row: Row) -> bool: ...
    def maps(self, role: str) -> bool: ...
    def missing(self, row: Row) -> list[str]: ...
    def applied(self, row: Row) -> Row: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings for converting rows to scicot's schema.

    strict: the row is from a file. A numeric answer in a table then counts as an index only if rows
    of the file prove its base (for single rows see docs/rows.md). in_columns: the user mapped the
    choices to several columns, so numbers are treated as those of a table. ordered: accept only
    layouts that define the order of choices. `tallies`: the evidence by gold field, after a first
    pass over the file; `tally` collects it during that pass. `recognised`, if given, is filled with
    the fields that were read.
    """

    columns: FieldMapping | None = None
    answer_index: Base | None = None
    strict: bool = False
    in_columns: bool = False
    ordered: bool = False
    tallies: Mapping[str, Tally] | None = None
    tally: dict[str, Tally] | None = None
    recognised: Recognised | None = field(default=None, compare=False)


PLAIN = Reading()
