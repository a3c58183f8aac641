"""The output layer: states -> logits, or only the likeliest token of each."""

from __future__ import annotations

import torch
from torch import Tensor

from scicot.models.native import kernels
from scicot.models.native.linear import linear

_BLOCK = 128  # tokens, of which the best is found first: a plain argmax is ten times slower
_BLOCKS, _CANDIDATES = 4, 8  # of which so many tokens are looked at closely


def logsumexp(logits: Tensor) -> Tensor:
    """rows x vocabulary -> rows"""
    if not kernels.HERE or logits.device.type != "cpu":
        return logits.logsumexp(-1)
    from scicot.models.native.kernels.logsumexp import logsumexp

    return logsumexp(logits)


class LMHead:
    """Of a model with `weight` (vocabulary x size). Logits are fp32's. Where the other matrices are
    multiplied in less, so is this one to find the likeliest tokens, but only to find a few
    candidates: fp32 decides among them."""

    def __init__(self, weight: Tensor, kind: torch.dtype, scale: Tensor) -> None:
        self._vocabulary = len(weight)
        missing = -len(weight) % _BLOCK
        # Padded to whole blocks with copies of the last token. `_exactly` shares this memory.
        padded = torch.cat([weight, weight[-1:].expand(missing, -1)]).detach().mul_(scale.detach())
        self._weight = padded
        self._exactly = linear([padded], torch.float32)
        self._roughly = self._exactly if kind is torch.float32 else linear([padded], kind)
        self._exact = kind is torch.float32

    def logits(self, states: Tensor) -> Tensor:
        """rows x size -> rows x vocabulary."""
        return self._exactly(states)[:, : self._vocabulary]

    def likeliest(self, states: Tensor) -> Tensor:
        """rows x size -> rows, the first of tokens that are exactly as likely."""
        blocks = self._roughly(states).view(len(states), -1, _BLOCK)
        best = blocks.amax(-1)
        if self._exact:
            block = best.argmax(-1)
            inside = blocks[torch.arange(len(block), device=block.device), block].argmax(-1)
            return (block * _BLOCK + inside).clamp_(max=self._vocabulary - 1)
        chosen = best.topk(min(_BLOCKS, best.shape[1])).indices
        logits = blocks.gather(1, chosen[..., None].expand(-1, -1, _BLOCK)).flatten(1)
        places = logits.topk(_CANDIDATES).indices
        tokens = chosen.gather(1, places // _BLOCK) * _BLOCK + places % _BLOCK
        exact = torch.bmm(self._weight[tokens], states[..., None])[..., 0]
        return tokens.gather(1, exact.argmax(-1, keepdim=True))[:, 0].clamp_(
            max=self._vocabulary - 1
        )
