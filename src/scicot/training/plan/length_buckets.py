"""Which rows share a batch: those of like lengths, of input and of target.

A batch is padded to its longest input and its longest target, so rows are sorted by both: all of
them are halved where it saves more padding, by the one length or the other, then each half again,
down to batches. That leaves far less of it than sorting by the sum of both lengths does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]


def padded(lengths: Any) -> int:
    """Tokens of rows of these lengths (rows x 2: input, target; or rows x 1: both) as one batch,
    padding included."""
    return int(len(lengths) * lengths.max(axis=0).sum())


def alike(lengths: Any, weights: Any, count: int) -> list[Places]:
    """All rows, as places, in `count` batches of like lengths that weigh about the same.

    `lengths` is rows x 2, `weights` has one number above 0 a row: 1 for batches of as many rows,
    which then differ by one row at most, its tokens for batches of as many tokens. No batch is
    empty: `count` is at most the number of rows. Rows of the same lengths stay in their order.
    """
    return list(_parted(np.arange(len(lengths)), lengths, weights, count))


def _parted(rows: Places, lengths: Any, weights: Any, count: int) -> Iterator[Places]:
    if count == 1:
        yield rows
        return
    first = count // 2
    halves = min(
        (
            _halved(rows[_order(lengths, rows, by)], weights, first, count)
            for by in range(lengths.shape[1])
        ),
        key=lambda both: sum(padded(lengths[half]) for half in both),
    )
    yield from _parted(halves[0], lengths, weights, first)
    yield from _parted(halves[1], lengths, weights, count - first)


def _order(lengths: Any, rows: Places, by: int) -> Any:
    return np.argsort(lengths[rows, by], kind="stable")


def _halved(rows: Places, weights: Any, first: int, count: int) -> tuple[Places, Places]:
    """The rows in two, of which the first is to become `first` of `count` batches."""
    reached = np.cumsum(weights[rows])
    cut = int(np.searchsorted(reached, reached[-1] * first / count, side="right"))
    cut = min(max(cut, first), len(rows) - (count - first))
    return rows[:cut], rows[cut:]


def pieces(batches: int, ranks: int) -> int:
    """Into how many pieces each batch of a step comes, for as many processes to share them: one
    where whole batches come out even."""
    if batches % ranks == 0:
        return 1
    return ranks // batches if ranks % batches == 0 else ranks


def shares(batches: Sequence[Any], ranks: int) -> list[list[Any]]:
    """The batches of one step dealt to as many processes: turns, each a piece of a batch (it may be
    empty) for every process."""
    count = pieces(len(batches), ranks)
    dealt = [batch[piece::count] for batch in batches for piece in range(count)]
    return [dealt[turn : turn + ranks] for turn in range(0, len(dealt), ranks)]
