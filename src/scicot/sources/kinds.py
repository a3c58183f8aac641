"""Read the rows of a source as questions, rationales or predictions. `unique` skips repeated
questions."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Required, TypedDict, Unpack

from scicot.config import ReadingSettings
from scicot.errors import ScicotError
from scicot.formats import Reading, to_question_row
from scicot.records import (
    PREDICTED,
    PREDICTION_FIELDS,
    REASONS,
    Prediction,
    Question,
    Rationale,
    content_id,
)
from scicot.reporting import Reporter, counted, number_of
from scicot.row_fields import Row, RowProblem
from scicot.sources.gold import NeedsGold
from scicot.sources.gold_conflicts import GoldConflicts
from scicot.sources.locations import Source, display_name
from scicot.sources.rows import Rows
from scicot.sources.seen import Repeat, Seen

Kind = Literal["question", "rationale", "prediction"]


def kind_of(row: Row) -> Kind:
    """Return the kind of a row in scicot's schema. A row with a "prediction" is a prediction, even
    if it also has a "rationale"."""
    if "prediction" in row:
        return "prediction"
    return "rationale" if "rationale" in row else "question"


class Options(TypedDict, total=False):
    """The keyword arguments that the functions `questions`, `rationales` and `predictions` pass to
    `Rows`."""

    limit: int | None
    skip_invalid: bool
    empty_pipe: bool
    resumable: bool
    gold: NeedsGold | None
    uses_gold: bool
    reading: ReadingSettings | None
    optional_roles: Collection[str]
    reporter: Required[Reporter]


def questions(
    source: Source,
    *,
    check: Callable[[Question], None] | None = None,
    conflicts: GoldConflicts | None = None,
    **options: Unpack[Options],
) -> Rows[Question]:
    """Read the question in each row of a source. The rows may be questions, rationales or
    predictions. Other fields of a row are kept in `Question.extra`.

    `check` is called with each question. If `check` raises RowProblem, the row is invalid.

    Two rows may have the same question, but different gold answers. The later row is then invalid.
    With `uses_gold=False`, the later row is kept, and a warning gives the number of such rows. To
    compare the rows of several sources, pass the same `conflicts` for each source.
    """
    conflicts = conflicts or GoldConflicts()

    def parse(row: Row) -> Sequence[Question]:
        question = Question.from_row(row)
        if check is not None:
            check(question)
        return (question,)

    return Rows(source, parse, check_record=conflicts.check, **options)


def rationales(
    source: Source, *, conflicts: GoldConflicts | None = None, **options: Unpack[Options]
) -> Rows[Rationale]:
    """Read the rationales on which students are trained, from rationale rows or prediction rows.

    A prediction row yields one record for each of its rationales. A prediction row without
    rationales is invalid. So is a row that contradicts the gold answer of an earlier row (see
    `questions`).
    """
    conflicts = conflicts or GoldConflicts()

    def check_record(rationale: Rationale) -> None:
        conflicts.check(rationale.question)

    return Rows(source, _rationales_of, check_record=check_record, **options)


def predictions(
    source: Source,
    *,
    convert: Callable[[Row, Reading], Row] = to_question_row,
    **options: Unpack[Options],
) -> Rows[Prediction]:
    """Read the predictions to evaluate, from prediction rows or rationale rows. The prediction of a
    rationale row is the conclusion of the teacher's reply. `convert` first converts each row to
    scicot's schema."""
    return Rows(source, _predictions_of, convert=convert, **options)


