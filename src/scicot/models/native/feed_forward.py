"""T5's feed-forward layers, which are most of its work: what of them can be done in one go is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scicot.models.native.linear import (
    Bf16Product,
    Int8,
    linear,
    normed_half,
    pieces,
)

Feed = Callable[[Tensor], None]  # adds to x, in place, what the layer makes of it


def feed_forward(layer: Any, kind: torch.dtype) -> Feed:
    """A T5LayerFF whose matrices are multiplied in `kind`."""
    dense = layer.DenseReluDense
    gated_gelu = hasattr(dense, "wi_0") and type(dense.act).__name__ == "NewGELUActivation"
    if gated_gelu and kind is torch.bfloat16:
        return _Bf16(layer)
    if gated_gelu and kind is torch.int8:
        return _Int8(layer)
    return _Any(layer, kind)


class _Any:
    """Of any activation, gated or not."""

    def __init__(self, layer: Any, kind: torch.dtype) -> None:
        dense = layer.DenseReluDense
        self._gated = hasattr(dense, "wi_0")
        first = [dense.wi_0, dense.wi_1] if self._gated else [dense.wi]
        self._first = linear([one.weight for one in first], kind, layer.layer_norm)
        self._second = linear([dense.wo.weight], kind)
        self._act = _gelu_new if type(dense.act).__name__ == "NewGELUActivation" else dense.act

    def __call__(self, x: Tensor) -> None:
        hidden = self._first(x)
        if self._gated:
            gate, value = hidden.chunk(2, dim=-1)
            hidden = self._act(gate).mul_(value)
        else:
            hidden = self._act(hidden)
        self._second.add(hidden, x)


class _Bf16:
    def __init__(self, layer: Any) -> None:
        dense, norm = layer.DenseReluDense, layer.layer_norm
        self._gate, self._value = (
            Bf16Product((one.weight * norm.weight).detach()) for one in (dense.wi_0, dense.wi_1)
        )
        self._second = Bf16Product(dense.wo.weight.detach())
        self._eps = norm.variance_epsilon

    def __call__(self, x: Tensor) -> None:
        own = normed_half(x, self._eps)
        x.add_(self._second(self._value.times(own, self._gate.gelu_new(own))))


class _Int8:
    def __init__(self, layer: Any) -> None:
        dense, norm = layer.DenseReluDense, layer.layer_norm
        weight = torch.cat([dense.wi_0.weight, dense.wi_1.weight]) * norm.weight
        self._first = Int8(weight.detach(), norm.variance_epsilon)
        self._second = Int8(dense.wo.weight.detach(), None)

    def __call__(self, x: Tensor) -> None:
        for _, part in pieces(x, x):
            product, scales = self._first.product(part)
            rounded, scales = self._first.numbers.gated(product, scales, self._first.scale)
            product = self._second.multiplied(rounded)
            self._second.numbers.added(product, scales, self._second.scale, part)


def _gelu_new(x: Tensor) -> Tensor:
    """x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 * x^3)): gelu_new, written without its tanh,
    which takes a CPU several times as long."""
    twice = 2 * math.sqrt(2 / math.pi)
    slope = torch.mul(x, x).mul_(0.044715 * twice).add_(twice).mul_(x)
    return slope.sigmoid_().mul_(x)
