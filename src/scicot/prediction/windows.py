"""Split the questions into windows, and select the windows of a shard. The questions of a window
are predicted together.

The last digits of a score depend on the other questions of the window. So a file is always split
into the same windows:

- A resumed command splits all questions into windows, including those that are done already.
- A shard consists of whole windows of the file: shard 2 of 3 has the windows 2, 5, 8, ...

Resumed commands and shards therefore give exactly the same scores as a single uninterrupted
command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from scicot.config import Shard
from scicot.errors import ScicotError
from scicot.reporting import number_of

# The rows of a pipe that arrive within this time form one window.
PATIENCE_SECONDS = 0.05

# Shares of shards are called uneven if the largest exceeds the mean by this factor.
_UNEVEN = 1.25

Item = TypeVar("Item")


def windows(
    items: Iterable[Item], size: int, idle: Callable[[float], bool] | None = None
) -> Iterator[list[Item]]:
    """Yield the items in windows: lists of `size` items. The last window may be shorter.

    `idle(seconds)` waits up to `seconds` for the next item, and returns True if none arrives. With
    `idle`, a shorter window is yielded if PATIENCE_SECONDS have passed since the first item of the
    window and no further item is waiting. If `items` raises a ScicotError, the items before the
    error are yielded first.
    """
    stream = iter(items)
    problem: ScicotError | None = None
    more = True
    while more:
        window: list[Item] = []
        started = 0.0
        try:
            for item in stream:
                window.append(item)
                started = started or time.monotonic()
                if len(window) == size:
                    break
                if idle and idle(max(0.0, started + PATIENCE_SECONDS - time.monotonic())):
                    break
            else:
                more = False
        except ScicotError as error:
            problem, more = error, False
        if window:
            yield window
    if problem is not None:
        raise problem


def chunks(parts: Iterable[Item], count: int) -> Iterator[list[Item]]:
    """Yield the parts in lists of `count`; the last list may be shorter. If `parts` raises a
    ScicotError, the parts before it are yielded first."""
    stream, problem = iter(parts), None
    while problem is None:
        group: list[Item] = []
        try:
            for part in islice(stream, count):
                group.append(part)  # yielded before a ScicotError of a later item
        except ScicotError as error:
            problem = error
        if group:
            yield group
        elif problem is None:
            return
    raise problem


def of_shard(parts: Iterable[Item], shard: Shard | None) -> Iterator[Item]:
    """Iterate over the parts that belong to a shard. For shard number 2 of 3, these are the parts
    2, 5, 8, ..., counted from 1. If `shard` is None, iterate over all parts."""
    return iter(parts) if shard is None else islice(parts, shard.number - 1, None, shard.count)


def size_of_shard(total: int, size: int, shard: Shard | None) -> int:
    """Return how many of `total` items are in a shard. The items are split into windows of `size`,
    and every shard.count-th window belongs to the shard. Without a shard, return `total`."""
    if shard is None:
        return total
    return sum(
        min(size, total - start)
        for start in range((shard.number - 1) * size, total, shard.count * size)
    )


def uneven_shares(
    total: int | None, size: int, shard: Shard | None, per_question: int
) -> Iterator[str]:
    """Yield a warning if some shards get many more questions than others.

    - `total`: the number of questions, or None if it is not known.
    - `size`: the number of questions in a window.
    - `per_question`: the number of sequences per question. It is needed because the warning
      suggests a value for --window, and --window counts sequences, not questions.
    """
    # The window is not made smaller automatically: merged shards would then differ from a run
    # without shards in the last digits of the scores.
    if shard is None or not total or size == 1:
        return
    largest, mean = size_of_shard(total, size, Shard(1, shard.count)), total / shard.count
    if largest <= _UNEVEN * mean:
        return
    shares = f"the largest has {largest:,} of {total:,} questions"
    if empty := max(0, shard.count - -(-total // size)):
        shares += f" and {empty} of {shard.count} have none"
    better = max(1, total // shard.count) * per_question
    yield (
        f"--shard {shard}: shards have whole windows of {number_of(size, 'question')}, so {shares};"
        f" give every shard --window {better} for similar parts"
    )
