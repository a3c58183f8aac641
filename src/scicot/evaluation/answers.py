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
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import structs

from scicot import sources
from scicot.config import ReadingSettings
from scicot.errors import ScicotError
from scicot.evaluation import inspect_log, lm_eval
from scicot.evaluation.predicted_labels import PredictedLabels
from scicot.evaluation.question_table import QuestionTable, check_same_question, hash_of
from scicot.evaluation.same_question import check_parts, check_same, question_in
from scicot.formats import (
    PLAIN,
    Columns,
    Reading,
    columns,
    gold,
    is_scicot_row,
    mapped_row,
    to_question_row,
)
from scicot.records import (
    PREDICTION_FIELDS,
    QUESTION_FIELDS,
    RATIONALE_FIELDS,
    Prediction,
    Question,
)
from scicot.reporting import Reporter, counted, number_of, some_of
from scicot.row_fields import Row, RowProblem

_NEEDS_GOLD = sources.NeedsGold("to judge by", "left out")
_IDS_SHOWN = 10  # ids listed in a message
_TEXT_SHOWN = 60  # characters of a question that identify it in a message if it has no id


class Answers:
    """Reads files of answers and converts them to predictions.

    questions: the question file, needed if the files of answers do not contain the questions.
    per_character: applies to logs of lm-evaluation-harness (see lm_eval.answer_of).
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
            convert=_RowConverter(self._questions, self._per_character, labels).convert,
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
                    f"{os.fspath(file)}: id {row.question.id!r} comes twice; one row a question"
                )
            else:
                seen[row.question.id] = hash_of(row.question)
                yield row
        if skipped:
            count_text, filter_name = number_of(skipped, "row"), first_models.get(lm_eval.FILTER)
            reason = (
                "further samples"
                if filter_name is None
                else f"of other filters than {filter_name!r}"
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
                f"{os.fspath(file)}: no answer to {number_of(count, 'question')}"
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

    `first_models` is the field `models` of the first row that has one. `seen` are the ids of the
    questions that earlier rows answered.
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


class _RowConverter:
    """Converts the rows of one file of answers to scicot's schema. Create a new instance for each
    pass over a file."""

    def __init__(
        self, questions: QuestionTable | None, per_character: bool, labels: PredictedLabels
    ) -> None:
        self._questions = questions
        self._labels = labels
        self._per_character = per_character
        # Several documents in a log of lm-evaluation-harness may have the same id.
        self._doc_ids: defaultdict[tuple[str, str, str], list[Any]] = defaultdict(list)

    def convert(self, row: Row, reading: Reading = PLAIN) -> Row:
        """Convert a row of any supported format to scicot's schema, including its question.

        Raises RowProblem if the row cannot be converted. If there is a question file, raises
        sources.NotAsked in two cases, in which the caller must skip the row:

        - The question file does not have the question of the row.
        - The row is from a log of lm-evaluation-harness, and an earlier row has answered the same
          question (see `_with_unique_id`).
        """
        if inspect_log.is_sample(row):
            in_log = inspect_log.question_of(row, needed=self._questions is None)
            question = self._question_for(in_log, row)
            return {**question.to_row(), **inspect_log.answer_of(row, question)}
        if lm_eval.is_sample(row):
            question = self._question_for(lm_eval.question_of(row), row["doc"])
            answer = lm_eval.answer_of(row, question, per_character=self._per_character)
            return {**self._with_unique_id(question, row).to_row(), **answer}
        if self._questions is None:
            if "prediction" in row and not {"question", "choices"} & row.keys():
                raise RowProblem("holds no question; name the file that does by --questions")
            return to_question_row(row, reading)
        # A mapping of the id may be meant for the question file only.
        is_own = _is_of_predict(row, reading)
        row = mapped_row(row, reading, optional=("id",))
        row_question = question_in(row, reading)
        is_own = is_own and row_question is not None
        question = self._question_for(row_question, row)
        labelled = row_question or check_parts(row, question, reading)
        # If the question file has rationale fields, they do not belong to this answer and are
        # dropped. Only the rationale itself is kept, as the reference for ROUGE-L.
        stripped = question.without([name for name in RATIONALE_FIELDS if name != "rationale"])
        read = partial(self._labels.read, reading=reading, is_own=is_own)
        complete = row_question is not None
        return {**stripped.to_row(), **_answer_of(row, question, labelled, read, complete=complete)}

    def _question_for(self, row_question: Question | None, row: Row) -> Question:
        """Return the question that `row` answers.

        `row_question` is the question contained in `row`, or None. Without a question file,
        `row_question` is returned. With a question file, the question is looked up there by the id
        of `row`. If `row` has no id, the question is looked up by the text and choices of
        `row_question`.

        Raises NotAsked if the question file does not have the question. Raises RowProblem if the
        question cannot be determined, or if `row_question` differs from the question in the file.
        """
        if self._questions is None:
            if row_question is None:
                raise RowProblem("shows no question; name the file that does by --questions")
            return row_question
        identity = columns.cells(row).get("id")
        if identity is not None:
            question = self._questions.get(str(identity))
        elif row_question is not None:
            question = self._questions.find_same(row_question)
        else:
            raise RowProblem("has no id by which to find its question")
        if question is None:
            shown = str(identity) if row_question is None else row_question.question[:_TEXT_SHOWN]
            if identity is None:
                raise sources.NotAsked(shown)
            raise sources.NotAsked(str(identity), self._questions.first_id())
        if row_question is not None:
            check_same(row_question, question)
        return question.without(PREDICTION_FIELDS)

    def _with_unique_id(self, question: Question, row: Row) -> Question:
        """Return `question`. If `row` is a repetition, raise an error or return `question` with a
        new id.

        A row is a repetition if an earlier row has the same id, the same question text and the same
        field "filter". The first case that applies decides:

        1. An earlier row also has the same field "doc_id": raise RowProblem.
        2. The user gave a question file: raise NotAsked. The caller then skips the row, because an
           earlier row has answered the same question.
        3. Otherwise the first repetition gets the id "ID#2", the second "ID#3", and so on.
        """
        doc_ids = self._doc_ids[question.id, question.question, str(row.get("filter"))]
        if row.get("doc_id") in doc_ids:
            raise RowProblem(f"document {row.get('doc_id')} comes twice; is it a log of two runs?")
        doc_ids.append(row.get("doc_id"))
        if len(doc_ids) == 1:
            return question
        if self._questions is not None:
            raise sources.NotAsked(f"{question.id}, again")
        return structs.replace(question, id=f"{question.id}#{len(doc_ids)}")


def _is_of_predict(row: Row, reading: Reading) -> bool:
    """Return True if `predict` may have written a row. Return False if --columns maps the
    prediction."""
    mapped = reading.columns is not None and reading.columns.maps("prediction")
    return not mapped and is_scicot_row(row) and isinstance(row.get("models"), dict)


def _answer_of(
    row: Row,
    question: Question,
    labelled: Question,
    read: Callable[[Any, Question], str | None],
    *,
    complete: bool,
) -> Row:
    """Return the fields of `row` that describe its answer, such as "prediction" and "scores".

    The labels in these fields are translated to those of `question`. For example, if the choices
    are 1 and 2 in `row`, but A and B in `question`, the prediction "2" becomes "B".

    labelled: `question` with the labels that `row` uses, 1 and 2 in the example.
    read: returns the label of a prediction (see PredictedLabels.read).
    complete: True if `row` contains the whole question.

    Raises RowProblem if `row` has neither a "prediction" nor a "conclusion".
    """
    fields = {
        name: value for name, value in columns.cells(row).items() if name not in QUESTION_FIELDS
    }
    for name in gold.gold_fields(fields):  # the gold answer is taken from `question`
        del fields[name]
    if not complete and isinstance(row.get("rationale"), str):
        fields["rationales"] = [fields.pop("rationale")]
    if "prediction" not in fields and "conclusion" not in fields:
        raise RowProblem('has no "prediction"')
    label_map = dict(zip(labelled.labels, question.labels, strict=True))
    if "prediction" in fields:
        label = read(fields["prediction"], labelled)
        fields["prediction"] = None if label is None else label_map[label]
    if isinstance(fields.get("conclusion"), str):
        fields["conclusion"] = label_map.get(fields["conclusion"], fields["conclusion"])
    if isinstance(fields.get("scores"), dict):
        fields["scores"] = {label_map.get(label, label): p for label, p in fields["scores"].items()}
    return fields
