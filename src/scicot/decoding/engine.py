"""The interface of inference engines: they take token ids, and return token ids or
log-probabilities.

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
    """Settings for generating texts. `temperature` and `top_p` apply to texts that are sampled.
    `beams` applies to all other texts. It is the number of beams in beam search, where 1 means
    greedy decoding."""

    max_new_tokens: int
    temperature: float = SAMPLING
    top_p: float = 1.0
    beams: int = 1


class Stopped(Exception):
    """Raised by an engine when its caller has cancelled the work."""


class Engine(Protocol):
    """A loaded model that generates texts and scores targets. In fp32 the result for one source
    does not depend on the other sources, except for the last digits of scores."""

    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        """Generate texts for each source, given as token ids. Returns the token ids of each text,
        in the order of `draws`. A text ends with an end token, unless `max_new_tokens` was reached
        first.

        `draws[i]` has one entry for each text of `sources[i]`: a seed below 2**63 to sample it, or
        None for the likeliest text (by greedy decoding or beam search). A sampled text depends on
        its source and seed, but not on other texts.
        """

    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        """Return log p, in nats, of each token of each target, given the source and the target
        tokens before it. `targets[i]` are the targets of `sources[i]`. The result is indexed by
        source, target and token."""


def until_end(ids: Ids, ends: Collection[int]) -> Ids:
    """Return the ids up to and including the first end token, or all of them if none is an end
    token. `ends` are the ids of end tokens."""
    for index, token in enumerate(ids):
        if token in ends:
            return ids[: index + 1]
    return ids
