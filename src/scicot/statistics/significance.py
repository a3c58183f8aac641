"""Significance tests of differences between systems, and the sample sizes that such tests need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test for two systems. `only_first` is the
    number of questions that the first system got right and the second got wrong. `only_second` is
    the number of questions that the second system got right and the first got wrong.

    Under the null hypothesis each such question is equally likely to favour either system.
    (Dietterich 1998 recommends the test for two classifiers on one test set.)
    """
    discordant = only_first + only_second
    fewer = min(only_first, only_second)
    if 2 * fewer == discordant:
        return 1.0
    # Terms are divided by the largest, which is the last. They decrease at least geometrically, so
    # few are needed, and none can overflow a float.
    term = tail = 1.0
    for k in range(fewer, 0, -1):
        term *= k / (discordant - k + 1)
        tail += term
        if term < tail * 1e-17:
            break
    log_last = (
        math.lgamma(discordant + 1)
        - math.lgamma(fewer + 1)
        - math.lgamma(discordant - fewer + 1)
        - discordant * math.log(2)
    )
    return min(1.0, 2 * tail * math.exp(log_last))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order of the argument. If the hypotheses whose
    adjusted p-value is below alpha are rejected, the family-wise error rate is at most alpha (Holm
    1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, running_maximum = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running_maximum = max(running_maximum, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running_maximum
    return adjusted


def questions_needed(
    difference: float, discordant: float, *, level: float = 0.95, power: float = 0.8
) -> int | None:
    """Return the number of questions with which McNemar's test, at confidence `level`, detects this
    `difference` of accuracies with probability `power` (Connor 1987, equation 2).

    `discordant` is the share of questions on which exactly one of the systems is right. Returns
    None for a difference of 0. Raises ValueError if |difference| > discordant.
    """
    if abs(difference) > discordant:
        raise ValueError(
            "the difference of accuracies exceeds the share of questions on which exactly one of"
            " the systems is right"
        )
    if difference == 0:
        return None
    normal = NormalDist()
    alpha, beta = normal.inv_cdf((1 + level) / 2), normal.inv_cdf(power)
    spread = alpha * math.sqrt(discordant) + beta * math.sqrt(discordant - difference**2)
    return math.ceil((spread / difference) ** 2)
