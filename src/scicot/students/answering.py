"""Questions behind a student: what it is asked for a rationale or an answer, by its stage.

`predict` answers with these, and training judges a checkpoint with them, so that a dev accuracy is
the accuracy that `predict` would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scicot import stages
from scicot.records import Question
from scicot.stages import Stage
from scicot.students.base import Student


@dataclass(frozen=True, slots=True)
class Answer:
    """`label` is None where two labels score exactly alike or a score is not a number: there is
    no answer then, and never a guess. `scores` are probabilities, empty without numbers."""

    label: str | None
    scores: dict[str, float]


def write_rationales(
    student: Student,
    stage: Stage,
    questions: Sequence[Question],
    *,
    max_new_tokens: int,
    draws: Sequence[int | None] = (),
) -> list[str]:
    """A rationale for each question, from a student of a stage that writes them."""
    inputs = [stages.rationale_input(question, stage) for question in questions]
    texts = student.generate(inputs, max_new_tokens=max_new_tokens, draws=draws)
    return [stages.written_rationale(text, stage) for text in texts]


def label_scores(
    student: Student,
    stage: Stage,
    questions: Sequence[Question],
    rationales: Sequence[str | None],
) -> list[list[float]]:
    """log p(label | question, rationale) in nats for each label of each question.

    For a one-sequence student log p(rationale, label | question), which differs from it by the same
    number for every label.
    """
    pairs = list(zip(questions, rationales, strict=True))
    return student.score(
        [stages.answer_input(question, rationale, stage) for question, rationale in pairs],
        [
            [stages.answer_target(label, rationale, stage) for label in question.labels]
            for question, rationale in pairs
        ],
    )


def answer_of(question: Question, log_p: Sequence[float]) -> Answer:
    """The most likely label, and the probabilities of all."""
    probabilities = softmax(log_p)
    if probabilities is None:
        return Answer(None, {})
    scores = dict(zip(question.labels, probabilities, strict=True))
    top = max(probabilities)
    best = [label for label, score in scores.items() if score == top]
    return Answer(best[0] if len(best) == 1 else None, scores)


def softmax(log_p: Sequence[float]) -> list[float] | None:
    """Probabilities that add up to 1; None where a score is not a number."""
    if not all(math.isfinite(value) for value in log_p):
        return None
    top = max(log_p)
    weights = [math.exp(value - top) for value in log_p]
    total = sum(weights)
    return [weight / total for weight in weights]
