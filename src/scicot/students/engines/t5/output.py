"""The output layer: states -> logits, or only the likeliest token of each."""

from __future__ import annotations

import torch
from torch import Tensor

from scicot.students.engines.t5.linear import linear

_BLOCK = 128  # tokens, of which the best is found first: a plain argmax is ten times slower
_CANDIDATES = 4


class Output:
    """Of a model with `weight` (vocabulary x size). Logits are fp32's. Where the other matrices are
    multiplied in less, so is this one to find the likeliest tokens, but only to find a few
    candidates: fp32 decides among them."""

    def __init__(self, weight: Tensor, kind: torch.dtype, scale: Tensor) -> None:
        self._vocabulary = len(weight)
        lacking = -len(weight) % _BLOCK
        padded = torch.cat([weight, weight[-1:].expand(lacking, -1)]).detach() * scale.detach()
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
        count = 1 if self._exact else min(_CANDIDATES, blocks.shape[1])
        best = blocks.amax(-1)
        chosen = best.argmax(-1, keepdim=True) if count == 1 else best.topk(count).indices
        inside = blocks.gather(1, chosen[..., None].expand(-1, -1, _BLOCK)).argmax(-1)
        tokens = chosen * _BLOCK + inside
        if count > 1:
            logits = torch.bmm(self._weight[tokens], states[..., None])[..., 0]
            tokens = tokens.gather(1, logits.argmax(-1, keepdim=True))
        first: Tensor = tokens[:, 0]
        return first.clamp_(max=self._vocabulary - 1)
