"""Bootstrap intervals over seeds, and over facts within each seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RESAMPLES = 4000


def interval(
    values: Sequence[Floats],
    facts: Sequence[Sequence[str]],
    figure: Callable[[Floats], Floats] | None = None,
) -> tuple[float, float, float]:
    """Return a figure and the ends of its 95 % interval, by resampling seeds and, within each,
    facts.

    `values` has an array for each seed: (questions,) with a number per question, or (questions,
    numbers) with several. `facts` names the fact of each question. `figure` computes the figure
    from the means over questions: it maps an array (..., numbers) to an array (...,), for example
    to the ratio of two means. By default the figure is the first mean. Figures of several seeds are
    averaged.
    """
    tables = []
    for numbers, names in zip(values, facts, strict=True):
        columns = numbers.reshape(len(numbers), -1)
        _, members = np.unique(np.array(names), return_inverse=True)
        sums = np.stack([np.bincount(members, column) for column in columns.T])
        tables.append(np.vstack([sums, np.bincount(members)]))  # shape (numbers + 1, facts)

    def figure_of(means: Floats) -> Floats:
        return means[..., 0] if figure is None else figure(means)

    rng = np.random.default_rng(0)
    resampled = np.empty((len(tables), RESAMPLES))
    for seed, table in enumerate(tables):
        totals = _times(seed, table.shape[1]) @ table.T
        resampled[seed] = figure_of(totals[:, :-1] / totals[:, -1:])
    chosen = rng.integers(len(tables), size=(RESAMPLES, len(tables)))
    # If a seed is drawn twice, so are the draws of its facts.
    means = resampled[chosen, rng.integers(RESAMPLES, size=chosen.shape)].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    figures = [figure_of(table[:-1].sum(axis=1) / table[-1].sum()) for table in tables]
    return float(np.mean(figures)), float(low), float(high)


@lru_cache(maxsize=64)
def _times(seed: int, facts: int) -> Floats:
    """Return an array (resamples, facts): how often each fact is drawn."""
    # The draws depend only on the arguments, so they are the same for every system.
    rng = np.random.default_rng([1, seed])
    times = rng.multinomial(facts, np.full(facts, 1 / facts), size=RESAMPLES)
    return times.astype(np.float64)
