"""Fit the weight w for averaging two answers: one without a rationale, and one given a rationale.

    p(choice) = (1 - w) p(choice | question, rationale) + w p(choice | question)

w maximises the likelihood of the gold choices of dev questions. As in prediction, the rationales of
these questions were written by a student.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = 20  # candidate weights: 0, 1 / 20, ... 1
_LEAST = 1e-300  # lower bound of a probability, since log(0) is infinite


def fit_mixture_weight(
    with_rationale: Sequence[float], without_rationale: Sequence[float]
) -> float:
    """Return the weight w, one of 0, 1/20, ..., 1, with the highest likelihood of the gold choices.
    On a tie, return the smallest w.

    Both arguments hold the probability of the gold choice of each question: `with_rationale` if the
    student reads a rationale, `without_rationale` if it reads none. The mixture is (1 - w) x
    `with_rationale` + w x `without_rationale`. Its log-likelihood is concave in w, so the result
    differs from the best w between 0 and 1 by at most 1/20.
    """
    weights = [step / _STEPS for step in range(_STEPS + 1)]

    def likelihood(weight: float) -> float:
        return math.fsum(
            math.log(max((1 - weight) * p_with + weight * p_without, _LEAST))
            for p_with, p_without in zip(with_rationale, without_rationale, strict=True)
        )

    return max(weights, key=likelihood)
