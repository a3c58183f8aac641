"""Calibration of confidences (ECE, reliability bins) and risk-coverage curves of abstaining."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scicot.statistics.intervals import Floats

_MANY = 300  # questions of a bin
LEAST = 2.0**-52  # a probability of 0 for what then happened would cost infinitely much


@dataclass(frozen=True)
class Reliability:
    """Bins of equal mass, from the least confident on: means of each, and how many questions.

    Were each question right as often as its confidence says, the accuracy would have the standard
    deviation `noise`, and lie `gap` from the confidence in the mean.
    """

    confidence: list[float]
    accuracy: list[float]
    questions: list[int]
    noise: list[float]
    gap: list[float]


def reliability(confidence: Floats, right: Floats, bins: int = 10) -> Reliability:
    """Confidence and accuracy in bins of as many questions each; both of shape (n,).

    Questions of one confidence stay in one bin, so that their order does not matter.
    """
    if not len(confidence):
        return Reliability([], [], [], [], [])
    order = np.argsort(confidence, kind="stable")
    ordered = confidence[order]
    edges = [part[-1] for part in np.array_split(ordered, min(bins, len(ordered)))]
    starts = np.unique([0, *np.searchsorted(ordered, edges, side="right")])[:-1]
    sizes = np.diff([*starts, len(ordered)])
    return Reliability(
        (np.add.reduceat(ordered, starts) / sizes).tolist(),
        (np.add.reduceat(right[order], starts) / sizes).tolist(),
        sizes.tolist(),
        (np.sqrt(np.add.reduceat(ordered * (1 - ordered), starts)) / sizes).tolist(),
        [_mean_gap(own) for own in np.split(ordered, starts[1:])],
    )


def expected_calibration_error(table: Reliability) -> float:
    """Mean distance of confidence and accuracy over bins of equal mass, weighed by their questions
    (Naeini et al. 2015; equal mass after Nguyen and O'Connor 2015). nan without questions."""
    sizes = np.array(table.questions, float)
    if not len(sizes):
        return float("nan")
    gaps = np.abs(np.array(table.confidence) - np.array(table.accuracy))
    return float((gaps * sizes).sum() / sizes.sum())


def calibration_error_by_chance(table: Reliability) -> float:
    """The calibration error that the same confidences would show on as many questions if they were
    perfectly calibrated: an error of this size says nothing. nan without questions."""
    sizes = np.array(table.questions, float)
    if not len(sizes):
        return float("nan")
    return float((np.array(table.gap) * sizes).sum() / sizes.sum())


def _mean_gap(confidence: Floats) -> float:
    """The mean distance of the share of right answers from its mean, if calibrated: by the exact
    distribution of their number (Poisson's binomial), of many questions by the normal one."""
    count = len(confidence)
    if count > _MANY:
        return math.sqrt(2 / math.pi * float((confidence * (1 - confidence)).sum())) / count
    chances = np.ones(1)
    for share in confidence:
        chances = np.convolve(chances, [1 - share, share])
    return float(chances @ np.abs(np.arange(count + 1) - confidence.sum())) / count


def brier_score(squares: Floats, of_gold: Floats) -> float:
    """Mean over questions of the sum over choices of (p - [is gold])^2, from 0 to 2 (Brier 1950).

    squares: shape (n,), each question's sum of p^2 over its choices; of_gold: shape (n,), its p of
    the gold choice.
    """
    return float(np.mean(squares - 2 * of_gold + 1))


def negative_log_likelihood(of_gold: Floats) -> float:
    """Mean of -log p(gold) in nats; a p below LEAST counts as LEAST."""
    return float(-np.log(np.maximum(of_gold, LEAST)).mean())


@dataclass(frozen=True)
class RiskCoverage:
    """`risk[i]`: the share of wrong answers where only the surest `coverage[i]` are answered."""

    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """AURC, the mean risk over all coverages 1/n, 2/n, ..., 1 (Geifman and El-Yaniv 2017)."""
        return float(self.risk.mean())


def risk_coverage(confidence: Floats, right: Floats) -> RiskCoverage:
    """The curve of answering the surest questions first; both of shape (n,). Questions of one
    confidence are answered in random order, in expectation: each counts as wrong as all of them."""
    order = np.argsort(-confidence, kind="stable")
    ordered, wrong = confidence[order], 1.0 - right[order]
    _, group, sizes = np.unique(-ordered, return_inverse=True, return_counts=True)
    wrong = (np.bincount(group, wrong) / sizes)[group]
    answered = np.arange(1, len(wrong) + 1)
    return RiskCoverage(answered / len(wrong), np.cumsum(wrong) / answered)
