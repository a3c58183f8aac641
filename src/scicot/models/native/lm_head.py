"""The output layer (LM head): maps hidden states to logits, or only to the likeliest tokens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import torch
from torch import Tensor

from scicot.devices import release_pages
from scicot.models.native import kernels
from scicot.models.native.linear import Linear, linear

# tokens per block; the block with the largest logit is found first, which is ten times as fast as
# a plain argmax over the vocabulary
_BLOCK = 128
_BLOCKS, _CANDIDATES = 4, 8  # number of blocks, and of candidates, that are recomputed in fp32
_PART = 256 * _BLOCK  # tokens whose logits are computed at a time


def logsumexp(logits: Tensor) -> Tensor:
    """Return log(sum(exp(logits))) of each row: rows x vocabulary -> rows."""
    if not kernels.HERE or logits.device.type != "cpu":
        return logits.logsumexp(-1)
    from scicot.models.native.kernels.logsumexp import logsumexp

    return logsumexp(logits)


class LMHead:
    """The LM head of a model: computes fp32 logits, or finds the likeliest token of each hidden
    state.

    - `weight` has the shape (vocabulary, size).
    - `scale`, of shape (size,), is multiplied into a copy of `weight`. This has the same effect as
      multiplying the hidden states. If `scale` is None, `weight` is used without a copy.
    - `softcap` bounds the logits: `softcap * tanh(logits / softcap)`. If `softcap` is None, the
      logits are not bounded.
    - `dtype` is the type in which `likeliest` multiplies the hidden states by `weight`. If `dtype`
      is fp32 or the dtype of `weight`, the highest product is that of the likeliest token.
      Otherwise, these products only select a few candidates, and products in fp32 find the best.
    """

    def __init__(
        self, weight: Tensor, dtype: torch.dtype, scale: Tensor | None, softcap: float | None = None
    ) -> None:
        self._vocabulary, self._softcap = len(weight), softcap
        weight = weight.detach()
        if scale is not None:
            missing = -len(weight) % _BLOCK
            # Padded to whole blocks with copies of the last token.
            weight = torch.cat([weight, weight[-1:].expand(missing, -1)]).mul_(scale.detach())
        # bf16 weights, as teachers have on GPUs, are used without a copy.
        self._weight, self._type = weight, weight.dtype
        self._exact = dtype in (torch.float32, weight.dtype)
        self._block = min(_BLOCK, len(weight))
        self._fp32_linear = linear([weight], torch.float32)
        # The last part includes the remainder, which could be smaller than a block.
        starts = range(0, max(1, len(weight) - len(weight) % _PART), _PART)
        self._spans = list(zip(starts, [*starts[1:], len(weight)], strict=True))
        self._dtype = torch.float32 if self._exact else dtype
        self._layers: list[Linear] = []  # layers of `_spans` in `_dtype`, made when first needed
        self._making = threading.Lock()
        self._releases = scale is None and not self._exact

    def _parts(self) -> list[Linear]:
        """Return the layers that compute the logits, one for each part of the vocabulary."""
        # Made at the first call, because a student that only scores choices never needs them.
        with self._making:
            if not self._layers:
                self._layers = [self._part(start, end) for start, end in self._spans]
            return self._layers

    def _part(self, start: int, end: int) -> Linear:
        weight = self._weight[start:end]
        part = linear([weight], self._dtype)
        if self._releases:  # from now on, only `logits` reads all of the original weights
            release_pages([weight])
        return part

    def logits(self, states: Tensor) -> Tensor:
        """Return the fp32 logits of hidden states: rows x size -> rows x vocabulary."""
        logits = self._fp32_linear(states.to(self._type)).float()[:, : self._vocabulary]
        if self._softcap is not None:
            logits = logits.div_(self._softcap).tanh_().mul_(self._softcap)
        return logits

    def likeliest(self, states: Tensor) -> Tensor:
        """Return the id of the likeliest token for each hidden state: rows x size -> rows. If
        several tokens have the highest logit, one of them is returned."""
        return (self._exact_best(states) if self._exact else self._best(states)).clamp_(
            max=self._vocabulary - 1
        )

    def _exact_best(self, states: Tensor) -> Tensor:
        best: Tensor | None = None
        token = torch.zeros(len(states), dtype=torch.long, device=states.device)
        for start, blocks, starts in self._blocks(states.to(self._type)):
            tops, block = blocks.amax(-1).max(-1)
            offset = blocks[torch.arange(len(block), device=block.device), block].argmax(-1)
            candidate = starts[block] + offset + start
            token = candidate if best is None else torch.where(tops > best, candidate, token)
            best = tops if best is None else torch.maximum(best, tops)
        return token

    def _best(self, states: Tensor) -> Tensor:
        tops: list[Tensor] = []
        logits: list[Tensor] = []
        tokens: list[Tensor] = []
        for start, blocks, starts in self._blocks(states):
            top, chosen = blocks.amax(-1).topk(min(_BLOCKS, blocks.shape[1]))
            tops.append(top)
            logits.append(blocks.gather(1, chosen[..., None].expand(-1, -1, self._block)))
            tokens.append(starts[chosen] + start)
        top, first, block_logits = (torch.cat(parts, 1) for parts in (tops, tokens, logits))
        if len(tops) > 1:
            chosen = top.topk(_BLOCKS).indices
            first = first.gather(1, chosen)
            block_logits = block_logits.gather(1, chosen[..., None].expand(-1, -1, self._block))
        best_columns = (
            block_logits.flatten(1).topk(min(_CANDIDATES, block_logits[0].numel())).indices
        )
        tokens_found = first.gather(1, best_columns // self._block) + best_columns % self._block
        exact = torch.bmm(self._weight[tokens_found].float(), states[..., None].float())[..., 0]
        return tokens_found.gather(1, exact.argmax(-1, keepdim=True))[:, 0]

    def _blocks(self, states: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Compute the logits of hidden states for one part of the vocabulary at a time. Each part
        is divided into blocks of `_block` tokens. Yields (start, logits, offsets) for each part:

        - `start` is the id of the part's first token.
        - `logits` has shape (rows, blocks, `_block`).
        - `offsets` has shape (blocks,). The first token of block b has the id start + offsets[b].

        If the size of a part is not a multiple of `_block`, its last two blocks overlap.
        """
        for (start, _), part in zip(self._spans, self._parts(), strict=True):
            logits = part(states)
            count = logits.shape[1]
            starts = torch.arange(0, count - self._block + 1, self._block, device=states.device)
            blocks = logits[:, : len(starts) * self._block].reshape(len(states), -1, self._block)
            if count % self._block:
                starts = torch.cat([starts, starts.new_full((1,), count - self._block)])
                blocks = torch.cat([blocks, logits[:, None, -self._block :]], 1)
            yield start, blocks, starts
