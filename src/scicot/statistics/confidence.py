"""Whether confidence can be trusted: calibration, and what abstaining would gain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scicot.statistics.intervals import Floats

LEAST = 2.0**-52  # a probability of 0 for what then happened would cost infinitely much


@dataclass(frozen=True)
class Reliability:
    """Bins of equal mass, from the least confident on: means of each, and how many questions.

    noise: the standard deviation of the accuracy, were each question right as often as its
    confidence says.
    """

    confidence: list[float]
    accuracy: list[float]
    questions: list[int]
    noise: list[float]


def reliability(confidence: Floats, right: Floats, bins: int = 10) -> Reliability:
    """Confidence and accuracy in bins of as many questions each; both of shape (n,).

    Questions of one confidence stay in one bin, so that their order does not matter.
    """
    if not len(confidence):
        return Reliability([], [], [], [])
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
    perfectly calibrated: an error of this size says nothing. nan without questions.

    The mean distance of a normal variate from its mean is sqrt(2 / pi) standard deviations.
    """
    sizes = np.array(table.questions, float)
    if not len(sizes):
        return float("nan")
    return float(math.sqrt(2 / math.pi) * (np.array(table.noise) * sizes).sum() / sizes.sum())


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
