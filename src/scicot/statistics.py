"""The few statistics a verdict rests on. Plain functions of counts and arrays, no rows in sight."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Interval = tuple[float, float]

# Bootstrap draws are made a block at a time: at most this many numbers in memory.
_BLOCK = 4_000_000


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927). (0, 1) where there are no trials."""
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value of McNemar's test, from the questions only one of two systems got.

    Under the null hypothesis each such question is a fair coin (Dietterich 1998 recommends the
    test for two classifiers on one test set).
    """
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    tail = ways = 1  # ways to lose k of them, from k = 0 on; whole numbers, so exact at any size
    for k in range(min(only_first, only_second)):
        ways = ways * (discordant - k) // (k + 1)
        tail += ways
    return float(min(1.0, 2 * tail / 2**discordant))


def cluster_bootstrap(
    values: npt.NDArray[np.float64],
    clusters: npt.NDArray[np.int64],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of the mean of `values`, drawing whole clusters.

    values: shape (n,), say 1 for right and 0 for wrong, or a difference of two such.
    clusters: shape (n,), the number of each value's cluster, from 0. Every value its own cluster
    gives the ordinary bootstrap. Davison and Hinkley 1997, section 3.8.
    """
    count = int(clusters.max()) + 1
    sums = np.bincount(clusters, weights=values, minlength=count)
    sizes = np.bincount(clusters, minlength=count).astype(np.float64)
    random = np.random.default_rng(seed)
    means = np.empty(resamples)
    block = max(1, _BLOCK // count)
    for start in range(0, resamples, block):
        drawn = random.integers(0, count, size=(min(block, resamples - start), count))
        means[start : start + len(drawn)] = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
