"""What answers behind a student: an engine, token ids in, token ids and scores out.

The seam between what a student is asked (student.py, answering.py) and what runs its model fast on
this or that machine. An engine takes as many sources as its caller has, batches them as suits it,
and gives results in the order of the sources. Nothing outside `students` and `training` knows that
today's students are encoder-decoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from scicot.config import SAMPLING

Ids = list[int]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a text is written. `temperature` and `top_p` are for what is drawn, `beams` (1 is greedy)
    for what is not: a text is drawn or searched for."""

    max_new_tokens: int
    temperature: float = SAMPLING
    top_p: float = 1.0
    beams: int = 1


class Engine(Protocol):
    """A loaded model. What it gives for a source does not depend on the other sources (in fp32, but
    for the last digits of scores)."""

    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        """For each source one text for each of its draws: token ids, the end token last, unless
        `max_new_tokens` cut it off.

        A draw is a seed below 2**63 that alone decides the text, or None for the likeliest text.
        """

    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        """log p in nats of each token of each target of each source, behind those before it."""
