"""Combine an answer student's probabilities for several rationales into one answer."""

from __future__ import annotations

from collections.abc import Sequence

from scicot.records import Question
from scicot.students import answering
from scicot.students.answering import Answer

# Probabilities of the choices; None if a score is not a number.
ChoiceProbabilities = list[float] | None


def mix(
    question: Question,
    behind_rationales: Sequence[ChoiceProbabilities],
    without: Sequence[ChoiceProbabilities],
    *,
    weight: float,
    vote: bool,
    confidence_power: float = 0.0,
) -> Answer:
    """Combine several lists of probabilities of a question's choices into one answer.

    `behind_rationales` has an entry for each rationale: the probabilities given that rationale. By
    default the entries are averaged. If `confidence_power` is above 0, confident entries weigh more
    in the average (see `answering.confidence_weights`). With `vote`, each entry instead has one
    vote for its likeliest choice, and the combined probabilities are the shares of the votes.

    `without` is empty, or has one entry: the probabilities without a rationale. If there is such an
    entry, the result is (1 - `weight`) x the combined probabilities + `weight` x this entry.

    An entry is None if a score was not a number. If any entry of `behind_rationales` or `without`
    is None, the answer has no label.
    """
    usable = [probabilities for probabilities in behind_rationales if probabilities is not None]
    direct = [probabilities for probabilities in without if probabilities is not None]
    if len(usable) < len(behind_rationales) or len(direct) < len(without):
        return Answer(None, {})
    if vote:
        answer = answering.vote_of(question, usable)
    else:
        weights = answering.confidence_weights(usable, confidence_power)
        answer = answering.answer_of(question, answering.averaged(usable, weights))
    if not direct:
        return answer
    both_scores = [list(answer.scores.values()), direct[0]]
    return answering.answer_of(question, answering.averaged(both_scores, [1 - weight, weight]))


def mean_or_none(opinions: Sequence[ChoiceProbabilities]) -> ChoiceProbabilities:
    """Return the mean of several lists of probabilities of the same choices. Return None if any of
    the lists is None."""
    usable = [probabilities for probabilities in opinions if probabilities is not None]
    return answering.averaged(usable) if len(usable) == len(opinions) else None
