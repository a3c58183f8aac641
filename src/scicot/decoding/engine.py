"""The engine protocol: token ids in, token ids and log-probabilities out.

An engine runs one model on one device. It takes any number of sources, splits them into batches,
and returns results in the order of the sources.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from scicot.config import SAMPLING

Ids = list[int]


@dataclass(frozen=True, slots=True)
class Decoding:
    """Generation settings. `temperature` and `top_p` apply to texts that are sampled, `beams` (1 is
    greedy decoding) to all others."""

    max_new_tokens: int
    temperature: float = SAMPLING
    top_p: float = 1.0
    beams: int = 1


class Stopped(Exception):
    """Raised by an engine after its caller has cancelled the work."""


class Engine(Protocol):
    """A loaded model. In fp32 the result for a source does not depend on the other sources, except
    for the last digits of scores."""

    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        """Generate one text for each draw of each source: token ids, ending with an end token
        unless `max_new_tokens` was reached first.

        A draw is a seed below 2**63 that alone determines the sampled text, or None for the
        likeliest text.
        """

    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        """Return, for each source and target, log p of each target token in nats, given the source
        and the target tokens before it."""


def until_end(ids: Ids, ends: Collection[int]) -> Ids:
    """Return the ids up to and including the first end token, or all of them without one."""
    for index, token in enumerate(ids):
        if token in ends:
            return ids[: index + 1]
    return ids
