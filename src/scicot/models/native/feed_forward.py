"""Feed-forward layers, which do most of a model's arithmetic, with fused operations where
possible."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scicot.models.native.linear import (
    Bf16Product,
    Int8,
    Linear,
    Norm,
    linear,
    normed_bf16,
    pieces,
)

Feed = Callable[[Tensor], None]  # adds the layer's result for x to x, in place

# The activation that each of these classes of transformers and torch computes.
_KNOWN = {
    "NewGELUActivation": "gelu_new",
    "GELUTanh": "gelu_new",
    "PytorchGELUTanh": "gelu_new",
    "SiLUActivation": "silu",
    "SiLU": "silu",
}


@dataclass(frozen=True)
class FeedForward:
    """The weights of a feed-forward layer, second(act(gate(norm(x))) * value(norm(x))). If `value`
    is None, the layer is second(act(gate(norm(x)))). `post_norm`, if given, normalises the result.

    `in_place` has two effects:

    - Weights that already have the dtype of the matrix products are not copied.
    - In a fused int8 layer (`_Int8`), the inputs are multiplied by the weight of `norm` at each
      call. If `in_place` is False, `gate` and `value` are multiplied by this weight once, when the
      layer is made.
    """

    gate: Tensor
    value: Tensor | None
    second: Tensor
    act: Any
    norm: Any
    post_norm: Norm | None = None
    in_place: bool = False

    @property
    def activation(self) -> str:
        return _KNOWN.get(type(self.act).__name__, "")


def feed_forward(layer: Any, dtype: torch.dtype) -> Feed:
    """Make a function that runs a T5LayerFF of transformers, with its residual connection, on a
    tensor in place. Matrix products are in `dtype`."""
    dense = layer.DenseReluDense
    gated = hasattr(dense, "wi_0")
    gate, value = (dense.wi_0.weight, dense.wi_1.weight) if gated else (dense.wi.weight, None)
    return feed(FeedForward(gate, value, dense.wo.weight, dense.act, layer.layer_norm), dtype)


def feed(weights: FeedForward, dtype: torch.dtype) -> Feed:
    """Make the fastest function for a feed-forward layer with these weights. The function takes a
    tensor x, and adds the layer's result to x in place. Matrix products are in `dtype`."""
    unconverted = weights.in_place and weights.gate.dtype is dtype
    fused = weights.value is not None and weights.activation and not unconverted
    if fused and dtype is torch.bfloat16:
        return _Bf16(weights)
    if fused and dtype is torch.int8:
        return _Int8(weights)
    return _Any(weights, dtype)


class _Any:
    """A feed-forward layer without fused operations, for any activation and dtype, gated or not."""

    def __init__(self, weights: FeedForward, dtype: torch.dtype) -> None:
        self._gated, self._post_norm = weights.value is not None, weights.post_norm
        first = [weights.gate] if weights.value is None else [weights.gate, weights.value]
        self._first = linear(first, dtype, weights.norm, in_place=weights.in_place)
        self._second = linear([weights.second], dtype, in_place=weights.in_place)
        self._act = _gelu_new if weights.activation == "gelu_new" else weights.act

    def __call__(self, x: Tensor) -> None:
        hidden = self._first(x)
        if self._gated:
            gate, value = hidden.chunk(2, dim=-1)
            hidden = self._act(gate).mul_(value)
        else:
            hidden = self._act(hidden)
        add_normed(self._second, hidden, self._post_norm, x)


class _Bf16:
    def __init__(self, weights: FeedForward) -> None:
        assert weights.value is not None
        self._gate, self._value = (
            Bf16Product((weight * weights.norm.weight).detach())
            for weight in (weights.gate, weights.value)
        )
        self._second, self._post_norm = Bf16Product(weights.second.detach()), weights.post_norm
        self._act = getattr(self._gate, weights.activation)
        self._eps = weights.norm.variance_epsilon

    def __call__(self, x: Tensor) -> None:
        normed_x = normed_bf16(x, self._eps)
        result = self._second(self._value.times(normed_x, self._act(normed_x)))
        x.add_(self._post_norm(result.float()) if self._post_norm else result)


class _Int8:
    def __init__(self, weights: FeedForward) -> None:
        assert weights.value is not None
        weight, eps = torch.cat([weights.gate, weights.value]), weights.norm.variance_epsilon
        # Gemma's norm weights are small in the channels where its hidden states are very large.
        # Inputs quantised without these weights would get their scale from the large channels, and
        # all other channels would be rounded to 0 (relative error of a layer: 0.78, not 0.06).
        self._norm: Norm | None = weights.norm if weights.in_place else None
        if self._norm is None:
            weight = weight * weights.norm.weight
        self._first = Int8(weight.detach(), eps if self._norm is None else None)
        self._second, self._post_norm = Int8(weights.second.detach(), None), weights.post_norm
        self._gated = getattr(self._first.kernels, f"gated_{weights.activation}")

    def __call__(self, x: Tensor) -> None:
        for _, part in pieces(x, x):
            normed_part = part if self._norm is None else self._norm(part)
            product, scales = self._first.product(normed_part)
            rounded, scales = self._gated(product, scales, self._first.scale)
            product = self._second.multiplied(rounded)
            if self._post_norm is None:
                self._second.kernels.added(product, scales, self._second.scale, part)
            else:
                out = torch.empty_like(part)
                self._second.kernels.scaled(product, scales, self._second.scale, out)
                part.add_(self._post_norm(out))


def add_normed(layer: Linear, x: Tensor, post_norm: Norm | None, to: Tensor) -> None:
    """Add layer(x) to the tensor `to` in place. If `post_norm` is given, layer(x) is normalised
    first."""
    if post_norm is None:
        layer.add(x, to)
    else:
        to.add_(post_norm(layer(x).float()))


def _gelu_new(x: Tensor) -> Tensor:
    """Compute the activation gelu_new as x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x^3))."""
    # The usual formula with tanh gives the same, but takes several times as long on a CPU.
    twice = 2 * math.sqrt(2 / math.pi)
    slope = torch.mul(x, x).mul_(0.044715 * twice).add_(twice).mul_(x)
    return slope.sigmoid_().mul_(x)
