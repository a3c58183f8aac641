"""Linear layers with matrix products in a chosen precision. The layers' inputs and outputs are fp32
or bf16."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from scicot.devices import multiplies_bf16, multiplies_int8
from scicot.models.native import int8, kernels

_ROWS = 512  # rows quantised and multiplied at a time, so that they stay in a CPU's cache
_CONVERTED = 8192  # rows of weights quantised at a time, since an LM head is large


class Linear(Protocol):
    """A linear layer. If it was made with a norm, it normalises its input first."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return the layer's result for x: (..., inputs) -> (..., outputs)."""

    def add(self, x: Tensor, to: Tensor) -> None:
        """Add the layer's result for x (..., inputs) to the tensor `to` (..., outputs) in place."""


@dataclass(frozen=True)
class Norm:
    """RMSNorm: x / rms(x) * weight, over the last axis. The attributes have the same names as in
    the T5 norm of the transformers library."""

    weight: Tensor
    variance_epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        # The input is cast to the weight's dtype: with another dtype, torch runs several kernels.
        return functional.rms_norm(x.float(), x.shape[-1:], self.weight, self.variance_epsilon)


def linear(
    weights: Sequence[Tensor],
    dtype: torch.dtype,
    norm: Any = None,
    biases: Sequence[Tensor] = (),
    *,
    in_place: bool = False,
) -> Linear:
    """Make one linear layer from several weight matrices (each outputs x inputs). The outputs of
    the matrices are concatenated.

    `dtype` is the precision of the matrix product: torch.float32, bfloat16 or, on CPUs, int8. If
    `norm`, an RMSNorm, is given, the layer applies it to the input first. `biases` are added to the
    outputs. With `in_place`, weights that already have this dtype are not copied.
    """
    if biases:
        bias = torch.cat([bias.detach().float() for bias in biases])
        return _Biased(linear(weights, dtype, norm, in_place=in_place), bias)
    # A large teacher would not fit in memory twice.
    if in_place and weights[0].dtype is dtype:
        return _InPlace([weight.detach() for weight in weights], norm)
    # A single weight is not copied, since an output layer is large.
    weight = (
        torch.cat([weight.detach() for weight in weights])
        if len(weights) > 1
        else weights[0].detach()
    )
    eps = None
    if norm is not None:
        weight, eps = weight * norm.weight.detach(), norm.variance_epsilon
    classes: dict[torch.dtype, Callable[[Tensor, float | None], Linear]]
    classes = {torch.float32: _Fp32, torch.bfloat16: _Bf16, torch.int8: Int8}
    return classes[dtype](weight.contiguous(), eps)


def finer(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of the attention projections (Q, K, V and output) of a model whose other
    matrix products use `dtype`.

    For int8, return bf16, or fp32 on a CPU without bf16 instructions. Return any other `dtype`
    unchanged.
    """
    if dtype is not torch.int8:
        return dtype
    # The rounding error of int8 is too large for attention scores that are not scaled down.
    return torch.bfloat16 if multiplies_bf16("cpu") else torch.float32


def normed(x: Tensor, eps: float | None) -> Tensor:
    """Return x / rms(x), with rms over the last axis, or x itself if `eps` is None. This is T5's
    norm without its weight."""
    return x if eps is None else functional.rms_norm(x, x.shape[-1:], eps=eps)


def normed_bf16(x: Tensor, eps: float | None) -> Tensor:
    """Return `normed(x, eps)` in bf16. On a CPU, if numba is installed and `eps` is given, the
    result is computed in one pass over memory."""
    if eps is None or not kernels.HERE or x.device.type != "cpu":
        return normed(x, eps).bfloat16()
    from scicot.models.native.kernels import int8_kernels

    return int8_kernels.normed_bf16(x, eps)


class _Fp32:
    def __init__(self, weight: Tensor, eps: float | None) -> None:
        self._weight, self._eps = weight, eps

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(normed(x, self._eps), self._weight)

    def add(self, x: Tensor, to: Tensor) -> None:
        to.add_(self(x))


class _InPlace:
    """A linear layer that uses a model's own weight tensors, in their dtype, without a copy."""

    def __init__(self, weights: Sequence[Tensor], norm: Any) -> None:
        self._weights, self._norm = weights, norm and Norm(norm.weight, norm.variance_epsilon)

    def __call__(self, x: Tensor) -> Tensor:
        x = (self._norm(x) if self._norm else x).to(self._weights[0].dtype)
        parts = [functional.linear(x, weight) for weight in self._weights]
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    def add(self, x: Tensor, to: Tensor) -> None:
        to.add_(self(x))


class _Biased:
    def __init__(self, linear: Linear, bias: Tensor) -> None:
        self._linear, self._bias = linear, bias

    def __call__(self, x: Tensor) -> Tensor:
        return self._linear(x).add_(self._bias)

    def add(self, x: Tensor, to: Tensor) -> None:
        self._linear.add(x, to)
        to.add_(self._bias)


class _Bf16:
    def __init__(self, weight: Tensor, eps: float | None) -> None:
        self._product, self._eps = Bf16Product(weight), eps
        # On a CPU, attention in bf16 is slower than widening its inputs to fp32.
        self._out_dtype = torch.float32 if weight.device.type == "cpu" else torch.bfloat16

    def __call__(self, x: Tensor) -> Tensor:
        return self._product(normed_bf16(x, self._eps)).to(self._out_dtype)

    def add(self, x: Tensor, to: Tensor) -> None:
        to.add_(self._product(normed_bf16(x, self._eps)))


class Bf16Product:
    """The matrix product x @ weight.T in bf16, with methods that fuse it with a following
    operation. `weight`: outputs x inputs."""

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight.bfloat16()
        self._packed = weight.device.type == "cpu" and _onednn()
        # The weights are packed into oneDNN's layout once: for few rows, packing takes longer than
        # the product.
        if self._packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, _ROWS)

    def __call__(self, x: Tensor) -> Tensor:
        return self._product(x, "none", "") if self._packed else functional.linear(x, self._weight)

    def gelu_new(self, x: Tensor) -> Tensor:
        """Return gelu_new(x @ weight.T)."""
        if self._packed:
            return self._product(x, "gelu", "tanh")
        return functional.gelu(functional.linear(x, self._weight), approximate="tanh")

    def silu(self, x: Tensor) -> Tensor:
        if self._packed:
            return self._product(x, "swish", "")
        return functional.silu(functional.linear(x, self._weight))

    def times(self, x: Tensor, factor: Tensor) -> Tensor:
        """Return (x @ weight.T) * factor, where `factor` has the shape of the product."""
        if not self._packed:
            return functional.linear(x, self._weight).mul_(factor)
        run = torch.ops.mkldnn._linear_pointwise.binary
        product: Tensor = run(x, factor, self._weight, None, "mul")
        return product

    def _product(self, x: Tensor, activation: str, algorithm: str) -> Tensor:
        run = torch.ops.mkldnn._linear_pointwise
        product: Tensor = run(x, self._weight, None, activation, [], algorithm)
        return product


