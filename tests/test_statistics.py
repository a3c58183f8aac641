import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from scicot.statistics import cluster_bootstrap, mcnemar_exact, wilson_interval


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert wilson_interval(*counts) == pytest.approx((expected.low, expected.high), abs=1e-9)


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
    """Clusters of ten equal values: an interval over values would be far too narrow."""
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(60), 10)
    covered = 0
    for seed in range(200):
        values = np.repeat((random.random(60) < 0.7).astype(float), 10)
        low, high = cluster_bootstrap(values, clusters, resamples=500, seed=seed)
        covered += low <= 0.7 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_the_bootstrap_of_single_values_is_the_ordinary_one() -> None:
    values = np.array([1.0] * 60 + [0.0] * 40)
    low, high = cluster_bootstrap(values, np.arange(100), resamples=20_000)
    half = 1.96 * math.sqrt(0.6 * 0.4 / 100)
    assert (low, high) == pytest.approx((0.6 - half, 0.6 + half), abs=0.011)


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    values, clusters = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 2])
    assert cluster_bootstrap(values, clusters, seed=3) == cluster_bootstrap(
        values, clusters, seed=3
    )
    assert cluster_bootstrap(np.ones(4), clusters) == (1.0, 1.0)
