"""Compute confidence intervals: Wilson's interval for proportions, and a bootstrap over clusters
and seeds for means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from scicot.statistics.t_distribution import student_quantile, student_tail

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Interval = tuple[float, float]

# Resamples are made in blocks of at most this many numbers, to limit memory.
_BLOCK = 4_000_000
_ZERO_VARIANCE = 1e-20  # a variance below this is a rounding error of 0


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return Wilson's score interval for a proportion (Wilson 1927) at confidence `level`. Without
    trials it is (0, 1)."""
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half_width = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return max(0.0, centre - half_width), min(1.0, centre + half_width)


@dataclass(frozen=True)
class Resampled:
    """The confidence interval and the p-value of an estimate (see `bootstrap`). The p-value is
    two-sided, for the null hypothesis that the true value is 0."""

    interval: Interval
    p_value: float


def bootstrap(
    systems: Sequence[Floats],
    weights: Sequence[float],
    clusters: Ints,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Resampled:
    """Return the bootstrap interval of a weighted sum of the systems' means, and the p-value of a t
    test of whether the sum is 0. Each resample draws with replacement: whole clusters of questions
    (Davison and Hinkley 1997, section 3.8) and, for each system, its seeds. The clusters drawn are
    the same for all systems and seeds.

    systems: for each system, an array of shape (seeds, n) of its values on the same n questions, 1
        for right and 0 for wrong.
    weights: one number for each system; (1, -1) gives the difference of two systems.
    clusters: shape (n,), the cluster number of each question, from 0; with one question per cluster
        this is the ordinary bootstrap.

    With few clusters or seeds, the percentile interval is too narrow. Its width is therefore
    multiplied by a factor of at least 1. The t test uses the standard error
    from `_moments`. The degrees of freedom follow Satterthwaite (1946).
    """
    means = _means(np.vstack(systems), clusters, resamples=resamples, seed=seed)
    random = np.random.default_rng([seed, 1])
    total, first = np.zeros(resamples), 0
    for values, weight in zip(systems, weights, strict=True):
        seeds = len(values)
        chosen = first + random.integers(seeds, size=(resamples, seeds))
        total += weight * np.take_along_axis(means, chosen, axis=1).mean(axis=1)
        first += seeds
    estimate, variance, freedom = _moments(systems, weights, clusters)
    lowest, highest = (sum(f(weight, 0.0) for weight in weights) for f in (min, max))
    if not math.isfinite(variance):  # a single cluster has no variance between clusters
        return Resampled((lowest, highest), 1.0)
    if variance == 0:  # all values are equal
        by_chance = 2 * 0.5 ** len(np.unique(clusters)) if estimate else 1.0
        return Resampled((estimate, estimate), min(1.0, by_chance))
    # The distances of both ends from the estimate are multiplied by `stretch`: the ratio of the
    # standard errors (`spread`), times the ratio of the quantiles of Student's t and the normal
    # distribution.
    normal = NormalDist().inv_cdf((1 + level) / 2)
    spread = math.sqrt(variance / total.var()) if total.var() else 1.0
    stretch = max(1.0, spread * student_quantile((1 + level) / 2, freedom) / normal)
    low, high = estimate + stretch * (
        np.quantile(total, [(1 - level) / 2, (1 + level) / 2]) - estimate
    )
    p_value = 2 * student_tail(abs(estimate) / math.sqrt(variance), freedom)
    return Resampled((max(lowest, float(low)), min(highest, float(high))), p_value)


def _moments(
    systems: Sequence[Floats], weights: Sequence[float], clusters: Ints
) -> tuple[float, float, float]:
    """Return (estimate, its variance, degrees of freedom of the variance) for the weighted sum of
    the systems' means (see `bootstrap`). The variance is infinite for a single cluster."""
    per_question = sum(
        weight * values.mean(axis=0) for values, weight in zip(systems, weights, strict=True)
    )
    estimate = float(np.mean(per_question))
    _, numbers = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(numbers)
    count = len(sizes)
    if count == 1:
        return estimate, math.inf, 1.0
    # The jackknife, which leaves out one cluster at a time, is used since it accounts for large
    # clusters that dominate the mean. The degrees of freedom come from the effective number of
    # clusters (Kish), which is smaller if their sizes are unequal.
    jackknife_means = (per_question.sum() - np.bincount(numbers, per_question)) / (
        len(numbers) - sizes
    )
    between_clusters = (count - 1) / count * float(((jackknife_means - estimate) ** 2).sum())
    parts = [(between_clusters, len(numbers) ** 2 / float((sizes**2).sum()) - 1)]
    for values, weight in zip(systems, weights, strict=True):
        seeds = len(values)
        if seeds > 1:
            parts.append((weight**2 * float(values.mean(axis=1).var(ddof=1)) / seeds, seeds - 1))
    variance = sum(part for part, _ in parts)
    if variance < _ZERO_VARIANCE:
        return estimate, 0.0, 1.0
    return estimate, variance, variance**2 / sum(part**2 / free for part, free in parts)


def _means(values: Floats, clusters: Ints, *, resamples: int, seed: int) -> Floats:
    """Resample the clusters, and return the mean of each row of values in each resample: shape
    (resamples, rows).

    values: shape (rows, n). All rows use the same resamples, since their values are paired by
    question.
    """
    count = int(clusters.max()) + 1
    sums = np.stack([np.bincount(clusters, row, count) for row in values])
    sizes = np.bincount(clusters, minlength=count).astype(np.float64)
    # Clusters with equal sums and sizes are counted together, with multinomial random counts. The
    # distribution is the same, and the time hardly depends on the number of clusters.
    distinct, counts = np.unique(np.vstack([sums, sizes]), axis=1, return_counts=True)
    shares = counts / counts.sum()
    random = np.random.default_rng(seed)
    means = np.empty((resamples, len(values)))
    block = max(1, _BLOCK // len(shares))
    for start in range(0, resamples, block):
        counts_drawn = random.multinomial(counts.sum(), shares, size=min(block, resamples - start))
        means[start : start + len(counts_drawn)] = (counts_drawn @ distinct[:-1].T) / (
            counts_drawn @ distinct[-1:].T
        )
    return means
