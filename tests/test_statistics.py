import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import t as student
from sklearn.metrics import brier_score_loss, log_loss

from scicot.statistics import (
    Floats,
    Resampled,
    bootstrap,
    brier_score,
    calibration_error_by_chance,
    expected_calibration_error,
    holm,
    mcnemar_exact,
    negative_log_likelihood,
    questions_needed,
    reliability,
    risk_coverage,
    student_quantile,
    student_tail,
    wilson_interval,
)


def floats(truths: Any) -> Floats:
    """Booleans as 1.0 and 0.0."""
    return np.asarray(truths, np.float64)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert wilson_interval(*counts) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("truth", "trials"), [(0.5, 20), (0.9, 50), (0.97, 200), (0.3, 1000)])
def test_wilson_covers_the_truth_as_often_as_it_says(truth: float, trials: int) -> None:
    drawn = np.random.default_rng(0).binomial(trials, truth, 4000).tolist()
    intervals = {successes: wilson_interval(successes, trials) for successes in set(drawn)}
    covered = np.mean(
        [intervals[count_drawn][0] <= truth <= intervals[count_drawn][1] for count_drawn in drawn]
    )
    assert 0.93 <= covered <= 0.98


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_the_binomial_test(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar_exact(first, second) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_questions_is_a_number() -> None:
    assert 0 <= mcnemar_exact(40_000, 50_000) < 1e-100
    assert mcnemar_exact(500_000, 500_000) == 1.0
    expected = binomtest(499_000, 1_000_000).pvalue
    assert mcnemar_exact(499_000, 501_000) == pytest.approx(expected, rel=1e-6)


def test_the_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    """Each cluster has ten equal values, so an interval that ignored clusters would be too
    narrow."""
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(60), 10)
    covered = 0
    for seed in range(200):
        values = np.repeat((random.random(60) < 0.7).astype(float), 10)
        low, high = bootstrap([values[None]], [1.0], clusters, resamples=500, seed=seed).interval
        covered += low <= 0.7 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_bootstrap_of_a_difference_covers_the_truth_as_often_as_it_says() -> None:
    """Two systems on the same questions, of which some are hard for both."""
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(300):
        hard = random.random(150)
        pair = [floats(random.random((1, 150)) < np.clip(m + hard, 0, 1)) for m in (0.2, 0.1)]
        low, high = bootstrap(pair, [1.0, -1.0], np.arange(150), resamples=500, seed=seed).interval
        covered += low <= (0.68 - 0.595) <= high
    assert 0.91 <= covered / 300 <= 0.98


@pytest.mark.parametrize(
    ("sizes", "widest"),
    [([20] * 3, 1.6), ([20] * 5, 1.0), ([20] * 8, 0.7), ([100, 50, 33, 25, 20, 16, 14], 1.0)],
)
def test_an_interval_over_few_clusters_covers_the_truth_too(
    sizes: list[int], widest: float
) -> None:
    random = np.random.default_rng(len(sizes))
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    covered = alarms = 0
    widths = []
    for seed in range(300):
        drift = random.normal(0, 0.2, len(sizes))[clusters]
        pair = [floats(random.random((1, len(drift))) < 0.6 + sign * drift) for sign in (1, -1)]
        found = bootstrap(pair, [1.0, -1.0], clusters, resamples=300, seed=seed)
        covered += found.interval[0] <= 0 <= found.interval[1]
        alarms += found.p_value < 0.05
        widths.append(found.interval[1] - found.interval[0])
    assert 0.91 <= covered / 300 <= 0.99
    assert alarms / 300 <= 0.09
    assert np.mean(widths) < widest, "nor by promising nothing"


def test_one_cluster_among_many_small_ones_tells_nothing() -> None:
    random = np.random.default_rng(0)
    clusters = np.concatenate([np.zeros(500, int), np.repeat(np.arange(1, 20), 5)])
    for seed in range(50):
        drift = random.normal(0, 0.2, 20)[clusters]
        pair = [floats(random.random((1, len(drift))) < 0.6 + sign * drift) for sign in (1, -1)]
        found = bootstrap(pair, [1.0, -1.0], clusters, resamples=300, seed=seed)
        assert found.p_value > 0.05


