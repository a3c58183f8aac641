"""Which sequences are worked on together: those of like length, as many as a budget allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def batches(lengths: Sequence[int], *, tokens: int, size: int) -> Iterator[list[int]]:
    """Places of sequences of these lengths, the longest first, `size` at most at a time, and of no
    more than `tokens` tokens when all are padded to the longest (but one sequence is never too
    much). Sequences of one length stay in their order.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    start = 0
    while start < len(order):
        rows = max(1, min(size, tokens // max(1, lengths[order[start]])))
        yield order[start : start + rows]
        start += rows
