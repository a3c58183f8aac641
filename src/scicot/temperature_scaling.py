"""Temperature scaling (Guo et al. 2017): one parameter that calibrates a student's confidence.

    p(choice) = softmax(score / T),   T fitted on questions not used for training

With a single rationale, dividing by T does not change the ranking of the choices. If probabilities
are averaged over several rationales, T may change the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST = 20.0  # T lies between 1 / MOST and MOST
_HALVINGS = 60


def fit_temperature(scores: Sequence[Sequence[float]], gold: Sequence[int]) -> float:
    """Return the temperature that minimises the cross-entropy of the gold choices. `scores` holds,
    for every question, the score (nats) of each choice, and `gold` the index of the gold choice.

    For n questions, the target probability of the gold choice is only (n + 1) / (n + 2), and the
    other choices share the rest (as in Platt 1999 for two classes). With a target of 1, the best
    temperature would be 0 if all n answers were right. Questions with a score that is not finite
    are skipped. Without any question, the result is 1.0.
    """
    scored = [
        (log_p, gold_index)
        for log_p, gold_index in zip(scores, gold, strict=True)
        if all(math.isfinite(score) for score in log_p)
    ]
    if not scored:
        return 1.0
    longest = max(len(log_p) for log_p, _ in scored)
    table = np.full((len(scored), longest), -np.inf)
    target = np.zeros_like(table)
    gold_target = (len(scored) + 1) / (len(scored) + 2)
    for row, (log_p, gold_index) in enumerate(scored):
        table[row, : len(log_p)] = np.array(log_p) - max(log_p)
        target[row, : len(log_p)] = (1 - gold_target) / (len(log_p) - 1)
        target[row, gold_index] = gold_target
    finite = np.isfinite(table)
    table = np.where(finite, table, 0.0)

    def slope(beta: float) -> float:
        """Return the derivative of the cross-entropy with respect to beta = 1 / T. The
        derivative increases with beta, so the cross-entropy is smallest where the derivative is
        0."""
        weights = np.exp(beta * table) * finite
        p: Floats = weights / weights.sum(axis=1, keepdims=True)
        return float(((p - target) * table).sum())

    low, high = -math.log(MOST), math.log(MOST)  # bounds of log beta
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if slope(math.exp(middle)) < 0:
            low = middle
        else:
            high = middle
    return math.exp(-(low + high) / 2)
