"""Intervals of a proportion and of means, resampled by clusters and by seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
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


def bootstrap(
    systems: Sequence[Floats],
    weights: Sequence[float],
    clusters: Ints,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of the weighted sum of systems' means, drawing whole clusters
    (Davison and Hinkley 1997, section 3.8) and each system's seeds.

    systems: for each one an array (seeds, n) of its values on the same questions, 1 for right and 0
    for wrong; weights (1, -1) give the interval of a difference. Seeds of one resample see the same
    questions. clusters: shape (n,), the number of each question's cluster, from 0; every question
    its own cluster gives the ordinary bootstrap.
    """
    means = _means(np.vstack(systems), clusters, resamples=resamples, seed=seed)
    random = np.random.default_rng([seed, 1])
    total, first = np.zeros(resamples), 0
    for own, weight in zip(systems, weights, strict=True):
        seeds = len(own)
        chosen = first + random.integers(seeds, size=(resamples, seeds))
        total += weight * np.take_along_axis(means, chosen, axis=1).mean(axis=1)
        first += seeds
    low, high = np.quantile(total, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _means(values: Floats, clusters: Ints, *, resamples: int, seed: int) -> Floats:
    """(resamples, systems): the mean of each system's values in each resample of the clusters.

    values: shape (systems, n). All systems see the same resample, as they saw the same questions.
    """
    count = int(clusters.max()) + 1
    sums = np.stack([np.bincount(clusters, own, count) for own in values])
    sizes = np.bincount(clusters, minlength=count).astype(np.float64)
    # Clusters alike in sums and size are drawn as one kind, as often as a multinomial says: the
    # same distribution, and no matter whether there are a hundred clusters or a million.
    kinds, counts = np.unique(np.vstack([sums, sizes]), axis=1, return_counts=True)
    shares = counts / counts.sum()
    random = np.random.default_rng(seed)
    means = np.empty((resamples, len(values)))
    block = max(1, _BLOCK // len(shares))
    for start in range(0, resamples, block):
        drawn = random.multinomial(counts.sum(), shares, size=min(block, resamples - start))
        means[start : start + len(drawn)] = (drawn @ kinds[:-1].T) / (drawn @ kinds[-1:].T)
    return means
