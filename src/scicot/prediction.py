"""Both stages chained: questions in, predictions out, in the same order.

    stage 1   rationale = rationale student's greedy text
    stage 2   p(label) = softmax over the choices of the answer student's log p(label | ...)

Nothing is parsed and nothing is guessed: every choice's label is scored, and the most likely is the
answer. Where two score exactly alike, or a score is not a number, there is no answer (null).
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scicot import sources, stages
from scicot.config import PredictSettings
from scicot.errors import InvalidRow, ScicotError
from scicot.outputs import Output, open_output
from scicot.records import PREDICTION_FIELDS, Prediction, Question, RowProblem
from scicot.reporting import LogReporter, Reporter, Task
from scicot.stages import Stage
from scicot.students.base import Student
from scicot.students.devices import resolve_device, resolve_precision
from scicot.students.runs import Run, check_run


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
    answer_model: str | os.PathLike[str],
    rationale_model: str | os.PathLike[str] | None = None,
    settings: PredictSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> PredictSummary:
    """Answer every question of a file, one prediction row each, in the order of the file.

    Without `rationale_model` the answer model must be a direct one. Called again it goes on after
    the rows that `output` holds. Raises ScicotError for what the user can mend, among it a run that
    was trained for another stage.
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
        stream = iter(sources.unique(rows, reporter))
        summary.already_done = _skip_done(out, stream, os.fspath(questions), task)
        for prediction in pair.predict(stream):
            out.write(prediction.to_row())
            summary.predicted += 1
            summary.unanswered += prediction.prediction is None
            task.advance()
        out.finish({"rows": summary.already_done + summary.predicted})
    for cut in pair.cuts():
        reporter.warn(cut)
    if summary.unanswered:
        reporter.warn(
            f"{summary.unanswered} questions got no answer: two choices score exactly alike"
            " (labels that the student cannot tell apart?), or a score is not a number"
        )
    return summary


