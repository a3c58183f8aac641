"""Attention as T5 has it: scores are not divided by anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from scicot.models.native import kernels

# What a masked place adds to its score: finite, so that a row that sees nothing has numbers.
NEVER = -1e30

_OF_CUDA = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]

_STEPS = 32  # that there is room for, at first


def attended(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Queries (rows x heads x places x size), keys and values as many rows and heads, bias
    (broadcast to rows x heads x places x keys) -> rows x places x width; in the type of the keys,
    on a CPU in that of the queries."""
    rows, heads, places, _ = q.shape
    if q.device.type == "cpu":
        keys, values = keys.to(q.dtype), values.to(q.dtype)
    else:
        q, bias = q.to(keys.dtype), bias.to(keys.dtype)
    if places > 1 or q.device.type != "cpu":
        # cuDNN makes a plan for every shape, in some 30 ms, and shapes are many here.
        with sdpa_kernel(_OF_CUDA) if q.device.type == "cuda" else nullcontext():
            read = scaled_dot_product_attention(q, keys, values, attn_mask=bias, scale=1.0)
        return read.transpose(1, 2).flatten(2)
    # For a single query, products of small matrices are faster by far.
    bias = bias.expand(rows, heads, places, -1).flatten(0, 1)
    scores = torch.baddbmm(bias, q.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2))
    read = torch.bmm(scores.softmax(-1), values.flatten(0, 1)).view(rows, heads, places, -1)
    return read.transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class PrefixCache:
    """Sources as the decoder reads them: keys and values (layers x 2 x rows x heads x places x
    size), fp32 or bf16, and how many of the places each row has."""

    states: Tensor
    lengths: Tensor

    @property
    def width(self) -> int:
        return self.states.shape[4]

    @cached_property
    def mask(self) -> Tensor:
        return masked(self.lengths, self.width)

    def of(self, rows: Sequence[int]) -> PrefixCache:
        return PrefixCache(self.states[:, :, rows], self.lengths[rows])

    def attend(self, layer: int, q: Tensor) -> Tensor:
        """Attention of queries (rows x heads x places x size) -> rows x places x width."""
        keys, values = self.states[layer]
        if _alone(q):
            from scicot.models.native.kernels.decode_attention import read

            return read(q, keys, values, self.lengths)
        return attended(q, keys, values, self.mask)


def masked(lengths: Tensor, width: int) -> Tensor:
    """What is added to scores: rows x 1 x 1 x places, nothing within a row's length."""
    places = torch.arange(width, device=lengths.device)
    mask = torch.zeros((len(lengths), width), device=lengths.device)
    return mask.masked_fill_(places >= lengths[:, None], NEVER)[:, None, None]


class KVCache:
    """Keys and values of what the rows of a group have written, step by step."""

    def __init__(self, like: Tensor) -> None:
        """Shaped for the layers, rows, heads, size and dtype of `like` (PrefixCache.states)."""
        layers, _, rows, heads, _, size = like.shape
        self.steps = 0
        self._states = like.new_empty((layers, 2, _STEPS, rows, heads, size))

    def begin(self, steps: int) -> None:
        """Make room for so many steps, which come next."""
        self.steps += steps
        if self.steps > self._states.shape[2]:
            self._states = torch.cat([self._states, torch.empty_like(self._states)], dim=2)

    def keep(self, rows: Sequence[int]) -> None:
        """Let all other rows go."""
        self._states = self._states[:, :, :, rows]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """Attention of the last steps' queries to them and those before; `bias`: heads x places x
        steps."""
        keys, values = self._states[layer][:, : self.steps]
        now = slice(self.steps - q.shape[2], self.steps)
        keys[now], values[now] = k.permute(2, 0, 1, 3), v.permute(2, 0, 1, 3)
        if _alone(q):
            from scicot.models.native.kernels.decode_attention import own

            return own(q, keys, values, bias[:, 0])
        keys, values = (one.permute(1, 2, 0, 3) for one in (keys, values))
        return attended(q, keys, values, bias)


def _alone(q: Tensor) -> bool:
    """Whether there is a kernel for this: a single query of each row."""
    return kernels.HERE and q.shape[2] == 1 and q.device.type == "cpu"
