"""Sample tokens so that a text does not depend on the other texts of its batch. Each text has its
own seed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


def sample_seed(seed: int, identity: str, sample: int, writer: int = 0) -> int:
    """Return the seed, below 2**63, for one sampled text.

    `seed` is the user's seed, and `identity` the question's id. `sample` is the index of the text
    among the samples for this question, and `writer` the index of the rationale student. The result
    is a hash of these four values.
    """
    key = f"{seed}/{sample}/{identity}" + (f"/{writer}" if writer else "")
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8]) >> 1


def uniforms(seed: int, count: int) -> npt.NDArray[np.float64]:
    """Return the uniform random numbers in [0, 1) that select the first `count` tokens of a text,
    one for each token: shape (count,)."""
    return np.random.Generator(np.random.Philox(key=seed)).random(count)


def sample_tokens(
    logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float
) -> torch.Tensor:
    """Sample one token for each row, at this temperature, from the nucleus of `top_p` (Holtzman et
    al. 2020).

    `logits` has shape (rows, vocabulary). `uniform` holds a uniform random number in [0, 1) for
    each row, and has shape (rows,). Returns token ids of shape (rows,).

    Each token has an interval of cumulative probability, in the order of the vocabulary. The token
    whose interval contains the row's uniform number is returned (inverse-CDF sampling). Therefore
    rounding differences between batches, in the seventh digit of a logit, almost never change the
    token.
    """
    import torch

    p = torch.softmax(logits.double() / temperature, dim=-1).nan_to_num()
    if top_p < 1:
        p = p * _nucleus(p, top_p)
    ends = p.cumsum(-1)
    total = ends[:, -1:].contiguous()
    sampled = torch.searchsorted(ends, uniform.unsqueeze(-1) * total, right=True)
    last = torch.searchsorted(ends, total)  # the last token with a probability above 0
    return torch.minimum(sampled, last).squeeze(-1)


def _nucleus(p: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return a mask that is True for the nucleus of each row: the fewest tokens whose probabilities
    sum to at least `top_p`. `p` holds the probabilities. `p` and the mask have shape (rows,
    vocabulary)."""
    import torch

    ordered, order = p.sort(dim=-1, descending=True, stable=True)
    kept = ordered.cumsum(-1) - ordered < top_p
    return torch.zeros_like(kept).scatter(-1, order, kept)
