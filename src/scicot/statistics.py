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
    fewer = min(only_first, only_second)
    if 2 * fewer == discordant:
        return 1.0
    # Terms relative to the largest, the last: they fall at least geometrically from there, so
    # this ends after as many as matter, and no number is ever too large for a float.
    term = tail = 1.0
    for k in range(fewer, 0, -1):
        term *= k / (discordant - k + 1)
        tail += term
        if term < tail * 1e-17:
            break
    log_last = (
        math.lgamma(discordant + 1)
        - math.lgamma(fewer + 1)
        - math.lgamma(discordant - fewer + 1)
        - discordant * math.log(2)
    )
    return min(1.0, 2 * tail * math.exp(log_last))


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
    sums = np.bincount(clusters, weights=values)
    sizes = np.bincount(clusters).astype(np.float64)
    # Clusters alike in sum and size are drawn as one kind, as often as a multinomial says: the same
    # distribution, and no matter whether there are a hundred clusters or a million.
    kinds, counts = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
    shares = counts / counts.sum()
    random = np.random.default_rng(seed)
    means = np.empty(resamples)
    block = max(1, _BLOCK // len(kinds))
    for start in range(0, resamples, block):
        drawn = random.multinomial(counts.sum(), shares, size=min(block, resamples - start))
        means[start : start + len(drawn)] = (drawn @ kinds[:, 0]) / (drawn @ kinds[:, 1])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
