"""The record of a rationale, and its conversion from and to a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from scicot.records.fields import PREDICTED, STUDENT
from scicot.records.question import Question
from scicot.row_fields import Row, RowProblem, mapping_field, model_text_field

MAX_SAMPLE = 2**31 - 1
_RAW_TEXTS = ("reply", "thinking")  # rationale fields with the teacher's raw texts


class Rationale(Struct, frozen=True):
    """A rationale of a question, with its origin. `teacher` names the model that wrote it. `sample`
    is the rationale's number, from 0, among those requested for the same question. `conclusion` is
    the label of the choice that the teacher's reply names. `saw_answer` is True if the prompt
    contained the gold answer. `request` is a hash of the request to the teacher."""

    question: Question
    rationale: str
    sample: int = 0
    teacher: str | None = None
    conclusion: str | None = None
    saw_answer: bool = False
    request: str | None = None
    usage: Mapping[str, float] = field(default_factory=dict)  # tokens by kind, and "cost_usd"
    fold: int | None = None  # for out-of-fold rationales: the fold whose student wrote it
    # The label of the choice that the rationale still states as the answer, in a sentence that is
    # part of its reasoning.
    still_concludes: str | None = None
    # The raw reply, and thinking that the server sent separately. Kept if the rationale is not the
    # whole cleaned reply (--rationale-source thinking, --max-rationale-tokens).
    reply: str | None = None
    thinking: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Rationale:
        """Convert a rationale row to a rationale. Raises RowProblem, which names the invalid
        field."""
        question = Question.from_row(row).without_rationale()
        by_student = str(row.get("teacher")).startswith(STUDENT)
        # A poor student may write an empty rationale; its row is still valid.
        blank = by_student or row.get("teacher") == PREDICTED
        text = model_text_field(row, "rationale", blank=blank)
        sample = row.get("sample", 0)
        whole_number = isinstance(sample, int) and not isinstance(sample, bool)
        if not whole_number or not 0 <= sample <= MAX_SAMPLE:
            raise RowProblem(f'"sample" must be a whole number from 0 to {MAX_SAMPLE}')
        saw_answer = row.get("saw_answer", False)
        if not isinstance(saw_answer, bool):
            raise RowProblem('"saw_answer" must be true or false')
        for name in ("conclusion", "still_concludes"):
            if row.get(name) is not None and not isinstance(row[name], str):
                raise RowProblem(f'"{name}" must be a label or null')
        return cls(
            question,
            text,
            sample,
            row.get("teacher"),
            row.get("conclusion"),
            saw_answer,
            row.get("request"),
            mapping_field(row, "usage"),
            row["fold"] if by_student and isinstance(row.get("fold"), int) else None,
            row.get("still_concludes"),
            *(row[name] if isinstance(row.get(name), str) else None for name in _RAW_TEXTS),
        )

    def to_row(self) -> Row:
        row = self.question.to_row()
        row["rationale"] = self.rationale
        row["sample"] = self.sample
        row["teacher"] = self.teacher
        row["conclusion"] = self.conclusion
        if self.still_concludes is not None:
            row["still_concludes"] = self.still_concludes
        row["saw_answer"] = self.saw_answer
        if self.request is not None:
            row["request"] = self.request
        if self.usage:
            row["usage"] = dict(self.usage)
        for name in _RAW_TEXTS:
            if getattr(self, name) is not None:
                row[name] = getattr(self, name)
        if self.fold is not None:
            row["fold"] = self.fold
        return row
