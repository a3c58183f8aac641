import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from scicot.temperature_scaling import MOST, fit_temperature


def drawn(count: int, temperature: float, seed: int = 0) -> tuple[list[list[float]], list[int]]:
    """Scores, and gold choices that are as likely as softmax(score / temperature) says."""
    dice = np.random.default_rng(seed)
    scores, gold = [], []
    for _ in range(count):
        scores_of_question = dice.normal(0, 3, size=int(dice.integers(2, 6)))
        p = np.exp(scores_of_question / temperature)
        gold.append(int(dice.choice(len(scores_of_question), p=p / p.sum())))
        scores.append(scores_of_question.tolist())
    return scores, gold


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_answers_is_found(temperature: float) -> None:
    assert fit_temperature(*drawn(4000, temperature)) == pytest.approx(temperature, rel=0.08)


def test_it_is_the_minimum_of_the_smoothed_cross_entropy() -> None:
    scores, gold = drawn(50, 2.0, seed=1)
    sure = 51 / 52

    def loss(log_t: float) -> float:
        total = 0.0
        for scores_of_question, label in zip(scores, gold, strict=True):
            z = np.array(scores_of_question) / math.exp(log_t)
            log_p = z - np.logaddexp.reduce(z)
            others = (log_p.sum() - log_p[label]) / (len(scores_of_question) - 1)
            total -= sure * log_p[label] + (1 - sure) * others
        return total

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
    assert fit_temperature(scores, gold) == pytest.approx(math.exp(best.x), rel=1e-6)


def test_it_stays_within_bounds_and_leaves_out_what_is_no_number() -> None:
    right = [[5.0, 0.0]] * 20
    fitted = fit_temperature(right, [0] * 20)
    assert 1 / MOST < fitted < 5, "all right, but no more certain than 20 questions make it"
    assert fit_temperature(right, [1] * 20) == pytest.approx(MOST)
    assert fit_temperature([], []) == 1.0
    assert fit_temperature([[math.nan, 0.0]], [0]) == 1.0
    assert fit_temperature([*right, [math.nan, 0.0]], [0] * 21) == fitted


def test_scores_of_any_scale_give_the_same_probabilities() -> None:
    scores, gold = drawn(200, 1.0)
    twice = [[2 * score for score in own] for own in scores]
    assert fit_temperature(twice, gold) == pytest.approx(2 * fit_temperature(scores, gold))
