"""The weight of the answer without a rationale: how far an answer student is to trust rationales.

    p(choice) = (1 - w) p(choice | question, rationale) + w p(choice | question)

with the w of the highest likelihood on questions that the student did not learn from, whose
rationales are what it will read when it predicts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_STEPS = 20  # weights that are tried: 0, 1 / 20, ... 1
_LEAST = 1e-300  # a probability of 0 is not the end


def fit_mixture_weight(behind: Sequence[float], without: Sequence[float]) -> float:
    """Return the weight that makes gold likeliest, the smallest of equals, to a twentieth.

    `behind` and `without` hold the probability of each question's gold choice behind a rationale
    and without one. The log-likelihood is concave in the weight, so a grid misses no other summit.
    """
    weights = [step / _STEPS for step in range(_STEPS + 1)]

    def likelihood(weight: float) -> float:
        return math.fsum(
            math.log(max((1 - weight) * one + weight * other, _LEAST))
            for one, other in zip(behind, without, strict=True)
        )

    return max(weights, key=likelihood)
