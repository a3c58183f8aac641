"""Group sequences of similar length into batches of limited size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

# Number of input tokens of a sequence, and of tokens to generate or to score.
Lengths = tuple[int, int]


def length_batches(
    lengths: Sequence[Lengths], fits: Callable[[int, int, int], bool]
) -> Iterator[list[int]]:
    """Yield batches of sequences, each as a list of indices into `lengths`. The sequences with the
    most input tokens come first, and sequences of equal lengths keep their order.

    `lengths` has (input tokens, tokens to generate or score) for each sequence. A batch has as many
    sequences as `fits` allows, and at least one. `fits(rows, read, written)` must return True if a
    batch may have this number of rows, padded to `read` input tokens and to `written` tokens to
    generate or score.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index][0], -lengths[index][1]))
    batch: list[int] = []
    input_length = output_length = 0
    for index in order:
        wider = max(input_length, lengths[index][0]), max(output_length, lengths[index][1])
        if batch and not fits(len(batch) + 1, *wider):
            yield batch
            batch, wider = [], lengths[index]
        batch.append(index)
        input_length, output_length = wider
    if batch:
        yield batch
