"""Convert the rows of one file of answers to scicot's schema, each with the question that it
answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import structs

from scicot import sources
from scicot.evaluation import inspect_log, lm_eval
from scicot.evaluation.predicted_labels import PredictedLabels
from scicot.evaluation.question_table import QuestionTable
from scicot.evaluation.same_question import check_parts, check_same, question_in
from scicot.formats import (
    PLAIN,
    Reading,
    columns,
    gold,
    is_scicot_row,
    mapped_row,
    to_question_row,
)
from scicot.records import PREDICTION_FIELDS, QUESTION_FIELDS, RATIONALE_FIELDS, Question
from scicot.row_fields import Row, RowProblem

_TEXT_SHOWN = 60  # characters of a question that identify it in a message if it has no id


class RowConverter:
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
        """Convert a row of any supported format to scicot's schema. The result includes the
        question.

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
                raise RowProblem("has no question; give the question file with --questions")
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
                raise RowProblem(
                    "has no complete question; give the question file with --questions"
                )
            return row_question
        identity = columns.cells(row).get("id")
        if identity is not None:
            question = self._questions.get(str(identity))
        elif row_question is not None:
            question = self._questions.find_same(row_question)
        else:
            raise RowProblem(
                'has neither an "id" nor a complete question to look up in the --questions file;'
                ' add the "id"'
            )
        if question is None:
            shown = str(identity) if row_question is None else row_question.question[:_TEXT_SHOWN]
            if identity is None:
                raise sources.NotAsked(shown)
            raise sources.NotAsked(str(identity), self._questions.first_id())
        if row_question is not None:
            check_same(row_question, question)
        return question.without(PREDICTION_FIELDS)

    def _with_unique_id(self, question: Question, row: Row) -> Question:
        """Return `question`, with a new id if `row` is a repetition.

        A row is a repetition if an earlier row has the same id, the same question text and the same
        value of "filter". For a repetition, the first case that applies decides:

        1. An earlier row also has the same value of "doc_id": raise RowProblem.
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
    """Return True if `predict` may have written a row. If --columns maps the prediction, another
    program wrote the row: return False."""
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
