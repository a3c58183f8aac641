"""Predict with the students of a plan: write rationales, answer, and make the output rows."""

from __future__ import annotations

from collections.abc import Sequence

from scicot.prediction.loaded_students import LoadedStudents
from scicot.prediction.mixing import ChoiceProbabilities, mean_or_none, mix
from scicot.prediction.plan import Plan
from scicot.records import (
    PREDICTION_FIELDS,
    RATIONALE_FIELDS,
    STUDENT,
    Prediction,
    Question,
    Rationale,
)
from scicot.students import answering
from scicot.students.answering import Answer
from scicot.students.runs import Run

# A question, and the question whose rationales are used for it: the same one, unless shuffled.
QuestionPair = tuple[Question, Question]


class Students:
    """Predicts with the students of a plan. A student is loaded when it is first needed."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loaded = LoadedStudents(plan.runs, plan.settings)

    def carried(self, question: Question) -> Question:
        """Return the question as it is stored in its output row. Fields that an earlier prediction
        added to the input row are left out. If the output rows are rationales, fields of an earlier
        rationale are left out as well."""
        question = question.without(PREDICTION_FIELDS)
        if self.plan.answers:
            return question
        # fields that a rationale row of a student adds
        return question.without((*RATIONALE_FIELDS, "fold"))

    def rows(self, pairs: Sequence[QuestionPair]) -> list[Prediction | Rationale]:
        """Return the output rows of several questions, in order: `plan.rows_each` rows for each
        question.

        A pair is (question to answer, question whose rationales are read). Both are the same
        question, except with shuffled rationales.
        """
        questions = [question for question, _ in pairs]
        rationales = self._rationales([source for _, source in pairs])
        if not self.plan.answers:
            return self._as_teacher(questions, rationales)
        with_rationale = self._probabilities(questions, rationales)
        without_rationale: Sequence[Sequence[ChoiceProbabilities]] = [()] * len(questions)
        weight, vote = self.plan.mix_direct, self.plan.settings.vote
        power = self.plan.confidence_power
        if weight:
            without_rationale = self._probabilities(questions, [()] * len(questions))
        return [
            self._prediction(
                question,
                texts,
                mix(
                    question,
                    given_rationales,
                    direct,
                    weight=weight,
                    vote=vote,
                    confidence_power=power,
                ),
            )
            for question, texts, given_rationales, direct in zip(
                questions, rationales, with_rationale, without_rationale, strict=True
            )
        ]

    def _prediction(
        self, question: Question, rationales: Sequence[str], answer: Answer
    ) -> Prediction:
        confidence = max(answer.scores.values(), default=None)
        if answer.label is None:
            confidence = None
        abstained = confidence is not None and confidence < self.plan.settings.abstain_below
        return Prediction(
            self.carried(question),
            tuple(rationales),
            None if abstained else answer.label,
            answer.scores,
            confidence,
            self.plan.models,
            abstained,
        )

    def _as_teacher(
        self, questions: Sequence[Question], rationales: Sequence[Sequence[str]]
    ) -> list[Prediction | Rationale]:
        teacher = f"{STUDENT}{self.plan.models['rationale']}"
        return [
            Rationale(self.carried(question), text, sample, teacher)
            for question, texts in zip(questions, rationales, strict=True)
            for sample, text in enumerate(texts)
        ]

    def _rationales(self, questions: Sequence[Question]) -> Sequence[Sequence[str]]:
        """Return a list of rationales for each question: the rationale in the input row, or the
        rationales that all runs in `plan.writers` wrote. Each list is empty if rationales are not
        used."""
        if self.plan.reads_given:
            return [[question.extra["rationale"]] for question in questions]
        if self.plan.source == "none":
            return [[]] * len(questions)
        written: list[list[str]] = [[] for _ in questions]
        for index, run in enumerate(self.plan.writers):
            samples = answering.write_rationales(
                self.loaded.student(run),
                run.stage,
                questions,
                self.plan.decoding(run),
                [self.plan.draws(question, index) for question in questions],
            )
            for rationales, texts in zip(written, samples, strict=True):
                rationales += texts
        return written

    def _probabilities(
        self, questions: Sequence[Question], rationales: Sequence[Sequence[str]]
    ) -> list[list[ChoiceProbabilities]]:
        """Return the probabilities of the choices, averaged over the answer runs:
        `probabilities[question][rationale]`. A question without rationales has one entry."""
        by_run = [self._probabilities_of(run, questions, rationales) for run in self.plan.answers]
        if len(by_run) == 1:
            return by_run[0]
        return [
            [mean_or_none(opinions) for opinions in zip(*of_question, strict=True)]
            for of_question in zip(*by_run, strict=True)
        ]

    def _probabilities_of(
        self, run: Run, questions: Sequence[Question], rationales: Sequence[Sequence[str]]
    ) -> list[list[ChoiceProbabilities]]:
        """Return the probabilities that one answer run gives to the choices:
        `probabilities[question][rationale]`. Equal rationales of a question are scored only
        once."""
        texts_read: list[Sequence[str | None]] = [texts or [None] for texts in rationales]
        distinct = [dict.fromkeys(texts) for texts in texts_read]
        to_score = [
            (question, text)
            for question, texts in zip(questions, distinct, strict=True)
            for text in texts
        ]
        scores = answering.choice_scores(
            self.loaded.student(run),
            run.stage,
            [question for question, _ in to_score],
            [text for _, text in to_score],
            self.plan.scoring(run),
            self.plan.settings.length_normalisation,
        )
        remaining = iter([answering.softmax(log_p, self.plan.temperature(run)) for log_p in scores])
        probabilities = [{text: next(remaining) for text in texts} for texts in distinct]
        return [
            [by_text[text] for text in texts]
            for by_text, texts in zip(probabilities, texts_read, strict=True)
        ]
