"""Files of answers as prediction rows, whoever wrote them.

    Answers(reporter=reporter).of("predictions.jsonl")         scicot's own rows, or rationale rows
    Answers(questions="test.jsonl", ...).of("theirs.jsonl")    {"id": "q1", "prediction": "B"}
    Answers(reporter=reporter).of("samples_arc_easy.jsonl")    a log of lm-evaluation-harness

With `questions`, these are the questions that were asked: the gold answers are theirs, what answers
none of them is left out, and what was not answered counts.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from scicot import jsonl, sources
from scicot.evaluation import lm_eval
from scicot.formats import fields, to_question_row
from scicot.records import (
    PREDICTION_FIELDS,
    QUESTION_FIELDS,
    Prediction,
    Question,
    Row,
    RowProblem,
)
from scicot.reporting import Reporter, counted

_NAMED = 5  # ids spelled out in a message


class Answers:
    """Reads files of answers, beside the questions of `questions` where they hold none."""

    def __init__(
        self,
        *,
        questions: sources.Source | None = None,
        per_character: bool = False,
        limit: int | None = None,
        skip_invalid: bool = False,
        reporter: Reporter,
    ) -> None:
        self._per_character = per_character
        self._skip_invalid = skip_invalid
        self._reporter = reporter
        self._limit = limit
        self._asked: _Asked | None = None
        if questions is not None:
            rows = sources.questions(
                questions, limit=limit, skip_invalid=skip_invalid, reporter=reporter
            )
            self._limit = None  # it is of questions, then
            with reporter.task(f"reading {os.fspath(questions)}") as task:
                self._asked = _Asked(counted(sources.unique(rows, reporter), task))

    def of(self, file: sources.Source) -> Iterator[Prediction]:
        """The rows of a file, and behind them the questions that were asked and not answered."""
        rows = sources.predictions(
            file,
            convert=self._convert,
            limit=self._limit,
            skip_invalid=self._skip_invalid,
            reporter=self._reporter,
        )
        return iter(rows) if self._asked is None else self._whole(file, rows, self._asked)

    def _whole(
        self, file: sources.Source, rows: Iterable[Prediction], asked: _Asked
    ) -> Iterator[Prediction]:
        answered = set()
        for row in rows:
            answered.add(row.question.id)
            yield row
        missing: list[str] = []
        count = 0
        for question in asked:
            if question.id not in answered:
                count += 1
                missing += [question.id][: _NAMED - len(missing)]
                yield Prediction(question, (), None, {}, None)
        if count:
            named = ", ".join(missing) + (", ..." if count > len(missing) else "")
            self._reporter.warn(
                f"{os.fspath(file)}: {count:,} questions have no answer ({named}); they count as"
                " not answered"
            )

    def _convert(self, row: Row) -> Row:
        sample = lm_eval.is_sample(row)
        if self._asked is None and not sample:
            if "prediction" in row and "choices" not in row and "question" not in row:
                raise RowProblem("holds no question; name the file that does by --questions")
            return to_question_row(row)
        question = self._question_of(row["doc"] if sample else row)
        if sample:
            own = lm_eval.answer_of(row, question, per_character=self._per_character)
        else:
            own = _answer_of(row, question)
        return {**question.without(PREDICTION_FIELDS).to_row(), **own}

    def _question_of(self, given: Row) -> Question:
        if self._asked is None:
            return Question.from_row(to_question_row(given))
        identity, shown = given.get("id"), _question_in(given)
        if identity is None and shown is not None:
            identity = shown.id  # of a question that came without one: a digest of its text
        if identity is None:
            raise RowProblem("has no id by which to find its question")
        question = self._asked.get(str(identity))
        if question is None:
            raise sources.NotAsked(str(identity))
        if shown is not None and _texts(shown) != _texts(question):
            raise RowProblem(f"{question.id!r} has other choices than the question of this id")
        return question


def _question_in(row: Row) -> Question | None:
    """The question that stands in a row, where one does."""
    try:
        return Question.from_row(to_question_row(row))
    except RowProblem:
        return None


def _texts(question: Question) -> list[str]:
    return [choice.text for choice in question.choices]


def _answer_of(row: Row, question: Question) -> Row:
    """What a row says beside its question: an answer is a label or the text of a choice."""
    own = {name: value for name, value in row.items() if name not in QUESTION_FIELDS}
    if "choices" not in row and isinstance(row.get("rationale"), str):
        own["rationales"] = [own.pop("rationale")]
    if "prediction" in own:
        own["prediction"] = _label_of(own["prediction"], question)
    return own


def _label_of(said: Any, question: Question) -> str | None:
    if fields.is_blank(said):
        return None
    choices: list[dict[str, Any]] = [{"label": c.label, "text": c.text} for c in question.choices]
    text = str(said)
    label = fields.label_named(text, choices) or fields.label_of_text(text, choices)
    if label is None or isinstance(said, bool | float | list | dict):
        raise RowProblem(
            f'"prediction" is {fields.shown(said)}, neither a label of {question.id!r}'
            f" {list(question.labels)} nor the text of a choice"
        )
    return label


class _Asked:
    """Questions by their id: in SQLite's own temporary file, and in memory while they are few."""

    def __init__(self, questions: Iterator[Question]) -> None:
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._table.execute("pragma journal_mode = off")
        self._table.execute("create table asked (id blob unique, row blob)")
        self._table.execute("begin")
        rows = ((_key(own.id), jsonl.encode(own.to_row())) for own in questions)
        self._table.executemany("insert into asked values (?, ?)", rows)

    def get(self, identity: str) -> Question | None:
        query = "select row from asked where id = ?"
        found = self._table.execute(query, (_key(identity),)).fetchone()
        return None if found is None else Question.from_row(jsonl.decode(found[0]))

    def __iter__(self) -> Iterator[Question]:
        for (row,) in self._table.execute("select row from asked order by rowid"):
            yield Question.from_row(jsonl.decode(row))


def _key(identity: str) -> bytes:
    return identity.encode("utf-8", "surrogatepass")
