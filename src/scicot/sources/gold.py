"""Check that rows have gold answers, for commands that need them.

If no row has a gold answer, an error is raised. Its message lists the unused fields, since one of
them probably holds the gold answers. If only some rows lack a gold answer, a warning gives their
number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scicot.errors import ScicotError
from scicot.formats.names import plain_name
from scicot.records import PREDICTION_FIELDS, QUESTION_FIELDS, RATIONALE_FIELDS, REJECTED_FIELDS
from scicot.reporting import number_of
from scicot.row_fields import Row

_USED = {*QUESTION_FIELDS, *RATIONALE_FIELDS, *PREDICTION_FIELDS, *REJECTED_FIELDS}
_MAX_EXAMINED = 20  # unlabelled rows whose fields are examined
_NAMES_SHOWN = 12
_NAME_LENGTH = 40
# Names of fields that hold the gold answer in some files, in the form of plain_name, the likeliest
# first. In other files they have other meanings, so such fields are only suggested, never read.
_LIKELY = (
    "correctanswer", "correctoption", "correctchoice", "correct", "gold", "goldanswer",
    "goldlabel", "key", "rightanswer", "answerindex", "answeridx", "answerlabel", "target", "label",
    "labels", "solution", "groundtruth", "truth",
)  # fmt: skip
_LIKELY_PARTS = ("answer", "correct", "gold", "solution", "key")
_UNLIKELY_PARTS = ("incorrect", "wrong", "explan", "keyword")


@dataclass(frozen=True, slots=True)
class NeedsGold:
    """The words that one command puts into the messages about missing gold answers."""

    purpose: str  # clause about the purpose, such as "for --keep correct to check against"
    consequence: str  # what happens to rows without a gold answer, such as "left out"
    alternative: str = ""  # what the user can do instead if no row has a gold answer


@dataclass(slots=True)
class GoldTally:
    """Counts the rows with and without a gold answer in one pass over a source."""

    needs: NeedsGold
    rows: int = 0
    unlabelled: int = 0
    first_unlabelled: str = ""  # location of the first row without a gold answer
    # names of the unused fields in the first rows without a gold answer, in order
    unused: dict[str, None] = field(default_factory=dict)

    @property
    def labelled(self) -> int:
        return self.rows - self.unlabelled

    def add(self, where: str, row: Row) -> None:
        """Count `row`, which must be in scicot's schema. `where` is the location of the row."""
        self.rows += 1
        if row.get("answer") is not None:
            return
        self.unlabelled += 1
        self.first_unlabelled = self.first_unlabelled or where
        if self.unlabelled <= _MAX_EXAMINED:
            self.unused.update(dict.fromkeys(name for name in row if name not in _USED))

    def check(self, name: str, *, so_far: bool = False) -> None:
        """Raise ScicotError if rows have been counted and none of them has a gold answer.

        `name` is the name of the source. If `so_far` is True, the message says that only the first
        rows have been read.
        """
        if self.unlabelled and not self.labelled:
            rows = "no row has a"
            if so_far:
                several = self.rows > 1
                rows = f"none of the first {self.rows} rows has a" if several else "row 1 has no"
            alternative = f", or {self.needs.alternative}" if self.needs.alternative else ""
            raise ScicotError(
                f"{name}: {rows} gold answer {self.needs.purpose}"
                f" {unused_fields(self.unused)}{alternative}"
            )

    def warning(self, name: str, *, remaining: bool) -> str | None:
        """Return a warning about the rows without a gold answer, or None if all rows have one.

        `name` is the name of the source. `remaining` is True if the command skipped the rows that
        an earlier run finished. The warning then calls the other rows "remaining rows".
        """
        if not self.unlabelled:
            return None
        rows = number_of(self.rows, "remaining row" if remaining else "row")
        verb = "has" if self.unlabelled == 1 else "have"
        return (
            f"{name}: {self.unlabelled:,} of {rows} {verb} no gold answer, first at"
            f" {self.first_unlabelled}; {self.needs.consequence}"
        )


def unused_fields(names: Iterable[str]) -> str:
    """Return a clause for an error message about a missing gold answer.

    The clause lists the fields in `names` that scicot does not use. The clause also says how to
    rename or map the field that holds the gold answers.
    """
    unused = [name for name in names if name not in _USED]
    if not unused:
        return '(no unused field could hold it); add a field named "answer"'
    likely = _likely_gold(unused)
    rename = (
        'rename the one that holds the answers to "answer", or add --columns answer=FIELD'
        if likely is None
        else f'rename {_quoted(likely)} to "answer" if it holds the answers,'
        f" or add --columns {_option(likely)}"
    )
    shown = ", ".join(map(_quoted, unused[:_NAMES_SHOWN]))
    more = f" and {len(unused) - _NAMES_SHOWN} more" if len(unused) > _NAMES_SHOWN else ""
    return f"(fields not used: {shown}{more}); {rename}"


def likely_gold(names: Iterable[str]) -> str | None:
    """Return the name in `names` that most likely stands for the gold answer. Return None if no
    name is likely. Names that scicot already reads as fields of its own (_USED) are skipped."""
    return _likely_gold([name for name in names if name not in _USED])


def _likely_gold(names: Sequence[str]) -> str | None:
    plain = {plain_name(name): name for name in reversed(names)}
    for likely in _LIKELY:
        if likely in plain:
            return plain[likely]
    for part in _LIKELY_PARTS:
        for name in names:
            short = plain_name(name)
            if part in short and not any(unlikely in short for unlikely in _UNLIKELY_PARTS):
                return name
    return None


def _option(name: str) -> str:
    short = " ".join(name[:_NAME_LENGTH].split())
    return f"'answer={short}'" if " " in short else f"answer={short}"


def _quoted(name: str) -> str:
    return json.dumps(name[:_NAME_LENGTH], ensure_ascii=False)
