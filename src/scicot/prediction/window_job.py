"""Answer questions window by window, and write their rows. Rows that an earlier call wrote are
kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scicot.errors import InvalidRow, ScicotError
from scicot.outputs import Output
from scicot.prediction.students import QuestionPair, Students
from scicot.prediction.team import Team
from scicot.prediction.windows import chunks
from scicot.records import Prediction, Question
from scicot.reporting import Task
from scicot.row_fields import Row, RowProblem


@dataclass
class PredictSummary:
    """Counts of questions, returned by `predict`. `already_done` is the number predicted by an
    earlier call, and `predicted` the number predicted by this call. `predicted` includes the
    `abstained` questions (confidence below the threshold) and the `unanswered` ones (tied or
    invalid scores)."""

    predicted: int = 0
    unanswered: int = 0
    abstained: int = 0
    already_done: int = 0


class WindowJob:
    """Predicts the questions of one call of `predict`, window by window, and writes their rows."""

    def __init__(self, students: Students, team: Team, name: str) -> None:
        self.summary = PredictSummary()
        self.rows = 0  # rows in the output, including those of earlier runs
        self._students = students
        self._team = team
        self._name = name

    def run(
        self, question_windows: Iterable[list[QuestionPair]], at_once: int, out: Output, task: Task
    ) -> None:
        """Predict the questions of `question_windows` and write the rows, `at_once` windows at a
        time (one on each process). Rows that are already in the output are not written again."""
        rows_each = self._students.plan.rows_each
        existing = out.existing()
        for batch in chunks(question_windows, at_once):
            done_rows = [self._check_done(window, existing) for window in batch]
            with_done_rows = list(zip(batch, done_rows, strict=True))
            # A window cut short by a crash is predicted again as a whole: in smaller batches the
            # last digits of the scores would differ.
            incomplete = [
                window for window, rows in with_done_rows if rows < len(window) * rows_each
            ]
            predicted = self._team.rows(self._students, incomplete)
            for window, rows in with_done_rows:
                done = rows // rows_each
                self.summary.already_done += done
                if rows < len(window) * rows_each:
                    new = next(predicted)[rows:]
                    out.write_all(row.to_row() for row in new)
                    self._count(new, len(window) - done)
                task.advance(len(window))
                self.rows += len(window) * rows_each
        for location, row in existing:
            raise _mismatch(location, f"{row.get('id')!r}", f"{self._name} has ended")

    def _check_done(
        self, window: Sequence[QuestionPair], existing: Iterator[tuple[str, Row]]
    ) -> int:
        """Take from `existing` the rows that belong to `window`, and return their number. Raises
        ScicotError if a row does not match the question that is expected at its place."""
        expected = [
            question for question, _ in window for _ in range(self._students.plan.rows_each)
        ]
        done = 0
        for question, (location, row) in zip(expected, existing, strict=False):
            self._check_same(question, location, row)
            done += 1
        return done

    def _check_same(self, question: Question, location: str, row: Row) -> None:
        try:
            answered = self._students.carried(Question.from_row(row))
        except RowProblem as problem:
            raise InvalidRow(location, f"{problem}; overwrite this file with --force") from None
        if question.id != answered.id:
            raise _mismatch(location, repr(answered.id), f"{self._name} has {question.id!r}")
        if _content(question) != _content(answered):
            raise _mismatch(
                location, f"an earlier text of {question.id!r}", f"{self._name} has another one"
            )
        if self._students.carried(question) != answered:
            raise ScicotError(
                f"{location}: {answered.id!r} has the same text and choices in {self._name}, but"
                " its gold answer or another field has changed; choose another output, or"
                " overwrite this one with --force"
            )

    def _count(self, rows: Sequence[Any], questions: int) -> None:
        self.summary.predicted += questions
        for row in rows:
            if isinstance(row, Prediction):
                self.summary.abstained += row.abstained
                self.summary.unanswered += row.prediction is None and not row.abstained


def _mismatch(location: str, answered: str, expected: str) -> ScicotError:
    return ScicotError(
        f"{location}: answers {answered} where {expected}: the input has changed;"
        " choose another output, or overwrite this one with --force"
    )


def _content(question: Question) -> tuple[Any, ...]:
    return question.id, question.question, question.choices, question.context