def test_an_interval_over_two_seeds_covers_the_truth_too() -> None:
    random = np.random.default_rng(0)
    covered, widths = 0, []
    for trial in range(150):
        means = 0.6 + random.normal(0, 0.02, (2, 2))
        pair = [(random.random((2, 1500)) < seed_means[:, None]) * 1.0 for seed_means in means]
        low, high = bootstrap(pair, [1, -1], np.arange(1500), resamples=300, seed=trial).interval
        covered += low <= 0 <= high
        widths.append(high - low)
    assert covered / 150 >= 0.92
    assert np.mean(widths) < 0.35


@given(st.floats(0, 40), st.floats(0.5, 1e6))
def test_student_agrees_with_scipy(value: float, freedom: float) -> None:
    assert student_tail(value, freedom) == pytest.approx(student.sf(value, freedom), abs=1e-9)


@given(st.floats(0.5, 0.9999), st.floats(1, 1e6))
def test_quantiles_of_student_agree_with_scipy(share: float, freedom: float) -> None:
    expected = student.ppf(share, freedom)
    assert student_quantile(share, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-9)


def test_the_bootstrap_of_single_values_is_the_ordinary_one() -> None:
    values = np.array([1.0] * 60 + [0.0] * 40)
    low, high = bootstrap([values[None]], [1.0], np.arange(100), resamples=20_000).interval
    half = 1.96 * math.sqrt(0.6 * 0.4 / 100)
    assert (low, high) == pytest.approx((0.6 - half, 0.6 + half), abs=0.011)


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    values, clusters = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 2])
    first, second = (bootstrap([values[None]], [1.0], clusters, seed=3) for _ in range(2))
    assert first == second
    assert bootstrap([np.ones((1, 4))], [1.0], clusters) == Resampled((1.0, 1.0), 0.25)
    assert bootstrap([values[None]], [1.0], np.zeros(4, int)) == Resampled((0.0, 1.0), 1.0)


def test_a_bootstrap_of_seeds_is_wider_where_seeds_differ() -> None:
    random = np.random.default_rng(1)
    clusters = np.arange(400)
    alike = (random.random((5, 400)) < 0.7).astype(float)
    apart = (random.random((5, 400)) < np.array([0.5, 0.6, 0.7, 0.8, 0.9])[:, None]).astype(float)
    low, high = bootstrap([alike], [1.0], clusters).interval
    lower, higher = bootstrap([apart], [1.0], clusters).interval
    assert higher - lower > 2 * (high - low)


def test_a_bootstrap_of_seeds_covers_the_truth_as_often_as_it_says() -> None:
    """Two systems whose seeds and questions both vary, on the same questions."""
    random = np.random.default_rng(2)
    clusters, covered = np.arange(300), 0
    truth = np.mean(np.clip(0.6 + GRID, 0, 1) - np.clip(0.5 + GRID, 0, 1))
    for trial in range(150):
        ease = random.normal(0, 0.25, 300)
        systems = [
            np.array([
                random.random(300) < np.clip(mean + random.normal(0, 0.02) + ease, 0, 1)
                for _ in range(8)
            ], float)
            for mean in (0.6, 0.5)
        ]  # fmt: skip
        low, high = bootstrap(systems, [1.0, -1.0], clusters, resamples=500, seed=trial).interval
        covered += bool(low <= truth <= high)
    assert 0.88 <= covered / 150 <= 1.0


