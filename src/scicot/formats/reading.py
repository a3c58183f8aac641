"""Settings and evidence for reading one file: the user's options, whether its numeric answers count
from 0 or from 1, and whether its answers are labels or texts of choices.

A numeric gold answer can be an index from 0 or from 1. The counts in `Evidence` decide: a 0 in any
row of the file proves that its indices count from 0, and a number equal to the number of choices
proves that they count from 1. If an answer is the label of one choice and the text of another, the
other rows of the file decide whether it is a label or a text (label_or_text.py). In both cases only
a proof decides, not a majority of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from scicot.formats.choice_set import Cells, Choices
from scicot.row_fields import Row, RowProblem

Base = Literal[0, 1]
BASES: tuple[Base, ...] = (0, 1)


class UncertainIndex(RowProblem):
    """Raised for a gold answer with several meanings, such as an index that may count from 0 or
    from 1. The other rows of the file may show which is meant."""


class MissingField(RowProblem):
    """Raised if a row cannot be read with --columns, because of the other rows.

    - The row lacks a field of --columns, and no earlier row has it. The caller may then read the
      other rows of a file, to find one that has the field.
    - In a stream, the row is the first that has the field of an optional role. The earlier rows
      were already read as if this role were not mapped.
    """


@dataclass(slots=True)
class MappedFields:
    """Records which fields of --columns occur in the rows that were read so far from one file.

    optional: roles of --columns, such as "id". If no row has the field of such a role, the mapping
        of this role is ignored.
    found: the names of the fields that at least one row has. The fields of the question and of its
        choices are left out.
    ignored: the fields whose mapping is ignored, because no row read so far has them.
    own_rows: True if --columns applies to rows in scicot's own schema, False if it does not. None
        if this has not been decided.
    applied: True if --columns was applied to a row, False if every row was read without it. None if
        no row was read.
    final: False until a row lacks a field of --columns that no earlier row has. A file is then
        searched to its end for fields of --columns, and `final` is set to True. A pipe cannot be
        read ahead, so `final` is set to True without a search.
    """

    optional: Collection[str] = ()
    found: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    own_rows: bool | None = None
    applied: bool | None = None
    final: bool = False


@dataclass(slots=True)
class Tally:
    """Counts of the gold answers in one field of a file. The counts show whether the answers are
    labels, indices or texts of choices, and whether indices count from 0 or from 1."""

    zeros: int = 0
    lasts: int = 0  # answers equal to the number of choices, with blank cells
    short_lasts: int = 0  # answers equal to the number of choices if the last cells are blank
    indices: int = 0  # answers that are JSON integers, or neither a label nor the text of a choice
    texts: int = 0  # answers that are the text of a choice and no index
    labels: int = 0  # answers that are a label and not the text of a choice
    only_texts: int = 0  # answers that are the text of a choice and no label

    @property
    def base(self) -> Base | None:
        """The number from which indices are counted, 0 or 1. None if the answers do not show this
        number, or if the answers contradict each other."""
        if self.zeros:
            # Counted from 0, an answer of `short_lasts` is the index of a blank cell: an error in
            # this row, which does not refute the 0.
            return None if self.lasts else 0
        return 1 if self.lasts or self.short_lasts else None

    @property
    def has_no_index(self) -> bool:
        """True if no answer was counted in `indices`. Every number in the field may then be the
        text of a choice."""
        return not self.indices

    @property
    def kind(self) -> Literal["labels", "texts"] | None:
        """How to read an answer that is the label of one choice and the text of another: "labels"
        means as a label, "texts" means as a text. None if the other answers do not show which."""
        # One label or index is enough, even among many texts: if the answers of a file are labels,
        # a few of them are often texts.
        if self.labels or self.indices:
            return "labels"
        return "texts" if self.only_texts else None

    def add(self, number: int, choices: Choices, *, is_text: bool = False) -> None:
        """Count the answer `number`, which may be an index into the cells of `choices`. `is_text`
        is True if the number is also the text of a choice."""
        count = len(choices.cells)
        if 0 <= number <= count:
            self.indices += not is_text
            self.zeros += number == 0
            self.lasts += number == count
            self.short_lasts += number == choices.extent < count


@dataclass(slots=True)
class Evidence:
    """Counts of the answers in one source, by gold field.

    stage: one of

        - "counting": in a first pass over a file, which only fills the counts. The converted rows
          of this pass are not used.
        - "complete": after this pass. The counts are those of the whole file.
        - "pipe": the source can be read only once. The counts are filled while its rows are
          converted, and are those of the rows read so far.
    """

    stage: Literal["counting", "complete", "pipe"]
    counts: dict[str, Tally] = field(default_factory=dict)


@dataclass(slots=True)
class Recognised:
    """The names of the fields from which the parts of a question were read, as shown in
    messages."""

    question: str = ""
    choices: str = ""
    answer: str = ""
    kind: str = ""  # how answers are written: "labels", "texts", "index from 0"
    kinds: Set[str] = frozenset()  # the kinds in all rows read so far; used instead of `kind`
    context: str = ""
    shuffled: bool = False

    def line(self) -> str:
        """Return a line such as "question = Frage, choices = A-D, answer = Richtig (labels)"."""
        kinds = " and ".join(sorted(filter(None, self.kinds))) or self.kind
        kind = f" ({kinds})" if kinds else ""
        parts = [
            f"question = {self.question}",
            f"choices = {self.choices}",
            f"answer = {self.answer}{kind}" if self.answer else "no answer",
            f"context = {self.context}" if self.context else "",
        ]
        shuffled = "; the choices are shuffled by a hash of the question, the same in each run"
        return ", ".join(filter(None, parts)) + (shuffled if self.shuffled else "")


class FieldMapping(Protocol):
    """A mapping of fields to the parts of a question, as given by --columns. It is implemented by
    mapping.Columns."""

    @property
    def roles(self) -> Mapping[str, str]: ...
    def cell_labels(self, row: Row) -> Cells | None: ...
    def labels_by_name(self, row: Row) -> Mapping[str, str]: ...
    def maps(self, role: str) -> bool: ...
    def missing(self, row: Row) -> list[str]: ...
    def lacks_question(self, row: Row) -> bool: ...
    def optional_fields(self, row: Row) -> dict[str, bool]: ...
    def renames(self, row: Row) -> bool: ...
    def only(self, *roles: str) -> FieldMapping | None: ...
    def applied(self, row: Row) -> Row: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings and shared state for converting rows to scicot's schema. `cells` and `cell_names`
    belong to the row that is being converted. The other fields apply to all rows.

    columns: the value of --columns.
    answer_index: the value of --answer-index.
    answer_texts: True for --answer-texts, False for --answer-labels, None if neither was given.
    from_file: True for a row of a file or of a pipe. An ambiguous answer is then read as the other
        answers in the same field show. If the other answers do not decide, an error is raised.
        False for a row that is read alone: `read_choice` decides (see indices.py).
    fields: the fields of --columns that the rows of the file have. None for single rows.
    cells: the choice cells of the row (see `Choices.cells`). None if --columns does not map the
        choices to several columns.
    cell_names: maps the names of the columns of `cells` to the labels of the choices (see
        `Choices.columns`).
    ordered: True to accept only layouts that define the order of choices.
    by_position: True if the answers A, B, C mean the first, second and third choice, whatever
        letters are printed in the texts of the choices.
    evidence: the counts that show how to read ambiguous answers. None for single rows, and for a
        file that has not been read before.
    recognised: an object that is filled with the names of the fields that were read, or None.
    kinds: a dict that is filled with the forms of the answers in each gold field, such as "labels",
        or None.
    """

    columns: FieldMapping | None = None
    answer_index: Base | None = None
    answer_texts: bool | None = None
    from_file: bool = False
    fields: MappedFields | None = None
    cells: Cells | None = None
    cell_names: Mapping[str, str] | None = None
    ordered: bool = False
    by_position: bool = False
    evidence: Evidence | None = None
    recognised: Recognised | None = field(default=None, compare=False)
    kinds: dict[str, set[str]] | None = field(default=None, compare=False)

    @property
    def is_counting(self) -> bool:
        """True in the first pass over a file, which only fills the counts in `evidence`."""
        return self.evidence is not None and self.evidence.stage == "counting"

    @property
    def is_pipe(self) -> bool:
        """True if the source is a pipe. A pipe cannot be read ahead, so later rows are unknown."""
        return self.evidence is not None and self.evidence.stage == "pipe"

    def without_counting(self) -> Reading:
        """Return a copy with the same settings. Answers that are read with the copy are not added
        to the counts of this object."""
        if self.is_counting:
            return replace(self, evidence=None)
        return replace(self, evidence=deepcopy(self.evidence)) if self.is_pipe else self

    def counts_to_fill(self, name: str) -> Tally | None:
        """Return the object in which the answers of the gold field `name` are counted. Return None
        if answers are not counted."""
        if self.evidence is None or self.evidence.stage == "complete":
            return None
        return self.evidence.counts.setdefault(name, Tally())

    def counts_of_file(self, name: str) -> Tally | None:
        """Return the counts of the gold answers in the field `name` of the whole file. Return None
        if the whole file has not been counted."""
        if self.evidence is None or self.evidence.stage != "complete":
            return None
        return self.evidence.counts.get(name, Tally())


PLAIN = Reading()
