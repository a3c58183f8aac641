"""The rows of a source as records, each one checked and what is wrong told by its place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Literal, Required, TypedDict, TypeVar, Unpack

from scicot.errors import InvalidRow, ScicotError
from scicot.formats import NotText, to_question_row
from scicot.records import (
    PREDICTED,
    PREDICTION_FIELDS,
    REASONS,
    Prediction,
    Question,
    Rationale,
    Row,
    RowProblem,
    content_id,
)
from scicot.reporting import Reporter, counted, number_of
from scicot.sources.arrival import Arrival
from scicot.sources.places import Source, display_name, is_rereadable, located_rows
from scicot.sources.prefix import Prefix
from scicot.sources.seen import Seen

T = TypeVar("T")

_INVALID_SHOWN = 5


@dataclass(slots=True)
class Counts:
    """What one reading of a source came to, so far."""

    rows: int = 0
    invalid: int = 0
    not_text: int = 0
    twins: int = 0  # rows in which two choices have the same text
    not_asked: int = 0
    first_not_asked: str = ""  # an id
    first_invalid: str = ""
    first_twins: str = ""


class NotAsked(RowProblem):
    """A row about a question, named by its id, that nobody asked. Such rows are left out and told
    of, not errors."""


class Rows(Generic[T]):
    """The rows of one source, parsed; each iteration reads it anew and starts `counts` again.

    `convert` brings a row into scicot's schema; `parse` makes records of it: one, or several where
    the row holds several. `limit` counts these records. The first invalid row raises InvalidRow
    unless `skip_invalid`; a source that gives no record at all raises ScicotError at its end,
    unless it is a pipe through which nothing came and `empty_pipe` says that there was nothing to
    do, then.
    """

    def __init__(
        self,
        source: Source,
        parse: Callable[[Row], Sequence[T]],
        *,
        convert: Callable[[Row], Row] = to_question_row,
        limit: int | None = None,
        skip_invalid: bool = False,
        empty_pipe: bool = False,
        reporter: Reporter,
    ) -> None:
        if limit is not None and not 1 <= limit <= sys.maxsize:
            raise ScicotError(f"--limit is {limit}; it must be at least 1, and a number of rows")
        self.source = os.fspath(source)
        self.counts = Counts()
        self._parse = parse
        self._convert = convert
        self._limit = limit
        self._skip_invalid = skip_invalid
        self._empty_pipe = empty_pipe
        self._reporter = reporter
        self._told = False  # a second reading repeats no warning
        self._arrival = Arrival()
        self.passed: Prefix | None = None  # what is passed over

    @property
    def rereadable(self) -> bool:
        return is_rereadable(self.source)

    def idle(self, seconds: float) -> bool:
        """Whether whoever asks a pipe for its next row would have to wait longer than this."""
        return self._arrival.idle(seconds)

    def pass_over(self, prefix: Prefix) -> bool:
        """Read only what comes behind this beginning; whether the source begins so."""
        short = self._limit is not None and self._limit <= prefix.rows
        if short or not self.rereadable or not prefix.begins(self.source):
            return False
        self.passed = prefix
        return True

    def prefix(self) -> Prefix | None:
        """What was read so far, which can be passed over another time; None where it cannot."""
        tally = self._arrival.tally
        before = self.passed.rows if self.passed else 0
        return None if tally is None else tally.prefix(before + self.counts.rows)

    def check(self) -> int:
        """Read and validate everything; how many records there are. Only where rereadable."""
        if not self.rereadable:
            raise ValueError(f"{display_name(self.source)} can be read only once")
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[T]:
        self.counts = counts = Counts()
        self._arrival = Arrival(self.passed)
        limit = self._limit
        if limit is not None and self.passed is not None:
            limit -= self.passed.rows
        # islice asks for nothing beyond the limit: the next line of a pipe may never come.
        for record in islice(self._records(counts), limit):
            counts.rows += 1
            yield record
        if not self._told:
            self._tell(counts)
            self._told = True
        if counts.rows == 0 and self.passed is None:
            why = _why_empty(display_name(self.source), counts)
            came = counts.invalid or counts.not_text or counts.not_asked
            nothing_came = not (came or self.rereadable)
            if not (nothing_came and self._empty_pipe):
                raise ScicotError(why)
            self._reporter.warn(why)

    def _records(self, counts: Counts) -> Iterator[T]:
        located = located_rows(self.source, self._arrival)
        while True:
            try:
                where, row = next(located)
                records = self._read(where, row, counts)
            except StopIteration:
                return
            except InvalidRow as error:
                self._refuse(error, counts)
            else:
                yield from records

    def _read(self, where: str, row: Row, counts: Counts) -> Sequence[T]:
        try:
            question_row = self._convert(row)
            records = self._parse(question_row)
        except NotText:
            counts.not_text += 1
            return ()
        except NotAsked as stranger:
            counts.not_asked += 1
            counts.first_not_asked = counts.first_not_asked or str(stranger)
            return ()
        except RowProblem as problem:
            raise InvalidRow(where, str(problem)) from None
        texts = [choice["text"].strip() for choice in question_row["choices"]]
        if len(set(texts)) < len(texts):
            counts.twins += 1
            counts.first_twins = counts.first_twins or where
        return records

    def _refuse(self, error: InvalidRow, counts: Counts) -> None:
        if not self._skip_invalid:
            raise error
        counts.invalid += 1
        counts.first_invalid = counts.first_invalid or str(error)
        if counts.invalid <= _INVALID_SHOWN and not self._told:
            self._reporter.warn(f"{error}; skipped")

    def _tell(self, counts: Counts) -> None:
        name = display_name(self.source)
        if counts.invalid:
            self._reporter.warn(f"{name}: {number_of(counts.invalid, 'invalid row')} skipped")
        if counts.twins:
            self._reporter.warn(
                f"{name}: {number_of(counts.twins, 'row')} with two choices of the same text,"
                f" first at {counts.first_twins}; kept, their labels tell them apart"
            )
        if counts.not_asked:
            self._reporter.warn(f"{name}: {_strangers(counts)}; left out")
        if counts.not_text:
            self._reporter.note(f"{name}: {number_of(counts.not_text, 'image question')} skipped")


def _strangers(counts: Counts) -> str:
    return (
        f"{number_of(counts.not_asked, 'row')} of no question that was asked, or of one again"
        f" (first: {counts.first_not_asked!r})"
    )


def _why_empty(name: str, counts: Counts) -> str:
    reasons = []
    if counts.invalid:
        invalid = number_of(counts.invalid, "invalid row")
        reasons.append(f"{invalid} skipped (first: {counts.first_invalid})")
    if counts.not_asked:
        reasons.append(_strangers(counts))
    if counts.not_text:
        reasons.append(f"{number_of(counts.not_text, 'image question')} skipped")
    return (
        f"{name}: holds no rows" + (" that can be used: " if reasons else "") + ", ".join(reasons)
    )


Kind = Literal["question", "rationale", "prediction"]


def kind_of(row: Row) -> Kind:
    """What a row in scicot's schema is; a prediction may hold the rationale it was made from."""
    if "prediction" in row:
        return "prediction"
    return "rationale" if "rationale" in row else "question"


