"""The layers of a T5, fused: fewer and larger matrix products, norms folded into what reads them.

A norm of T5 is x / rms(x) * weight; the weight is put into the columns of the linear layers behind
it, so that what is left of the norm is one number a token. Queries, keys and values come of one
product, and so do both halves of a gated feed-forward layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention

from scicot.students.engines.t5.linear import Linear, linear


@dataclass(frozen=True)
class FeedForward:
    """x -> what is added to it."""

    first: Linear
    second: Linear
    act: Callable[[Tensor], Tensor]
    gated: bool
    eps: float

    @classmethod
    def of(cls, layer: Any, kind: torch.dtype) -> FeedForward:
        dense, norm = layer.DenseReluDense, layer.layer_norm
        gated = hasattr(dense, "wi_0")
        first = [dense.wi_0, dense.wi_1] if gated else [dense.wi]
        return cls(
            linear([one.weight for one in first], kind, norm.weight),
            linear([dense.wo.weight], kind),
            _gelu_new if type(dense.act).__name__ == "NewGELUActivation" else dense.act,
            gated,
            norm.variance_epsilon,
        )

    def __call__(self, x: Tensor) -> Tensor:
        hidden = self.first(normed(x, self.eps))
        if not self.gated:
            return self.second(self.act(hidden))
        gate, value = hidden.chunk(2, dim=-1)
        return self.second(self.act(gate).mul_(value))


def _gelu_new(x: Tensor) -> Tensor:
    """x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x^3)): gelu_new, written without its tanh,
    which takes a CPU several times as long."""
    twice = 2 * math.sqrt(2 / math.pi)
    slope = torch.mul(x, x).mul_(0.044715 * twice).add_(twice).mul_(x)
    return slope.sigmoid_().mul_(x)


def normed(x: Tensor, eps: float) -> Tensor:
    return rms_norm(x, x.shape[-1:], eps=eps)


def attended(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Attention as T5 has it, unscaled: queries (rows x heads x places x size), keys and values as
    many rows and heads, bias (broadcast to rows x heads x places x keys) -> rows x places x width.
    """
    if q.device.type != "cpu":
        read = scaled_dot_product_attention(q, keys, values, attn_mask=bias, scale=1.0)
        return read.transpose(1, 2).flatten(2)
    # Products of small matrices are faster here than that kernel, for a single query by far.
    rows, heads, places, _ = q.shape
    bias = bias.expand(rows, heads, places, -1).flatten(0, 1)
    scores = torch.baddbmm(bias, q.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2))
    read = torch.bmm(scores.softmax(-1), values.flatten(0, 1)).view(rows, heads, places, -1)
    return read.transpose(1, 2).flatten(2)
