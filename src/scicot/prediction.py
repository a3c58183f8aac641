"""Both stages chained: questions in, predictions out, in the same order.

    stage 1   rationale = rationale student's greedy text
    stage 2   p(label) = softmax over the choices of the answer student's log p(label | ...)

Students that answer alone do without the first; a rationale student alone writes rationale rows.
Nothing is parsed and nothing is guessed: every choice's label is scored, and the most likely is the
answer. Where two score exactly alike, or a score is not a number, there is no answer (null).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot import sources
from scicot.config import PredictSettings
from scicot.errors import InvalidRow, ScicotError
from scicot.outputs import Output, open_output
from scicot.overlap import Met
from scicot.records import (
    PREDICTION_FIELDS,
    STUDENT,
    Prediction,
    Question,
    Rationale,
    RowProblem,
)
from scicot.reporting import LogReporter, Reporter, Task
from scicot.stages import FORMS
from scicot.students.answering import answer_of, label_scores, write_rationales
from scicot.students.base import Student
from scicot.students.devices import resolve_device, resolve_precision
from scicot.students.runs import Run, check_run
from scicot.students.texts import told

_ANSWERING = tuple(stage for stage, form in FORMS.items() if form.answers)
_WRITING = tuple(stage for stage, form in FORMS.items() if not form.answers)


@dataclass
class PredictSummary:
    """How many questions were answered now, left without an answer, and found done already."""

    predicted: int = 0
    unanswered: int = 0
    already_done: int = 0


def predict(
    questions: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    answer_model: str | os.PathLike[str] | None = None,
    rationale_model: str | os.PathLike[str] | None = None,
    settings: PredictSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> PredictSummary:
    """Answer every question of a file, one prediction row each, in the order of the file.

    An answer model that reads rationales wants a `rationale_model`; without an `answer_model` that
    one's rationales are written, as rationale rows. Called again it goes on after the rows that
    `output` holds. Raises ScicotError for what the user can mend, among it a run that was trained
    for another stage.
    """
    settings = settings or PredictSettings()
    reporter = reporter or LogReporter()
    pair = Pair.check(answer_model, rationale_model, settings)
    rows = sources.questions(
        questions,
        limit=limit,
        skip_invalid=skip_invalid,
        reporter=reporter,
        check=_has_rationale if settings.rationale_from == "input" else None,
    )
    total = sources.count_unique(rows, reporter)
    summary = PredictSummary()
    met = pair.met()
    if force:
        pair.load()  # before the old predictions are gone
    with (
        open_output(
            output,
            command="predict",
            settings=pair.description(),
            inputs={os.fspath(questions): sources.sha256_of(questions)},
            force=force,
        ) as out,
        reporter.task("answering", total) as task,
    ):
        stream = met.watch(sources.unique(rows, reporter))
        summary.already_done = _skip_done(out, stream, os.fspath(questions), task, pair.carried)
        for answer in pair.predict(stream):
            out.write(answer.to_row())
            summary.predicted += 1
            summary.unanswered += isinstance(answer, Prediction) and answer.prediction is None
            task.advance()
        out.finish({"rows": summary.already_done + summary.predicted})
    for cut in pair.cuts():
        reporter.warn(cut)
    if met.overlap:
        reporter.warn(met.overlap.told("questions that the students were trained or selected on"))
    if summary.unanswered:
        reporter.warn(
            f"{summary.unanswered} questions got no answer: two choices score exactly alike"
            " (labels that the student cannot tell apart?), or a score is not a number"
        )
    return summary


class Pair:
    """The students that answer together, loaded when the first question needs them.

    `answer` answers, `rationale` writes what it reads; either may do without the other.
    """

    def __init__(
        self, answer: Run | None, rationale: Run | None, settings: PredictSettings
    ) -> None:
        self._answer = answer
        self._rationale = rationale
        self._settings = settings
        self._loaded: dict[Path, tuple[Run, Student]] = {}
        self.models = {
            "answer": answer.identity if answer else None,
            "rationale": rationale.identity if rationale else None,
            "rationale_from": self._rationale_source(),
            "scoring": "label",
        }

    @classmethod
    def check(
        cls,
        answer_model: str | os.PathLike[str] | None,
        rationale_model: str | os.PathLike[str] | None,
        settings: PredictSettings,
    ) -> Pair:
        """Look at the runs without loading them; ScicotError where they do not fit together."""
        if answer_model is None and rationale_model is None:
            raise ScicotError("nothing to predict with; give --answer-model RUN")
        answer = rationale = None
        if rationale_model is not None:
            rationale = check_run(rationale_model, "--rationale-model", *_WRITING)
        if answer_model is None:
            if settings.rationale_from != "student":
                raise ScicotError("--rationale-from: means nothing without --answer-model")
            return cls(None, rationale, settings)
        answer = check_run(answer_model, "--answer-model", *_ANSWERING)
        place = f"--answer-model {os.fspath(answer_model)}"
        reads = FORMS[answer.stage].reads_rationale
        wants = reads and settings.rationale_from == "student"
        if wants and rationale is None:
            raise ScicotError(
                f"{place}: reads rationales; give --rationale-model RUN, or say --rationale-from"
                " input or none"
            )
        if rationale is not None and not wants:
            why = f"is a {answer.stage} run, which reads no rationales"
            why = f"--rationale-from is {settings.rationale_from}" if reads else why
            raise ScicotError(f"{place}: {why}; leave --rationale-model out")
        if not reads and settings.rationale_from == "input":
            raise ScicotError(
                f"{place}: is a {answer.stage} run, which reads no rationales;"
                " leave --rationale-from out"
            )
        return cls(answer, rationale, settings)

    def description(self) -> dict[str, Any]:
        """What decides the answers, for the output's state; ScicotError for a missing device."""
        device = resolve_device(self._settings.device)
        precision = resolve_precision(self._settings.precision, device)
        writer = self._writer()
        return {
            **self.models,
            "max_new_tokens": self._max_new_tokens(writer) if writer else None,
            "precision": str(precision).removeprefix("torch."),
        }

    def cuts(self) -> Iterator[str]:
        """What was longer than allowed, one sentence each."""
        for run, student in self._loaded.values():
            yield from told(student.cuts, run.manifest.max_source_tokens)
            if student.cut_outputs:
                yield f"{student.cut_outputs} rationales ran into --max-new-tokens"

    def met(self) -> Met:
        """The questions that these students know already."""
        met = Met()
        for run in (self._answer, self._rationale):
            if run is not None:
                met.read(run.directory)
        return met

    def load(self) -> None:
        """Load what is not loaded yet; ScicotError where it cannot be."""
        for run in (self._answer, self._rationale):
            if run is not None:
                self._student(run)

    def predict(self, questions: Iterable[Question]) -> Iterator[Prediction | Rationale]:
        """Predictions in the order of the questions, a window of them at a time."""
        for window in _windows(questions, self._settings.window):
            rationales = self._rationales(window)
            if self._answer is None:
                yield from self._as_teacher(window, rationales)
                continue
            student = self._student(self._answer)
            log_p = label_scores(student, self._answer.stage, window, rationales)
            for question, rationale, own in zip(window, rationales, log_p, strict=True):
                answer = answer_of(question, own)
                yield Prediction(
                    self.carried(question),
                    () if rationale is None else (rationale,),
                    answer.label,
                    answer.scores,
                    None if answer.label is None else answer.scores[answer.label],
                    self.models,
                )

    def _as_teacher(
        self, questions: Sequence[Question], rationales: Sequence[str | None]
    ) -> Iterator[Rationale]:
        teacher = f"{STUDENT}{self.models['rationale']}"
        for question, rationale in zip(questions, rationales, strict=True):
            yield Rationale(self.carried(question), rationale or "", teacher=teacher)

    def carried(self, question: Question) -> Question:
        """The question as its row of the output carries it: without what that row says anew."""
        question = question.without(PREDICTION_FIELDS)
        return question if self._answer else question.without_rationale()

    def _rationales(self, questions: Sequence[Question]) -> Sequence[str | None]:
        source = self._rationale_source()
        if source == "input":
            return [question.extra["rationale"] for question in questions]
        writer = self._writer()
        if source == "none" or writer is None:
            return [None] * len(questions)
        return write_rationales(
            self._student(writer),
            writer.stage,
            questions,
            max_new_tokens=self._max_new_tokens(writer),
        )

    def _writer(self) -> Run | None:
        """The run that writes rationales, where there is one."""
        writer = self._rationale or self._answer
        return writer if writer and FORMS[writer.stage].writes_rationale else None

    def _max_new_tokens(self, writer: Run) -> int:
        """As many as the student was trained on, unless the user says otherwise."""
        return self._settings.max_new_tokens or writer.manifest.max_target_tokens

    def _rationale_source(self) -> str:
        if self._answer is None or FORMS[self._answer.stage].writes_rationale:
            return "student"
        return (
            self._settings.rationale_from if FORMS[self._answer.stage].reads_rationale else "none"
        )

    def _student(self, run: Run) -> Student:
        if run.directory not in self._loaded:
            student = run.load(
                batch_size=self._settings.batch_size,
                device=self._settings.device,
                precision=self._settings.precision,
            )
            self._loaded[run.directory] = run, student
        return self._loaded[run.directory][1]