class Pair:
    """The students that answer together, loaded when the first question needs them."""

    def __init__(
        self,
        answer: Run,
        rationale: Run | None,
        settings: PredictSettings,
    ) -> None:
        self._answer = answer
        self._rationale = rationale
        self._settings = settings
        self._loaded: tuple[Student, Student | None] | None = None
        self.models = {
            "answer": answer.identity,
            "rationale": rationale.identity if rationale else None,
            "rationale_from": self._rationale_source(),
            "scoring": "label",
        }

    def description(self) -> dict[str, Any]:
        """What decides the answers, for the output's state; ScicotError for a missing device."""
        device = resolve_device(self._settings.device)
        precision = resolve_precision(self._settings.precision, device)
        return {
            **self.models,
            "max_new_tokens": self._settings.max_new_tokens,
            "precision": str(precision).removeprefix("torch."),
        }

    def cuts(self) -> Iterator[str]:
        """What was longer than allowed, one sentence each."""
        for student in self._loaded or ():
            if student is not None and student.cut_inputs:
                yield f"{student.cut_inputs} inputs were longer than the student reads, and cut"
            if student is not None and student.cut_outputs:
                yield f"{student.cut_outputs} rationales ran into --max-new-tokens"

    @classmethod
    def check(
        cls,
        answer_model: str | os.PathLike[str],
        rationale_model: str | os.PathLike[str] | None,
        settings: PredictSettings,
    ) -> Pair:
        """Look at the runs without loading them; ScicotError where they do not fit together."""
        answer = check_run(answer_model, "--answer-model", Stage.ANSWER, Stage.DIRECT)
        rationale = None
        if rationale_model is not None:
            rationale = check_run(rationale_model, "--rationale-model", Stage.RATIONALE)
        place = f"--answer-model {os.fspath(answer_model)}"
        wants = answer.stage is Stage.ANSWER and settings.rationale_from == "student"
        if wants and rationale is None:
            raise ScicotError(
                f"{place}: reads rationales; give --rationale-model RUN, or say --rationale-from"
                " input or none"
            )
        if rationale is not None and not wants:
            why = "was trained without rationales" if answer.stage is Stage.DIRECT else ""
            why = why or f"--rationale-from is {settings.rationale_from}"
            raise ScicotError(f"{place}: {why}; leave --rationale-model out")
        if answer.stage is Stage.DIRECT and settings.rationale_from == "input":
            raise ScicotError(
                f"{place}: was trained without rationales; leave --rationale-from out"
            )
        return cls(answer, rationale, settings)

    def predict(self, questions: Iterable[Question]) -> Iterator[Prediction]:
        """Predictions in the order of the questions, a window of them at a time."""
        for window in _windows(questions, self._settings.window):
            rationales = self._rationales(window)
            scores = self._scores(window, rationales)
            for question, rationale, own in zip(window, rationales, scores, strict=True):
                yield self._prediction(question, rationale, own)

    def _rationales(self, questions: Sequence[Question]) -> list[str | None]:
        source = self._rationale_source()
        if source == "input":
            return [question.extra["rationale"] for question in questions]
        if source == "none":
            return [None] * len(questions)
        _, student = self.load()
        assert student is not None
        inputs = [stages.rationale_input(question) for question in questions]
        return list(student.generate(inputs, max_new_tokens=self._settings.max_new_tokens))

    def _scores(
        self, questions: Sequence[Question], rationales: Sequence[str | None]
    ) -> list[dict[str, float]]:
        student, _ = self.load()
        log_p = student.score(
            [stages.answer_input(q, r) for q, r in zip(questions, rationales, strict=True)],
            [[stages.answer_target(label) for label in q.labels] for q in questions],
        )
        return [
            dict(zip(question.labels, probabilities, strict=True)) if probabilities else {}
            for question, probabilities in zip(questions, map(softmax, log_p), strict=True)
        ]

    def _prediction(
        self, question: Question, rationale: str | None, scores: dict[str, float]
    ) -> Prediction:
        top = max(scores.values(), default=0.0)
        best = [label for label, score in scores.items() if score == top]
        # Two labels that score exactly alike, as do two that tokenise alike, are no answer.
        answer = best[0] if len(best) == 1 else None
        return Prediction(
            question.without(PREDICTION_FIELDS),
            () if rationale is None else (rationale,),
            answer,
            scores,
            None if answer is None else top,
            self.models,
        )

    def _rationale_source(self) -> str:
        if self._answer.stage is Stage.DIRECT:
            return "none"
        return self._settings.rationale_from

    def load(self) -> tuple[Student, Student | None]:
        from scicot.students.encoder_decoder import load_student

        def load(run: Run) -> Student:
            return load_student(
                run.directory,
                max_source_tokens=run.manifest.max_source_tokens,
                batch_size=self._settings.batch_size,
                device=self._settings.device,
                precision=self._settings.precision,
            )

        if self._loaded is None:
            self._loaded = (load(self._answer), load(self._rationale) if self._rationale else None)
        return self._loaded


def softmax(log_p: Sequence[float]) -> list[float] | None:
    """Probabilities that add up to 1; None where a score is not a number."""
    if not all(math.isfinite(value) for value in log_p):
        return None
    top = max(log_p)
    weights = [math.exp(value - top) for value in log_p]
    total = sum(weights)
    return [weight / total for weight in weights]


def _has_rationale(question: Question) -> None:
    if not isinstance(question.extra.get("rationale"), str):
        raise RowProblem('has no "rationale", which --rationale-from input reads')


def _windows(questions: Iterable[Question], size: int) -> Iterator[list[Question]]:
    stream = iter(questions)
    while window := list(itertools.islice(stream, size)):
        yield window


def _skip_done(out: Output, stream: Iterator[Question], name: str, task: Task) -> int:
    """Pass over the questions that the output answers already; they must be its first rows."""
    done = 0
    for where, row in out.existing():
        question = next(stream, None)
        try:
            answered = Prediction.from_row(row).question
        except RowProblem as problem:
            raise InvalidRow(where, f"{problem}; start this file over with --force") from None
        if question is None or _asked(question) != _asked(answered):
            expected = f"{name} has {question.id!r}" if question else f"{name} has ended"
            raise ScicotError(
                f"{where}: answers {answered.id!r} where {expected}: the input has changed;"
                " name another output, or start this one over with --force"
            )
        if question.without(PREDICTION_FIELDS) != answered:
            raise ScicotError(
                f"{where}: {answered.id!r} is asked alike in {name}, but its gold answer or another"
                " field has changed; name another output, or start this one over with --force"
            )
        done += 1
        task.advance()
    return done


def _asked(question: Question) -> tuple[Any, ...]:
    return question.id, question.question, question.choices, question.context
