"""Fit the exponent k for weighing the answers given several rationales.

    p(choice) = sum of c^k p(choice | question, rationale) / sum of c^k
    c = the calibrated confidence behind the rationale, its highest p(choice)

with the k of the highest likelihood on questions that the student did not learn from. k = 0 is the
plain mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scicot.students.answering import averaged, confidence_weights

POWERS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
_LEAST = 1e-300  # lower bound of a probability, since log(0) is infinite


def fit_confidence_power(
    behind: Sequence[Sequence[Sequence[float]]], gold: Sequence[int]
) -> float | None:
    """Return the k among POWERS with the highest likelihood of the gold choices, the smallest of
    equals; None if no question has several rationales.

    `behind` holds, for each question and each of its rationales, the calibrated probabilities of
    its choices; `gold` holds the index of each gold choice.
    """
    several = [
        (opinions, place) for opinions, place in zip(behind, gold, strict=True) if len(opinions) > 1
    ]
    if not several:
        return None

    def likelihood(power: float) -> float:
        return math.fsum(
            math.log(max(averaged(opinions, confidence_weights(opinions, power))[place], _LEAST))
            for opinions, place in several
        )

    return max(POWERS, key=likelihood)