GRID = np.random.default_rng(3).normal(0, 0.25, 100_000)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.2], [0.2]),
        ([0.01, 0.02, 0.03, 0.04], [0.04, 0.06, 0.06, 0.06]),
        ([0.04, 0.03, 0.02, 0.01], [0.06, 0.06, 0.06, 0.04]),
        ([0.05, 0.05, 0.05], [0.15, 0.15, 0.15]),
        ([0.0, 1.0, 0.5], [0.0, 1.0, 1.0]),
        ([0.9, 0.8, 0.001], [1.0, 1.0, 0.003]),
        ([0.713, 0.5745, 0.1769, 0.067, 0.2614], [1.0, 1.0, 0.7076, 0.335, 0.7842]),
        (
            [0.164, 0.6143, 0.092, 0.2271, 0.3403, 0.8247, 0.2547, 0.0794],
            [0.984, 1.0, 0.644, 1.0, 1.0, 1.0, 1.0, 0.6352],
        ),
    ],
)
def test_holm_agrees_with_statsmodels(p_values: list[float], adjusted: list[float]) -> None:
    """`adjusted` is from statsmodels 0.15.0: multipletests(p_values, method="holm")."""
    assert holm(p_values) == pytest.approx(adjusted, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_values_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for p, p_adjusted in zip(p_values, adjusted, strict=True):
        assert min(1.0, p) <= p_adjusted <= min(1.0, len(p_values) * p)
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_as_many_questions_as_needed_find_the_difference() -> None:
    needed = questions_needed(0.05, 0.3)
    assert needed is not None
    random = np.random.default_rng(0)
    found = 0
    for _ in range(400):
        first, second, _ = random.multinomial(needed, [0.175, 0.125, 0.7])
        found += mcnemar_exact(int(first), int(second)) < 0.05
    assert 0.74 <= found / 400 <= 0.87
    assert questions_needed(0.0, 0.3) is None
    assert questions_needed(-0.05, 0.3) == needed
    with pytest.raises(ValueError, match="exactly one of the systems is right"):
        questions_needed(0.4, 0.3)


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, choices) and gold choices (n,)."""
    count, choices = draw(st.integers(1, 60)), draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    weights = random.random((count, choices)) ** draw(st.sampled_from([0.1, 1, 8]))
    return weights / weights.sum(1, keepdims=True), random.integers(choices, size=count)


@given(answered())
def test_brier_and_nll_agree_with_scikit_learn(table: tuple[np.ndarray, np.ndarray]) -> None:
    p, gold = table
    labels = list(range(p.shape[1]))
    expected = brier_score_loss(gold, p, labels=labels, scale_by_half=False)
    of_gold = p[np.arange(len(gold)), gold]
    assert brier_score((p**2).sum(axis=1), of_gold) == pytest.approx(expected, abs=1e-9)
    assert negative_log_likelihood(of_gold) == pytest.approx(
        log_loss(gold, p, labels=labels), abs=1e-9
    )


def test_calibration_error_by_hand() -> None:
    sure = np.array([0.6, 0.9, 0.6, 0.9])
    right = np.array([1.0, 1.0, 0.0, 0.0])
    table = reliability(sure, right, bins=2)
    assert (table.confidence, table.accuracy, table.questions) == ([0.6, 0.9], [0.5, 0.5], [2, 2])
    assert expected_calibration_error(table) == pytest.approx((0.1 + 0.4) / 2)
    assert reliability(np.full(7, 0.5), np.ones(7)).questions == [7], "ties are not parted"
    assert reliability(np.empty(0), np.empty(0)).questions == []
    assert math.isnan(expected_calibration_error(reliability(np.empty(0), np.empty(0))))


@given(answered())
def test_calibration_of_a_bin_a_question_is_the_mean_distance(
    table: tuple[np.ndarray, np.ndarray],
) -> None:
    sure = np.sort(np.unique(table[0].max(1)))
    right = np.arange(len(sure), dtype=np.float64) % 2.0
    bins = reliability(sure, right, bins=len(sure))
    assert expected_calibration_error(bins) == pytest.approx(np.abs(sure - right).mean())


def test_a_calibrated_student_has_little_calibration_error() -> None:
    random = np.random.default_rng(0)
    sure = random.random(20_000)
    right = (random.random(20_000) < sure).astype(float)
    assert expected_calibration_error(reliability(sure, right)) < 0.02
    assert expected_calibration_error(reliability(sure, 1 - right)) > 0.4


@pytest.mark.parametrize("count", [12, 100, 4000])
def test_the_calibration_error_of_a_calibrated_student_is_told_beforehand(count: int) -> None:
    random = np.random.default_rng(0)
    sure = random.beta(8, 0.5, count)
    found = [
        expected_calibration_error(reliability(sure, floats(random.random(count) < sure)))
        for _ in range(400)
    ]
    expected = calibration_error_by_chance(reliability(sure, sure))
    assert np.mean(found) == pytest.approx(expected, rel=0.08)
    assert math.isnan(calibration_error_by_chance(reliability(np.empty(0), np.empty(0))))


def test_risk_and_coverage_by_hand() -> None:
    curve = risk_coverage(np.array([0.9, 0.5, 0.7]), np.array([1.0, 0.0, 0.0]))
    assert curve.coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    assert curve.area == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)
    tied = risk_coverage(np.full(4, 0.5), np.array([1.0, 0.0, 0.0, 1.0]))
    assert tied.risk.tolist() == [0.5] * 4
    assert risk_coverage(np.ones(3), np.ones(3)).area == 0.0
