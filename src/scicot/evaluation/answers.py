"""Read files of answers, written by scicot or by other tools, and convert them to predictions.

    Answers(reporter=reporter).of("predictions.jsonl")         scicot's own rows, or rationale rows
    Answers(questions="test.jsonl", ...).of("theirs.jsonl")    {"id": "q1", "prediction": "B"}
    Answers(reporter=reporter).of("samples_arc_easy.jsonl")    a log of lm-evaluation-harness
    Answers(reporter=reporter).of("2026-01-01_arc.eval")       a log of Inspect

The file `questions` is called the question file in this module. It contains the questions that the
tool had to answer. With a question file:

- gold answers are taken from the question file,
- answers to questions that are not in it are left out,
- questions in it without an answer count as not answered.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from scicot import sources
from scicot.config import ReadingSettings
from scicot.errors import ScicotError
from scicot.evaluation import inspect_log, lm_eval
from scicot.evaluation.answer_rows import RowConverter
from scicot.evaluation.predicted_labels import PredictedLabels
from scicot.evaluation.question_table import QuestionTable, check_same_question, hash_of
from scicot.formats import (
    Columns,
)
from scicot.records import (
    Prediction,
)
from scicot.reporting import Reporter, counted, number_of, some_of

_NEEDS_GOLD = sources.NeedsGold("to judge by", "left out")
_IDS_SHOWN = 10  # ids listed in a message


class Answers:
    """Reads files of answers and converts them to predictions.

    questions: the question file, needed if the files of answers do not contain the questions.
    per_character: True to divide each log-likelihood in a log of lm-evaluation-harness by the
        number of characters of its choice (see lm_eval.answer_of).
    reading: describes the fields of the question file and of the files of answers.
    limit: the maximum number of rows to read from the question file. Without a question file, the
        maximum number of rows to read from each file of answers.
    skip_invalid: True to skip an invalid row with a warning, False to raise InvalidRow.
    """

    def __init__(
        self,
        *,
        questions: sources.Source | None = None,
        per_character: bool = False,
        reading: ReadingSettings | None = None,
        limit: int | None = None,
        skip_invalid: bool = False,
        reporter: Reporter,
    ) -> None:
        self._per_character = per_character
        self._skip_invalid = skip_invalid
        self._reporter = reporter
        self._limit = limit
        self._settings = reading or ReadingSettings()
        self._questions: QuestionTable | None = None
        if questions is not None:
            rows = sources.questions(
                questions,
                reading=_for_questions(self._settings),
                limit=limit,
                skip_invalid=skip_invalid,
                gold=_NEEDS_GOLD,
                reporter=reporter,
            )
            self._limit = None  # the limit applies to the questions, not to the rows
            self._settings = _for_answers(self._settings)
            with reporter.task(f"reading {os.fspath(questions)}") as task:
                self._questions = QuestionTable(counted(rows, task), os.fspath(questions))

    def of(self, file: sources.Source) -> Iterator[Prediction]:
        """Yield a prediction for each question that `file` answers. If there is a question file,
        also yield a prediction without an answer for each of its other questions.

        If `file` has several replies to the same question:

        - In a log, or in a file of a teacher's samples, one reply is used and the others are
          skipped.
        - In any other file, a repeated id raises ScicotError.

        Different questions with the same id raise ScicotError in any file.
        """
        labels = PredictedLabels()
        rows = sources.predictions(
            file,
            convert=RowConverter(self._questions, self._per_character, labels).convert,
            reading=self._settings,
            limit=self._limit,
            skip_invalid=self._skip_invalid,
            gold=_NEEDS_GOLD if self._questions is None else None,
            reporter=self._reporter,
        )
        seen: dict[str, int] = {}  # id -> hash of the question
        first_models: Mapping[str, Any] = {}
        skipped = 0
        for row in rows:
            first_models = first_models or row.models
            if _is_extra_reply(row, first_models, seen):
                check_same_question(os.fspath(file), row.question, seen)
                skipped += 1
            elif row.question.id in seen:
                raise ScicotError(
                    f"{os.fspath(file)}: id {row.question.id!r} occurs twice; keep one row per id"
                )
            else:
                seen[row.question.id] = hash_of(row.question)
                yield row
        if skipped:
            count_text, filter_name = number_of(skipped, "row"), first_models.get(lm_eval.FILTER)
            reason = (
                "further samples"
                if filter_name is None
                else f"from filters other than {filter_name!r}"
            )
            self._reporter.note(f"{os.fspath(file)}: {count_text} left out, {reason}")
        self._report_indices(os.fspath(file), labels)
        yield from self._unanswered(file, seen)

    def _report_indices(self, file: str, labels: PredictedLabels) -> None:
        note = labels.note()
        if labels.doubtful and self._settings.answer_index is None:
            hint = "add --answer-index 1 (for numeric gold answers too)"
            self._reporter.warn(f"{file}: {note}, but none is 0; if they count from 1, {hint}")
        elif note:
            self._reporter.note(f"{file}: {note}")

    def _unanswered(self, file: sources.Source, answered: Collection[str]) -> Iterator[Prediction]:
        missing: list[str] = []
        count = 0
        for question in self._questions or ():
            if question.id not in answered:
                count += 1
                missing += [question.id][: _IDS_SHOWN - len(missing)]
                yield Prediction(question, (), None, {}, None)
        if count:
            self._reporter.warn(
                f"{os.fspath(file)}: no usable row for {number_of(count, 'question')}"
                f" ({some_of(missing)}), counted as not answered"
            )


def _for_questions(settings: ReadingSettings) -> ReadingSettings:
    """Return a copy of `settings` for reading the question file: --columns is reduced to the fields
    of a question, including its id."""
    selected = _only_roles(
        settings, "question", "choices", "distractors", "answer", "context", "id"
    )
    return replace(settings, columns=selected)


def _for_answers(settings: ReadingSettings) -> ReadingSettings:
    """Return a copy of `settings` for reading answers that are joined to a question file: --columns
    is reduced to the id and the prediction."""
    return replace(settings, columns=_only_roles(settings, "id", "prediction"))


def _only_roles(settings: ReadingSettings, *roles: str) -> str:
    columns = Columns.parse(settings.columns)
    selected = columns.only(*roles) if columns is not None else None
    return "" if selected is None else str(selected)


def _is_extra_reply(
    row: Prediction, first_models: Mapping[str, Any], seen: Collection[str]
) -> bool:
    """Return True if `row` must be skipped because another reply to its question is used.

    first_models: the field `models` of the first row that has this field. Rows of another answer
        filter are skipped.
    seen: the ids of the questions that earlier rows answered. In an Inspect log and in a file of a
        teacher's samples, further replies to these questions are skipped.
    """
    # An Inspect log with epochs and a file of a teacher's samples have several replies to a
    # question. The first is used.
    if inspect_log.EPOCH in row.models:
        return row.question.id in seen
    # A log of lm-evaluation-harness has one reply for each answer filter. Those of the filter in
    # the first row are used.
    if lm_eval.FILTER in row.models:
        return bool(row.models[lm_eval.FILTER] != first_models.get(lm_eval.FILTER))
    return row.question.id in seen and "teacher" in row.models
