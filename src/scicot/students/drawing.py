"""Texts drawn from a student, each by a seed of its own, whatever is drawn beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scicot.students.base import Decoding

if TYPE_CHECKING:
    import torch


def seed_of(seed: int, identity: str, sample: int) -> int:
    """The seed, below 2**63, of a sample of the question with this id."""
    key = f"{seed}/{sample}/{identity}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(key).digest()[:8]) >> 1


class Drawn:
    """A logits processor that leaves one token to choose, in the rows that have a seed: one drawn
    at the temperature from the nucleus of `top_p` (Holtzman et al. 2020).

    A row has one uniform number a step, and takes the token that it falls on where the tokens'
    probabilities lie end to end in the order of the vocabulary. So a difference in the seventh
    digit, which another batch may make, almost never makes another token.
    """

    def __init__(self, draws: Sequence[int | None], decoding: Decoding) -> None:
        self._rows = [row for row, seed in enumerate(draws) if seed is not None]
        self._decoding = decoding
        self._uniform = np.array(
            [
                np.random.Generator(np.random.Philox(key=seed)).random(decoding.max_new_tokens)
                for seed in draws
                if seed is not None
            ]
        )

    def __call__(self, tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        if not self._rows:
            return scores
        step = tokens.shape[1] - 1  # behind the start token
        rows = torch.tensor(self._rows, device=scores.device)
        p = torch.softmax(scores[rows].double() / self._decoding.temperature, dim=-1)
        if self._decoding.top_p < 1:
            p = p * _nucleus(p, self._decoding.top_p)
        ends = p.cumsum(-1)
        total = ends[:, -1:].contiguous()
        point = torch.from_numpy(self._uniform[:, step]).to(ends.device).unsqueeze(-1) * total
        drawn = torch.searchsorted(ends, point, right=True)
        last = torch.searchsorted(ends, total)  # the last one with a probability
        drawn = torch.minimum(drawn, last)
        scores = scores.clone()
        scores[rows] = -torch.inf
        scores[rows, drawn.squeeze(-1)] = 0.0
        return scores


def _nucleus(p: torch.Tensor, top_p: float) -> torch.Tensor:
    """Which tokens belong to the fewest that have `top_p` together."""
    import torch

    ordered, places = p.sort(dim=-1, descending=True, stable=True)
    kept = ordered.cumsum(-1) - ordered < top_p
    return torch.zeros_like(kept).scatter(-1, places, kept)
