"""Time two implementations in turn, since a machine's speed drifts but adjacent runs compare
well."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """Medians in seconds over the pairs, and the median of the ratios ours / theirs."""

    ours: float
    theirs: float
    ratio: float
    pairs: int


def in_pairs(ours: Callable[[], object], theirs: Callable[[], object], pairs: int = 7) -> Ratio:
    """Time the two in turn, `pairs` times, after one run of each that is not counted."""
    times = [(_seconds(ours), _seconds(theirs)) for _ in range(pairs + 1)][1:]
    return Ratio(
        statistics.median(our_time for our_time, _ in times),
        statistics.median(their_time for _, their_time in times),
        statistics.median(our_time / their_time for our_time, their_time in times),
        pairs,
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