class Options(TypedDict, total=False):
    """The options of Rows, which those below hand on."""

    limit: int | None
    skip_invalid: bool
    empty_pipe: bool
    reporter: Required[Reporter]


def questions(
    source: Source,
    *,
    check: Callable[[Question], None] | None = None,
    **options: Unpack[Options],
) -> Rows[Question]:
    """The questions of rows of any kind; what else a row holds stays in the question's `extra`.

    `check` raises RowProblem for a question that the caller cannot use.
    """

    def parse(row: Row) -> Sequence[Question]:
        question = Question.from_row(row)
        if check is not None:
            check(question)
        return (question,)

    return Rows(source, parse, **options)


def rationales(source: Source, **options: Unpack[Options]) -> Rows[Rationale]:
    """What the students learn from: rationale rows, or prediction rows with a student's own.

    A prediction row gives one record for each of its rationales.
    """
    return Rows(source, _rationales_of, **options)


def predictions(
    source: Source,
    *,
    convert: Callable[[Row], Row] = to_question_row,
    **options: Unpack[Options],
) -> Rows[Prediction]:
    """What is evaluated: prediction rows, or rationale rows with the teacher's own conclusion.

    `convert` brings rows of another kind into scicot's schema.
    """
    return Rows(source, _predictions_of, convert=convert, **options)


def unique(
    questions: Iterable[Question], reporter: Reporter | None, further: str | None = None
) -> Iterator[Question]:
    """Each question once, the first with its id; how many were repeated is noted at the end, or
    warned of where what is left out with them has a name, `further`.

    Raises ScicotError where two different questions share an id, by which rows are joined.
    """
    seen = Seen()
    repeated = 0
    for question in questions:
        asked = content_id(question.question, question.context, question.choices)
        try:
            new = seen.is_new(question.id, asked)
        except ValueError:
            raise ScicotError(
                f"two different questions have the id {question.id!r}; rename one"
            ) from None
        if new:
            yield question
        else:
            repeated += 1
    if repeated and reporter is not None and further:
        reporter.warn(
            f"{number_of(repeated, further)} left out: of each question the first is read"
        )
    elif repeated and reporter is not None:
        reporter.note(
            f"{number_of(repeated, 'repeated question')} left out, the same by id and text"
        )


def count_unique(rows: Rows[Question], reporter: Reporter) -> int | None:
    """Read and validate everything before any work is done; None where rows come only once."""
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
        raise RowProblem("was predicted behind another question's rationale: not fit to learn from")
    question = prediction.question.without_rationale()
    teacher = PREDICTED if source == "student" else None
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
    """The teacher's answer as a prediction; a conclusion that names no choice is no answer.

    Rejected rows count too, and of a refusal there is no explanation.
    """
    given = Rationale.from_row({**row, "rationale": row["rationale"] or "(none)"})
    question = given.question.without(PREDICTION_FIELDS)
    answer = given.conclusion if given.conclusion in question.labels else None
    models = {"teacher": given.teacher, "saw_answer": given.saw_answer}
    rationales = (row["rationale"],) if row["rationale"] else ()
    return Prediction(question, rationales, answer, {}, None, models)
