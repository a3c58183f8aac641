"""Calibration of confidences (ECE, reliability diagrams), and risk-coverage curves: the error rate
if only the most confident answers are given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scicot.statistics.intervals import Floats

_NORMAL_FROM = 300  # questions in a bin, from which the normal approximation is used
LEAST = 2.0**-52  # lower bound of probabilities, since -log(0) is infinite


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: questions sorted by confidence, in bins of about equally many
    questions. Each attribute is a list with one entry for each bin.

    Even with perfect calibration, the accuracy in a bin differs randomly from the mean confidence.
    `noise` is the standard deviation of this random difference, and `gap` its mean absolute value.
    """

    confidence: list[float]  # mean confidence
    accuracy: list[float]
    questions: list[int]  # number of questions
    noise: list[float]  # standard deviation of (accuracy - confidence) with perfect calibration
    gap: list[float]  # expected |accuracy - confidence| with perfect calibration


def reliability(confidence: Floats, right: Floats, bins: int = 10) -> Reliability:
    """Compute a reliability diagram with at most `bins` bins of about equally many questions. Both
    arrays have shape (n,); `right` is 1 for a right answer and 0 for a wrong one.

    Questions of equal confidence are put in the same bin, so the order of the questions does not
    matter.
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
        [_expected_gap(members) for members in np.split(ordered, starts[1:])],
    )


def expected_calibration_error(table: Reliability) -> float:
    """Return the expected calibration error (ECE): the mean of |confidence - accuracy| over the
    bins, weighted by the number of questions in each bin (Naeini et al. 2015). The bins hold about
    equally many questions, as in Nguyen and O'Connor 2015. Without questions, the result is nan."""
    sizes = np.array(table.questions, float)
    if not len(sizes):
        return float("nan")
    gaps = np.abs(np.array(table.confidence) - np.array(table.accuracy))
    return float((gaps * sizes).sum() / sizes.sum())


def calibration_error_by_chance(table: Reliability) -> float:
    """Return the ECE that is expected by chance under perfect calibration, for the same
    confidences. An ECE of this size is no evidence of miscalibration. Without questions, the result
    is nan."""
    sizes = np.array(table.questions, float)
    if not len(sizes):
        return float("nan")
    return float((np.array(table.gap) * sizes).sum() / sizes.sum())


def _expected_gap(confidence: Floats) -> float:
    """Return the expected gap of a bin under perfect calibration. The gap is the absolute
    difference between the accuracy and the mean confidence. `confidence` holds the confidences in
    the bin.

    Under perfect calibration, the number of right answers has a Poisson binomial distribution. For
    small bins this distribution is computed exactly. For large bins a normal distribution is used
    as an approximation.
    """
    count = len(confidence)
    if count > _NORMAL_FROM:
        return math.sqrt(2 / math.pi * float((confidence * (1 - confidence)).sum())) / count
    chances = np.ones(1)
    for share in confidence:
        chances = np.convolve(chances, [1 - share, share])
    return float(chances @ np.abs(np.arange(count + 1) - confidence.sum())) / count


def brier_score(squares: Floats, of_gold: Floats) -> float:
    """Return the Brier score (Brier 1950), from 0 to 2: the mean over questions of the sum over
    choices of (p - y)^2, where y is 1 for the gold choice and 0 for the others.

    squares: shape (n,), the sum of p^2 over the choices; of_gold: shape (n,), p of the gold choice.
    """
    return float(np.mean(squares - 2 * of_gold + 1))


def negative_log_likelihood(of_gold: Floats) -> float:
    """Return the mean of -log p(gold choice) in nats. A p below 2**-52 counts as 2**-52, since
    -log(0) is infinite."""
    return float(-np.log(np.maximum(of_gold, LEAST)).mean())


@dataclass(frozen=True)
class RiskCoverage:
    """A risk-coverage curve of n answers. Both arrays have shape (n,). `risk[i]` is the error rate
    of the i + 1 most confident answers, and `coverage[i]` is (i + 1) / n."""

    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """The area under the curve (AURC): for n answers, the mean risk over the coverages 1/n,
        2/n, ..., 1 (Geifman and El-Yaniv 2017)."""
        return float(self.risk.mean())


def risk_coverage(confidence: Floats, right: Floats) -> RiskCoverage:
    """Compute the risk-coverage curve. Both arrays have shape (n,); `right` is 1 for a right answer
    and 0 for a wrong one.

    The error of each question is replaced by the mean error of all questions with the same
    confidence. The curve is thus the expectation over random orders of questions of equal
    confidence.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, wrong = confidence[order], 1.0 - right[order]
    _, group, sizes = np.unique(-ordered, return_inverse=True, return_counts=True)
    wrong = (np.bincount(group, wrong) / sizes)[group]
    answered = np.arange(1, len(wrong) + 1)
    return RiskCoverage(answered / len(wrong), np.cumsum(wrong) / answered)
