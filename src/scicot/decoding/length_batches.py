"""Batch sequences of similar length within a token budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

# Number of input tokens of a sequence, and of tokens to generate or to score.
Lengths = tuple[int, int]


def length_batches(
    lengths: Sequence[Lengths], fits: Callable[[int, int, int], bool]
) -> Iterator[list[int]]:
    """Yield batches of indices into `lengths`, longest sequences first.

    A batch is as large as `fits(rows, read, written)` allows with padding to its longest sequence,
    and has at least one. Sequences of equal lengths keep their order.
    """
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place][0], -lengths[place][1]))
    batch: list[int] = []
    read = written = 0
    for place in order:
        wider = max(read, lengths[place][0]), max(written, lengths[place][1])
        if batch and not fits(len(batch) + 1, *wider):
            yield batch
            batch, wider = [], lengths[place]
        batch.append(place)
        read, written = wider
    if batch:
        yield batch
