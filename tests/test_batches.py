from hypothesis import given
from hypothesis import strategies as st

from scicot.decoding.length_batches import length_batches

LENGTHS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40)), max_size=50)


@given(LENGTHS, st.integers(1, 400), st.integers(1, 9))
def test_a_batch_keeps_within_its_budget_when_padded(
    lengths: list[tuple[int, int]], tokens: int, size: int
) -> None:
    def fits(rows: int, read: int, written: int) -> bool:
        return rows <= size and rows * (read + written) <= tokens

    parts = list(length_batches(lengths, fits))
    assert sorted(index for part in parts for index in part) == list(range(len(lengths)))
    for part in parts:
        read, written = (max(lengths[index][side] for index in part) for side in (0, 1))
        assert len(part) == 1 or fits(len(part), read, written)


def test_the_longest_come_first_and_equals_in_their_order() -> None:
    lengths = [(5, 1), (9, 2), (5, 1), (9, 3)]
    assert list(length_batches(lengths, lambda rows, *_: rows <= 3)) == [[3, 1, 0], [2]]
