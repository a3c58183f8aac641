"""Batch rows of similar input and target lengths.

A batch is padded to its longest input and its longest target, so both lengths matter. Rows are
halved by whichever length saves more padding, and each half again, down to batches. That leaves far
less padding than sorting by the sum of both lengths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def padded(lengths: Any) -> int:
    """Return the padded tokens of rows of these lengths (rows x 2: input, target; or rows x 1:
    both) in one batch."""
    return int(len(lengths) * lengths.max(axis=0).sum())


def similar_batches(lengths: Any, weights: Any, count: int) -> list[Indices]:
    """Partition all row indices into `count` batches of similar lengths and about equal weight.

    `lengths` is rows x 2. `weights` has a positive number for each row: 1 for batches of
    equally many rows, or its tokens for batches of equally many tokens. No batch is empty:
    `count` is at most the number of rows. Rows of equal lengths keep their order.
    """
    return list(_partition(np.arange(len(lengths)), lengths, weights, count))


def _partition(rows: Indices, lengths: Any, weights: Any, count: int) -> Iterator[Indices]:
    if count == 1:
        yield rows
        return
    first = count // 2
    halves = min(
        (
            _halved(rows[_order(lengths, rows, column)], weights, first, count)
            for column in range(lengths.shape[1])
        ),
        key=lambda two_halves: sum(padded(lengths[half]) for half in two_halves),
    )
    yield from _partition(halves[0], lengths, weights, first)
    yield from _partition(halves[1], lengths, weights, count - first)


def _order(lengths: Any, rows: Indices, column: int) -> Any:
    return np.argsort(lengths[rows, column], kind="stable")


def _halved(rows: Indices, weights: Any, first: int, count: int) -> tuple[Indices, Indices]:
    """Split rows into two parts, the first for `first` of `count` batches."""
    reached = np.cumsum(weights[rows])
    cut = int(np.searchsorted(reached, reached[-1] * first / count, side="right"))
    cut = min(max(cut, first), len(rows) - (count - first))
    return rows[:cut], rows[cut:]


def pieces(batches: int, ranks: int) -> int:
    """Return the number of pieces into which each batch of a step is split among the processes; 1
    if whole batches can be distributed evenly."""
    if batches % ranks == 0:
        return 1
    return ranks // batches if ranks % batches == 0 else ranks


def turns_of(batches: Sequence[Any], ranks: int) -> list[list[Any]]:
    """Distribute the batches of one step: a list of turns, each with one piece of a batch (possibly
    empty) for every process."""
    count = pieces(len(batches), ranks)
    distributed = [batch[piece::count] for batch in batches for piece in range(count)]
    return [distributed[turn : turn + ranks] for turn in range(0, len(distributed), ranks)]
