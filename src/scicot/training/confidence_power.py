"""Fit the exponent k that gives confident answers more weight in the average over several
rationales.

    p(choice) = sum of c^k p(choice | question, rationale) / sum of c^k
    c = max over choices of p(choice | question, rationale)

In both lines, p(choice | question, rationale) is calibrated. The sums are over the rationales of a
question. k maximises the likelihood of the gold choices on questions that the student was not
trained on. With k = 0 the average is the plain mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scicot.students.answering import averaged, confidence_weights

POWERS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
_LEAST = 1e-300  # lower bound of a probability, since log(0) is infinite


def fit_confidence_power(
    probabilities: Sequence[Sequence[Sequence[float]]], gold: Sequence[int]
) -> float | None:
    """Return the exponent k (see the module docstring) that gives the gold choices the highest
    likelihood. The candidates are the values in POWERS. On a tie, return the smallest k. Return
    None if no question has several rationales.

    `probabilities[q][r]` holds the calibrated probabilities of question q's choices given its
    rationale r. `gold[q]` is the index of its gold choice.
    """
    with_several = [
        (opinions, gold_index)
        for opinions, gold_index in zip(probabilities, gold, strict=True)
        if len(opinions) > 1
    ]
    if not with_several:
        return None

    def likelihood(power: float) -> float:
        return math.fsum(
            math.log(
                max(averaged(opinions, confidence_weights(opinions, power))[gold_index], _LEAST)
            )
            for opinions, gold_index in with_several
        )

    return max(POWERS, key=likelihood)
