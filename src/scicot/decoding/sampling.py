"""Tokens drawn from a student, each text by a seed of its own, whatever is drawn beside it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


def sample_seed(seed: int, identity: str, sample: int, writer: int = 0) -> int:
    """The seed, below 2**63, of a sample of the question with this id. Several `writer`s of the
    same command draw apart from one another."""
    key = f"{seed}/{sample}/{identity}" + (f"/{writer}" if writer else "")
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8]) >> 1


def uniforms(seed: int, count: int) -> npt.NDArray[np.float64]:
    """The numbers in [0, 1) that decide the tokens of a text, one each: shape (count,)."""
    return np.random.Generator(np.random.Philox(key=seed)).random(count)


def sample_tokens(
    logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float
) -> torch.Tensor:
    """The token that each row draws at the temperature from the nucleus of `top_p` (Holtzman et al.
    2020). logits: shape (rows, vocabulary); uniform and the result: shape (rows,).

    It is the one on which the row's number falls where the tokens' probabilities lie end to end in
    the order of the vocabulary: a difference in the seventh digit of a logit, which another batch
    may make, almost never makes another token.
    """
    import torch

    p = torch.softmax(logits.double() / temperature, dim=-1).nan_to_num()
    if top_p < 1:
        p = p * _nucleus(p, top_p)
    ends = p.cumsum(-1)
    total = ends[:, -1:].contiguous()
    drawn = torch.searchsorted(ends, uniform.unsqueeze(-1) * total, right=True)
    last = torch.searchsorted(ends, total)  # the last one with a probability
    return torch.minimum(drawn, last).squeeze(-1)


def _nucleus(p: torch.Tensor, top_p: float) -> torch.Tensor:
    """Which tokens belong to the fewest that have `top_p` together."""
    import torch

    ordered, places = p.sort(dim=-1, descending=True, stable=True)
    kept = ordered.cumsum(-1) - ordered < top_p
    return torch.zeros_like(kept).scatter(-1, places, kept)
