"""What a student is: text in, text out, and scores.

Nothing outside `students` and `training` knows that today's students are encoder-decoders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from scicot.stages import Input


class Student(Protocol):
    """A trained model behind text. Results come in the order of the inputs, whatever happens
    inside, and do not depend on how many inputs are passed at once (in fp32)."""

    cuts: Counter[str]  # how many inputs so far lost words of "context", "rationale", "question"
    cut_outputs: int  # how many texts so far ended at max_new_tokens, not by themselves

    def generate(
        self, inputs: Sequence[Input], *, max_new_tokens: int, draws: Sequence[int | None] = ()
    ) -> list[str]:
        """A continuation of each input, of max_new_tokens tokens at most.

        Greedy, or where `draws` holds a number (a seed below 2**63) for an input, drawn from the
        student at temperature `DRAW_TEMPERATURE` by that seed alone.
        """

    def score(
        self, inputs: Sequence[Input], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """log p(candidate | input) in nats for every candidate of every input, end token included,
        so that a candidate that begins another ("1", "10") competes with it fairly."""


# As self-consistency has it (Wang et al. 2023, section 3.1).
DRAW_TEMPERATURE = 0.7
