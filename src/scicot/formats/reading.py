"""How the rows of one file are read: what the user said, what the data prove, what was recognised.

A gold answer that is a number can count from 0 or from 1. `Tally` collects what the rows of a file
prove: a 0 names no choice where one counts from 1, and a number equal to the number of choices
names none where one counts from 0. A majority is no proof.
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
    """What the numbers among the gold answers of a file can mean, one entry a row."""

    zeros: int = 0
    lasts: int = 0  # equal to the number of choices
    indices: int = 0  # neither a label nor the text of a choice
    texts: int = 0  # texts of choices, and no index

    @property
    def base(self) -> Base | None:
        """Where the numbers count from, as far as the rows prove it."""
        if bool(self.zeros) == bool(self.lasts):
            return None
        return 0 if self.zeros else 1

    @property
    def all_texts(self) -> bool:
        """Whether a number that is the text of a choice means this text in this file."""
        return not self.indices


@dataclass(slots=True)
class Recognised:
    """Which fields of a row were read as what, for people."""

    question: str = ""
    choices: str = ""
    answer: str = ""
    kind: str = ""  # of answers: "labels", "texts", "index from 0"
    context: str = ""
    shuffled: bool = False

    def line(self) -> str:
        """Describe it: "question = Frage, choices = A-D, answer = Richtig (labels)"."""
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
    """The fields that a user names for what a question has (mapping.Columns)."""

    @property
    def roles(self) -> Mapping[str, str]: ...
    def tabular(self, row: Row) -> bool: ...
    def maps(self, role: str) -> bool: ...
    def missing(self, row: Row) -> list[str]: ...
    def applied(self, row: Row) -> Row: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read rows.

    strict: of a file, whose numbers in tables are not taken for indices without a proof. The rule
    for a single row, which has no file, is that of docs/rows.md. in_columns: the choices stand in
    several columns that a user has named, so that numbers are those of a table. ordered: only
    layouts whose rows give an order of choices, as others have used it too. `tallies`: what each
    gold field's rows prove, once the file was looked through; `tally` is filled while it is.
    `recognised` is filled where somebody wants to know.
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
