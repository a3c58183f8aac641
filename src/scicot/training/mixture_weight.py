"""Fit the weight w of the answer without a rationale when it is averaged with the answer given one.

    p(choice) = (1 - w) p(choice | question, rationale) + w p(choice | question)

w maximises the likelihood on questions that were not used for training, with rationales like those
in prediction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = 20  # candidate weights: 0, 1 / 20, ... 1
_LEAST = 1e-300  # lower bound of a probability, since log(0) is infinite


def fit_mixture_weight(
    with_rationale: Sequence[float], without_rationale: Sequence[float]
) -> float:
    """Return the w among 0, 1/20, ..., 1 that maximises the likelihood of the gold choices, on a
    tie the smallest.

    `with_rationale` and `without_rationale` hold the probability of each question's gold choice
    given a rationale and without one. The log-likelihood is concave in w, so a grid search finds
    the global maximum.
    """
    weights = [step / _STEPS for step in range(_STEPS + 1)]

    def likelihood(weight: float) -> float:
        return math.fsum(
            math.log(max((1 - weight) * p_with + weight * p_without, _LEAST))
            for p_with, p_without in zip(with_rationale, without_rationale, strict=True)
        )

    return max(weights, key=likelihood)