def _onednn() -> bool:
    """Return True if torch has oneDNN's fused linear layers, and the CPU has bf16 instructions."""
    operations = getattr(torch.ops, "mkldnn", None)
    return multiplies_bf16("cpu") and all(
        hasattr(operations, name) for name in ("_linear_pointwise", "_reorder_linear_weight")
    )


class Int8:
    """A linear layer that computes with int8 matrix products (see int8.py). `weight` has the shape
    outputs x inputs. The layer multiplies its input x by the weights. If `eps` is given, the layer
    multiplies x / rms(x) by the weights instead.

    Inputs are quantised per row, to the integers from -127 to 127. Weights are quantised per output
    channel. Their range is -127 to 127 if the CPU accumulates int8 products in 32 bits (see
    `multiplies_int8`). On other CPUs, the range is -63 to 63, which avoids overflow.
    """

    def __init__(self, weight: Tensor, eps: float | None) -> None:
        self.kernels = _int8_kernels()
        parts = torch.split(weight, _CONVERTED)
        top = [part.abs().amax(dim=1) for part in parts]
        self.scale = torch.cat(top).clamp_(min=int8.LEAST)
        self.scale = self.scale / (127 if multiplies_int8() else 63)
        quantized = torch.empty(weight.shape, dtype=torch.int8, device=weight.device)
        scales, quantized_parts = (
            torch.split(self.scale, _CONVERTED),
            torch.split(quantized, _CONVERTED),
        )
        for part, scale, part_quantized in zip(parts, scales, quantized_parts, strict=True):
            part_quantized.copy_((part / scale[:, None]).round_())
        self._weight = quantized.t()
        self._eps = eps
        self._size = len(weight)

    def __call__(self, x: Tensor) -> Tensor:
        out = x.new_empty(*x.shape[:-1], self._size)
        for part, to in pieces(x, out):
            self.kernels.scaled(*self.product(part), self.scale, to)
        return out

    def add(self, x: Tensor, to: Tensor) -> None:
        for part, into in pieces(x, to):
            self.kernels.added(*self.product(part), self.scale, into)

    def product(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Quantise x (rows x inputs) and multiply it by the weights. Returns the int32 product
        (rows x outputs) and the scale of each row of x (rows)."""
        rounded, scales = self.kernels.rounded(x, self._eps)
        return self.multiplied(rounded), scales

    def multiplied(self, rounded: Tensor) -> Tensor:
        return torch._int_mm(rounded, self._weight)


def _int8_kernels() -> Any:
    """Return the module with the int8 operations: kernels/int8_kernels.py if numba is installed,
    else int8.py."""
    if not kernels.HERE:
        return int8
    from scicot.models.native.kernels import int8_kernels

    return int8_kernels


def pieces(x: Tensor, out: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Split x and `out` into blocks of up to _ROWS rows, and yield pairs (block of x, block of
    `out`). All axes except the last are flattened into rows. The blocks of `out` are views:
    writing to a block changes `out`."""
    rows, to = x.reshape(-1, x.shape[-1]), out.view(-1, out.shape[-1])
    return zip(torch.split(rows, _ROWS), torch.split(to, _ROWS), strict=True)
