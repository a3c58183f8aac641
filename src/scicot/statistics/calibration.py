"""Calibration of confidences (ECE, reliability bins) and risk-coverage curves of abstaining."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scicot.statistics.intervals import Floats

_NORMAL_FROM = 300  # bin size from which the normal approximation is used
LEAST = 2.0**-52  # lower bound of probabilities, since -log(0) is infinite


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: bins of equal mass by increasing confidence, one list entry each.

    `confidence` and `accuracy` are means, `questions` the sizes. If confidences were perfectly
    calibrated, `noise` is the bin accuracy's standard deviation and `gap` its mean absolute
    deviation from the confidence.
    """

    confidence: list[float]
    accuracy: list[float]
    questions: list[int]
    noise: list[float]
    gap: list[float]


def reliability(confidence: Floats, right: Floats, bins: int = 10) -> Reliability:
    """Compute a reliability diagram with bins of equal size; both arrays have shape (n,).

    Questions of equal confidence are in the same bin, so that their order does not matter.
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
        [_mean_gap(members) for members in np.split(ordered, starts[1:])],
    )


def expected_calibration_error(table: Reliability) -> float:
    """Compute ECE: the mean of |confidence - accuracy| over bins of equal mass, weighted by size
    (Naeini et al. 2015; equal mass after Nguyen and O'Connor 2015). nan without questions."""
    sizes = np.array(table.questions, float)
    if not len(sizes):
        return float("nan")
    gaps = np.abs(np.array(table.confidence) - np.array(table.accuracy))
    return float((gaps * sizes).sum() / sizes.sum())


def calibration_error_by_chance(table: Reliability) -> float:
    """Compute the expected ECE of the same confidences if they were perfectly calibrated: an ECE of
    this size is no evidence of miscalibration. nan without questions."""
    sizes = np.array(table.questions, float)
    if not len(sizes):
        return float("nan")
    return float((np.array(table.gap) * sizes).sum() / sizes.sum())


def _mean_gap(confidence: Floats) -> float:
    """Return the expected absolute difference between a bin's accuracy and its mean confidence if
    calibration were perfect. Then the number of right answers is Poisson binomial; for large bins
    the normal approximation is used."""
    count = len(confidence)
    if count > _NORMAL_FROM:
        return math.sqrt(2 / math.pi * float((confidence * (1 - confidence)).sum())) / count
    chances = np.ones(1)
    for share in confidence:
        chances = np.convolve(chances, [1 - share, share])
    return float(chances @ np.abs(np.arange(count + 1) - confidence.sum())) / count


def brier_score(squares: Floats, of_gold: Floats) -> float:
    """Return the mean over questions of the sum over choices of (p - [is gold])^2, from 0 to 2
    (Brier 1950).

    squares: shape (n,), the sum of p^2 over the choices; of_gold: shape (n,), p of the gold choice.
    """
    return float(np.mean(squares - 2 * of_gold + 1))


def negative_log_likelihood(of_gold: Floats) -> float:
    """Return the mean of -log p(gold) in nats; p is clipped to at least LEAST."""
    return float(-np.log(np.maximum(of_gold, LEAST)).mean())


@dataclass(frozen=True)
class RiskCoverage:
    """A risk-coverage curve. `risk[i]` is the error rate if only the share `coverage[i]` of
    questions with the highest confidence is answered."""

    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """AURC, the mean risk over all coverages 1/n, 2/n, ..., 1 (Geifman and El-Yaniv 2017)."""
        return float(self.risk.mean())


def risk_coverage(confidence: Floats, right: Floats) -> RiskCoverage:
    """Compute the risk-coverage curve; both arrays have shape (n,). Questions with equal confidence
    get their mean error each, so the curve is the expectation over random orders of them."""
    order = np.argsort(-confidence, kind="stable")
    ordered, wrong = confidence[order], 1.0 - right[order]
    _, group, sizes = np.unique(-ordered, return_inverse=True, return_counts=True)
    wrong = (np.bincount(group, wrong) / sizes)[group]
    answered = np.arange(1, len(wrong) + 1)
    return RiskCoverage(answered / len(wrong), np.cumsum(wrong) / answered)
