"""What a student is: text in, text out, and scores.

Nothing outside `students` and `training` knows that today's students are encoder-decoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Student(Protocol):
    """A trained model behind text. Results come in the order of the inputs, whatever happens
    inside, and do not depend on how many inputs are passed at once (in fp32)."""

    cut_inputs: int  # how many inputs so far were longer than the student reads
    cut_outputs: int  # how many texts so far ended at max_new_tokens, not by themselves

    def generate(self, inputs: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """The greedy continuation of each input, of max_new_tokens tokens at most."""

    def score(
        self, inputs: Sequence[str], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """log p(candidate | input) in nats for every candidate of every input, end token included,
        so that a candidate that begins another ("1", "10") competes with it fairly."""
