"""Batch rows of similar input and target lengths.

A batch is padded to its longest input and its longest target, so both lengths matter. All rows are
sorted by input length or by target length, whichever saves more padding, and split in half. Each
half is split again in the same way, until there are enough batches. This leaves far less padding
than sorting by the sum of both lengths.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def padded(lengths: Any) -> int:
    """Return the number of tokens, with padding, of one batch of rows.

    `lengths` holds the lengths of the rows. For an encoder-decoder, it has shape (rows, 2), with
    the lengths of input and target. For a causal model, it has shape (rows, 1), with their sum.
    """
    return int(len(lengths) * lengths.max(axis=0).sum())


def similar_batches(lengths: Any, weights: Any, count: int) -> list[Indices]:
    """Partition all rows into `count` batches of similar lengths and about equal total weight.
    Return the row indices of each batch.

    `lengths` is as in `padded`. `weights` has a positive number for each row: 1 for batches of
    equally many rows, or the row's tokens for batches of equally many tokens. `count` must not
    exceed the number of rows, so no batch is empty. Rows of equal lengths keep their order.
    """
    return list(_partition(np.arange(len(lengths)), lengths, weights, count))


def _partition(rows: Indices, lengths: Any, weights: Any, count: int) -> Iterator[Indices]:
    if count == 1:
        yield rows
        return
    first_count = count // 2
    halves = min(
        (
            _halved(rows[_order(lengths, rows, column)], weights, first_count, count)
            for column in range(lengths.shape[1])
        ),
        key=lambda two_halves: sum(padded(lengths[half]) for half in two_halves),
    )
    yield from _partition(halves[0], lengths, weights, first_count)
    yield from _partition(halves[1], lengths, weights, count - first_count)


def _order(lengths: Any, rows: Indices, column: int) -> Any:
    return np.argsort(lengths[rows, column], kind="stable")


def _halved(rows: Indices, weights: Any, first_count: int, count: int) -> tuple[Indices, Indices]:
    """Split sorted rows into two parts: the first for `first_count` batches, the second for the
    other `count` - `first_count` batches. Each part has about the same total weight per batch."""
    reached = np.cumsum(weights[rows])
    cut = int(np.searchsorted(reached, reached[-1] * first_count / count, side="right"))
    cut = min(max(cut, first_count), len(rows) - (count - first_count))
    return rows[:cut], rows[cut:]


def pieces(batches: int, ranks: int) -> int:
    """Return the number of pieces into which each batch of a step is split: the smallest number for
    which all `ranks` processes get equally many pieces. If whole batches can be distributed evenly,
    the result is 1."""
    return ranks // math.gcd(batches, ranks)


def turns_of(batches: Sequence[Any], ranks: int) -> list[list[Any]]:
    """Distribute the batches of one step among `ranks` processes.

    Returns a list of turns. A turn has one entry for each process: entry r is the batch, or the
    piece of a batch, that process r computes. A piece may be empty.
    """
    count = pieces(len(batches), ranks)
    distributed = [batch[piece::count] for batch in batches for piece in range(count)]
    return [distributed[turn : turn + ranks] for turn in range(0, len(distributed), ranks)]