def unique(
    questions: Iterable[Question], reporter: Reporter | None, lost_noun: str | None = None
) -> Iterator[Question]:
    """Yield each question only the first time that it occurs.

    At the end, messages are reported, if `reporter` is not None:

    - A note gives the number of repeated questions. If `lost_noun` is given, a warning is reported
      instead. `lost_noun` is a noun for what is lost with each repeated question, such as "further
      rationale".
    - If the first row of a question has no gold answer, the gold answers of its repeated rows are
      lost. A warning gives the number of lost gold answers.

    Raises ScicotError if two different questions have the same id, because rows are joined by id.
    """
    seen = Seen()
    repeated = lost_gold = 0
    first_lost = ""
    for question in questions:
        content = content_id(question.question, question.context, question.choices)
        try:
            repeat = seen.add(question.id, content, gold=question.answer is not None)
        except ValueError:
            raise ScicotError(
                f"two different questions have the id {question.id!r}; rename one"
            ) from None
        if repeat is Repeat.NONE:
            yield question
            continue
        repeated += 1
        if repeat is Repeat.WITH_NEW_GOLD:
            lost_gold += 1
            first_lost = first_lost or question.id
    if reporter is None:
        return
    if repeated and lost_noun:
        reporter.warn(
            f"{number_of(repeated, lost_noun)} left out: only the first row of each question is"
            " used"
        )
    elif repeated:
        reporter.note(
            f"{number_of(repeated, 'repeated question')} left out (same id, text and choices)"
        )
    if lost_gold:
        reporter.warn(
            f"{number_of(lost_gold, 'gold answer')} left out: only the first row of a question is"
            f" used, and it has none (first id: {first_lost!r:.80}); delete the row without an"
            " answer"
        )


def count_unique(rows: Rows[Question], reporter: Reporter) -> int | None:
    """Validate all rows, and return the number of different questions.

    This finds errors before any work is done. Returns None, and reads nothing, if the source can be
    read only once.
    """
    if not rows.rereadable:
        return None
    with reporter.task(f"checking {rows.source}") as task:
        return sum(1 for _ in counted(unique(rows, None), task))


def _rationales_of(row: Row) -> Sequence[Rationale]:
    kind = kind_of(row)
    if kind == "rationale":
        if row.get("reason") in REASONS and "request" in row:
            raise RowProblem(f"was rejected ({row['reason']}): not fit to learn from")
        return (Rationale.from_row(row),)
    if kind == "question":
        raise RowProblem('has no "rationale"; scicot generate-rationales makes them')
    prediction = Prediction.from_row(row)
    if not prediction.rationales:
        raise RowProblem("was predicted without a rationale, so there is none to learn from")
    source = prediction.models.get("rationale_from", "student")
    if source == "shuffled":
        raise RowProblem("was predicted from another question's rationale: not fit to learn from")
    question = prediction.question.without_rationale()
    teacher = PREDICTED if source == "student" else None
    if teacher is None and not all(text.strip() for text in prediction.rationales):
        raise RowProblem("was predicted from an empty rationale: nothing to learn from")
    return [
        Rationale(question, text, sample=index, teacher=teacher)
        for index, text in enumerate(prediction.rationales)
    ]


def _predictions_of(row: Row) -> Sequence[Prediction]:
    kind = kind_of(row)
    if kind == "prediction":
        return (Prediction.from_row(row),)
    if kind == "rationale" and "conclusion" in row:
        return (_concluded(row),)
    raise RowProblem('has no "prediction"; scicot predict makes them')


def _concluded(row: Row) -> Prediction:
    """Return the conclusion of a rationale row as a prediction by the teacher. The row may be a
    rejected row."""
    # A rejected row may have no rationale, such as after a refusal.
    explained = not isinstance(row["rationale"], str) or bool(row["rationale"].strip())
    rationale = Rationale.from_row(row if explained else {**row, "rationale": "(none)"})
    question = rationale.question.without(PREDICTION_FIELDS)
    answer = rationale.conclusion if rationale.conclusion in question.labels else None
    models: Row = {"teacher": rationale.teacher, "saw_answer": rationale.saw_answer}
    if rationale.usage:
        models["usage"] = rationale.usage
    if rationale.reply:
        models["reply"] = rationale.reply
    rationales = (rationale.rationale,) if explained else ()
    return Prediction(question, rationales, answer, {}, None, models)


def check_not_empty(rows: Rows[Any], output: str | os.PathLike[str]) -> None:
    """Check that a pipe has a record before --force overwrites the file `output`.

    Raises ScicotError if `rows` come from a pipe without records, and the file is not empty.
    """
    file = Path(output)
    # Files are checked as a whole before anything is written.
    if rows.rereadable or not (file.is_file() and file.stat().st_size):
        return
    if not rows.has_records():
        raise ScicotError(f"{display_name(rows.source)}: has no rows, so {file} is not overwritten")
