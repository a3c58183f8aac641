"""The students that answer together: which runs go with one another, and what they make of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from scicot.config import SAMPLING, AnswerAs, PredictSettings
from scicot.overlap import Met
from scicot.prediction import checks
from scicot.prediction.loaded import Loaded
from scicot.records import (
    PREDICTION_FIELDS,
    RATIONALE_FIELDS,
    STUDENT,
    Prediction,
    Question,
    Rationale,
)
from scicot.stages import FORMS
from scicot.students import answering
from scicot.students.answering import Answer
from scicot.students.base import Decoding
from scicot.students.drawing import seed_of
from scicot.students.runs import Run

# A question, and the one whose rationales it is answered with: itself, unless they are shuffled.
Asked = tuple[Question, Question]
Opinion = list[float] | None  # probabilities of the choices; None where they are no numbers


class Students:
    """Loaded when the first question needs them. `answer` answers, each of `rationales` writes what
    it reads; either may do without the other.
    """

    def __init__(
        self, answer: Run | None, rationales: Sequence[Run], settings: PredictSettings
    ) -> None:
        self._answer = answer
        self._settings = settings
        self._runs = [*([answer] if answer else []), *rationales]
        self.loaded = Loaded(self._runs, settings)
        self._writers = [run for run in self._runs if FORMS[run.stage].writes_rationale]
        self._source = self._rationale_source()
        self.models = self._models()

    @classmethod
    def check(
        cls,
        answer_model: checks.Name | None,
        rationale_models: Sequence[checks.Name],
        settings: PredictSettings,
    ) -> Students:
        """Look at the runs without loading them; ScicotError where they do not fit together."""
        answer, rationales = checks.check_runs(answer_model, rationale_models, settings)
        students = cls(answer, rationales, settings)
        checks.check_settings(answer, students._writers, students._source, settings)
        return students

    @property
    def rationales_each(self) -> int:
        """How many rationales are written for a question."""
        return self._settings.samples * len(self._writers)

    @property
    def rows_each(self) -> int:
        """How many rows a question comes to: one prediction, or each of its rationales."""
        return 1 if self._answer else self.rationales_each

    @property
    def shuffles(self) -> bool:
        return self._source == "shuffled"

    @property
    def reads_given(self) -> bool:
        """Whether the rows of the input have to bring rationales."""
        return self._source == "input" or (self._source == "shuffled" and not self._writers)

    def description(self) -> dict[str, Any]:
        """What decides the answers, for the output's state; ScicotError for a missing device, or an
        engine that cannot do what is asked for."""
        settings = self._settings
        limits = [self._decoding(run).max_new_tokens for run in self._writers]
        return {
            **self.models,
            "max_new_tokens": limits[0] if len(set(limits)) == 1 else limits or None,
            "engines": self.loaded.engines(),
            **({"abstain_below": settings.abstain_below} if settings.abstain_below else {}),
        }

    def doubts(self) -> Iterator[str]:
        """What the user may not have meant, one sentence each."""
        return checks.doubts(self._answer, self._settings)

    def met(self) -> Met:
        """The questions that these students know already."""
        met = Met()
        for run in self._runs:
            met.read(run.directory)
        return met

    def carried(self, question: Question) -> Question:
        """The question as its row of the output carries it: without what that row says anew."""
        question = question.without(PREDICTION_FIELDS)
        if self._answer:
            return question
        return question.without((*RATIONALE_FIELDS, "fold"))  # fields of a student's rationales

    def rows(self, asked: Sequence[Asked]) -> list[Prediction | Rationale]:
        """The rows of the output, `rows_each` for each question, in order."""
        questions = [question for question, _ in asked]
        rationales = self._rationales([source for _, source in asked])
        if self._answer is None:
            return self._as_teacher(questions, rationales)
        opinions = self._opinions(self._answer, questions, rationales)
        direct: Sequence[Sequence[Opinion]] = [()] * len(questions)
        if self._settings.mix_direct:
            direct = self._opinions(self._answer, questions, [()] * len(questions))
        return [
            self._prediction(question, texts, self._together(question, own, alone))
            for question, texts, own, alone in zip(
                questions, rationales, opinions, direct, strict=True
            )
        ]

    def _together(
        self, question: Question, opinions: Sequence[Opinion], direct: Sequence[Opinion]
    ) -> Answer:
        """One answer of the opinions that the rationales led to, and of the one without."""
        known = [opinion for opinion in opinions if opinion is not None]
        alone = [opinion for opinion in direct if opinion is not None]
        if len(known) < len(opinions) or len(alone) < len(direct):
            return Answer(None, {})
        if self._settings.vote:
            answer = answering.vote_of(question, known)
        else:
            answer = answering.answer_of(question, answering.averaged(known))
        if not alone:
            return answer
        weight = self._settings.mix_direct
        both = [list(answer.scores.values()), alone[0]]
        return answering.answer_of(question, answering.averaged(both, [1 - weight, weight]))

    def _prediction(
        self, question: Question, rationales: Sequence[str], answer: Answer
    ) -> Prediction:
        confidence = max(answer.scores.values(), default=None)
        if answer.label is None:
            confidence = None
        abstained = confidence is not None and confidence < self._settings.abstain_below
        return Prediction(
            self.carried(question),
            tuple(rationales),
            None if abstained else answer.label,
            answer.scores,
            confidence,
            self.models,
            abstained,
        )

    def _as_teacher(
        self, questions: Sequence[Question], rationales: Sequence[Sequence[str]]
    ) -> list[Prediction | Rationale]:
        teacher = f"{STUDENT}{self.models['rationale']}"
        return [
            Rationale(self.carried(question), text, sample, teacher)
            for question, texts in zip(questions, rationales, strict=True)
            for sample, text in enumerate(texts)
        ]

    def _rationales(self, questions: Sequence[Question]) -> Sequence[Sequence[str]]:
        """The rationales of each question: none, the given one, or as many as samples, of every
        writer."""
        if self.reads_given:
            return [[question.extra["rationale"]] for question in questions]
        if self._source == "none":
            return [[]] * len(questions)
        written: list[list[str]] = [[] for _ in questions]
        for number, run in enumerate(self._writers):
            made = answering.write_rationales(
                self.loaded.student(run),
                run.stage,
                questions,
                self._decoding(run),
                [self._draws(question, number) for question in questions],
            )
            for own, texts in zip(written, made, strict=True):
                own += texts
        return written

    def _draws(self, question: Question, writer: int) -> list[int | None]:
        """The seeds of a question's samples; one None where nothing is drawn."""
        settings = self._settings
        if settings.sampling is None:
            return [None]
        samples = range(settings.samples)
        return [seed_of(settings.seed, question.id, sample, writer) for sample in samples]

    def _opinions(
        self, run: Run, questions: Sequence[Question], rationales: Sequence[Sequence[str]]
    ) -> list[list[Opinion]]:
        """What the answer student makes of each rationale, or of none; equal ones are read once."""
        read: list[Sequence[str | None]] = [texts or [None] for texts in rationales]
        distinct = [dict.fromkeys(texts) for texts in read]
        asked = [
            (question, text)
            for question, texts in zip(questions, distinct, strict=True)
            for text in texts
        ]
        scores = answering.choice_scores(
            self.loaded.student(run),
            run.stage,
            [question for question, _ in asked],
            [text for _, text in asked],
            self._scoring(run),
        )
        each = iter([answering.softmax(own, self._temperature(run)) for own in scores])
        known = [{text: next(each) for text in texts} for texts in distinct]
        return [[own[text] for text in texts] for own, texts in zip(known, read, strict=True)]

    def _scoring(self, run: Run) -> AnswerAs:
        scoring = self._settings.scoring
        return run.manifest.answer_as if scoring == "auto" else scoring

    def _temperature(self, run: Run) -> float:
        """Of calibration; it was fitted to scores of the kind that the run was trained for."""
        fits = self._settings.calibrate and self._scoring(run) == run.manifest.answer_as
        return run.manifest.temperature if fits else 1.0

    def _decoding(self, writer: Run) -> Decoding:
        settings = self._settings
        most = settings.max_new_tokens or writer.manifest.max_target_tokens
        return Decoding(most, settings.sampling or SAMPLING, settings.top_p, settings.beams)

    def _rationale_source(self) -> str:
        if self._answer is None or FORMS[self._answer.stage].writes_rationale:
            return "student"
        reads = FORMS[self._answer.stage].reads_rationale
        return self._settings.rationale_from if reads else "none"

    def _models(self) -> dict[str, Any]:
        """What the rows say of how they were made: runs, scoring, and how rationales came about."""
        answer, settings = self._answer, self._settings
        names = [run.identity for run in self._runs if run is not answer]
        models: dict[str, Any] = {
            "answer": answer.identity if answer else None,
            "rationale": names if len(names) > 1 else next(iter(names), None),
            "rationale_from": self._source,
        }
        if answer:
            models["scoring"] = self._scoring(answer)
            if self._temperature(answer) != 1:
                models["calibration"] = self._temperature(answer)
        if settings.sampling is not None:
            models |= {"samples": settings.samples, "temperature": settings.sampling}
            models |= {"top_p": settings.top_p, "seed": settings.seed}
        if settings.vote:
            models["vote"] = True
        if settings.beams > 1:
            models["beams"] = settings.beams
        if settings.mix_direct:
            models["mix_direct"] = settings.mix_direct
        return models
