"""Write rationales and score choices with a student, using the inputs and targets of its stage.

Both `predict` and the evaluation of checkpoints in training use these functions, so a dev accuracy
is the accuracy that `predict` would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from scicot import stages
from scicot.config import AnswerAs, LengthNormalisation
from scicot.decoding.engine import Decoding
from scicot.records import Question
from scicot.stages import Stage
from scicot.students.student import Student


@dataclass(frozen=True, slots=True)
class Answer:
    """A student's answer to a question. `scores` maps each label to its probability or, after a
    vote, to its share of the votes. `scores` is empty if a log-likelihood was not finite. `label`
    is the best label, or None if `scores` is empty or the best labels are tied."""

    label: str | None
    scores: dict[str, float]


def write_rationales(
    student: Student,
    stage: Stage,
    questions: Sequence[Question],
    decoding: Decoding,
    draws: Sequence[Sequence[int | None]] = (),
) -> list[list[str]]:
    """Generate rationales for each question: `rationales[question][i]`.

    `draws[question]` has an entry for each rationale to generate: the seed of a sampled text, or
    None for the likeliest text (by greedy decoding or beam search). If `draws` is empty, each
    question gets one rationale, the likeliest text. `stage` is the student's stage, which must be
    one that writes rationales.
    """
    inputs = [stages.rationale_input(question, stage) for question in questions]
    return [
        [stages.written_rationale(text, stage) for text in texts]
        for texts in student.generate(inputs, decoding, draws)
    ]


def write_rationale(
    student: Student, stage: Stage, questions: Sequence[Question], max_new_tokens: int
) -> list[str]:
    """Generate one rationale for each question with greedy decoding."""
    written = write_rationales(student, stage, questions, Decoding(max_new_tokens))
    return [text for (text,) in written]


def choice_scores(
    student: Student,
    stage: Stage,
    questions: Sequence[Question],
    rationales: Sequence[str | None],
    scoring: AnswerAs,
    normalisation: LengthNormalisation = "auto",
) -> list[list[float]]:
    """Return the student's log-likelihood, in nats, of each choice: `scores[question][choice]`.

    With `scoring` "label" this is log p(label | question, rationale). With "text" it is log p(text
    of the choice | question, rationale). If a rationale is None, the scores are those without a
    rationale.

    `normalisation` "auto" stands for "none" if `scoring` is "label". It stands for "token" if
    `scoring` is "text", since longer texts would otherwise score lower (see `Student.score`).
    """
    if normalisation == "auto":
        normalisation = "token" if scoring == "text" else "none"
    prefixes = [stages.answer_prefix(rationale, stage) for rationale in rationales]
    suffix = stages.answer_suffix(stage)
    return student.score(
        [
            stages.answer_input(question, rationale, stage)
            for question, rationale in zip(questions, rationales, strict=True)
        ],
        [
            [
                stages.answer_target(
                    question, label, answer_as=scoring, prefix=prefix, suffix=suffix
                )
                for label in question.labels
            ]
            for question, prefix in zip(questions, prefixes, strict=True)
        ],
        prefixes=prefixes if any(prefixes) else (),
        normalisation=normalisation,
        ends=not suffix,
    )


def answer_of(question: Question, probabilities: Sequence[float] | None) -> Answer:
    """Return the answer with the most likely label, from the probabilities of the question's
    choices. If `probabilities` is None, return an answer with no label and no scores."""
    if probabilities is None:
        return Answer(None, {})
    scores = dict(zip(question.labels, probabilities, strict=True))
    top = max(probabilities)
    best = [label for label, score in scores.items() if score == top]
    return Answer(best[0] if len(best) == 1 else None, scores)


def vote_of(question: Question, opinions: Sequence[Sequence[float]]) -> Answer:
    """Return the answer by majority vote. The scores of the answer are the choices' shares of the
    votes.

    Each opinion is a list of probabilities of the choices, and has one vote. The vote goes to the
    likeliest choice. If several choices have the same highest probability, the vote is divided
    equally among them. If several choices tie for the most votes, the tied choice with the highest
    mean probability wins.
    """
    mean = averaged(opinions)
    votes = [Fraction(0)] * len(mean)
    for opinion in opinions:
        top = max(opinion)
        for index, value in enumerate(opinion):
            if value == top:
                votes[index] += Fraction(1, opinion.count(top))
    tied = [p if count == max(votes) else -1.0 for p, count in zip(mean, votes, strict=True)]
    shares = [float(count / len(opinions)) for count in votes]
    return Answer(answer_of(question, tied).label, dict(zip(question.labels, shares, strict=True)))


def averaged(opinions: Sequence[Sequence[float]], weights: Sequence[float] = ()) -> list[float]:
    """Return the weighted mean of several lists of probabilities of the same choices. Without
    `weights`, return the plain mean."""
    weights = weights or [1.0] * len(opinions)
    total = math.fsum(weights)
    return [
        math.fsum(weight * value for weight, value in zip(weights, values, strict=True)) / total
        for values in zip(*opinions, strict=True)
    ]


def confidence_weights(opinions: Sequence[Sequence[float]], power: float) -> list[float]:
    """Return a weight for each opinion. An opinion is a list of probabilities of the choices. Its
    weight is the highest of these probabilities, raised to `power`."""
    return [max(opinion) ** power for opinion in opinions]


def softmax(log_p: Sequence[float], temperature: float = 1.0) -> list[float] | None:
    """Return the probabilities softmax(log_p / temperature), or None if a value of `log_p` is not
    finite."""
    if not all(math.isfinite(value) for value in log_p):
        return None
    top = max(log_p)
    weights = [math.exp((value - top) / temperature) for value in log_p]
    total = sum(weights)
    return [weight / total for weight in weights]