def _has_rationale(question: Question) -> None:
    if not isinstance(question.extra.get("rationale"), str):
        raise RowProblem('has no "rationale", which --rationale-from input reads')


def _windows(questions: Iterable[Question], size: int) -> Iterator[list[Question]]:
    stream = iter(questions)
    while window := list(itertools.islice(stream, size)):
        yield window


def _skip_done(
    out: Output,
    stream: Iterator[Question],
    name: str,
    task: Task,
    carried: Callable[[Question], Question],
) -> int:
    """Pass over the questions that the output answers already; they must be its first rows."""
    done = 0
    for where, row in out.existing():
        question = next(stream, None)
        try:
            answered = carried(Question.from_row(row))
        except RowProblem as problem:
            raise InvalidRow(where, f"{problem}; start this file over with --force") from None
        if question is None or _asked(question) != _asked(answered):
            expected = f"{name} has {question.id!r}" if question else f"{name} has ended"
            raise ScicotError(
                f"{where}: answers {answered.id!r} where {expected}: the input has changed;"
                " name another output, or start this one over with --force"
            )
        if carried(question) != answered:
            raise ScicotError(
                f"{where}: {answered.id!r} is asked alike in {name}, but its gold answer or another"
                " field has changed; name another output, or start this one over with --force"
            )
        done += 1
        task.advance()
    return done


def _asked(question: Question) -> tuple[Any, ...]:
    return question.id, question.question, question.choices, question.context
