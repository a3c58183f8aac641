"""Quantise the inputs of int8 matrix products and dequantise their results, in torch.

Each row of an input x (rows x size) is divided by its scale, which is 1/127 of the row's largest
absolute value, and rounded to int8 (Dettmers et al. 2022, arXiv 2208.07339, section 2,
"vector-wise"). Each element of the int32 product is multiplied by the scale of its row (from x) and
the scale of its column (from the weights). kernels/int8_kernels.py does the same in one pass over
memory where numba is installed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import gelu, rms_norm, silu

LEAST = 1e-30  # lower bound of a row's maximum, so that the scale of a zero row is not 0


def rounded(x: Tensor, eps: float | None) -> tuple[Tensor, Tensor]:
    """Quantise x to int8, or quantise x / rms(x) if `eps` is given. The shape of x is (rows, size).
    Returns the int8 tensor, of the same shape, and the scales of its rows, of shape (rows,)."""
    if eps is not None:
        x = rms_norm(x, x.shape[-1:], eps=eps)
    scale = x.abs().amax(dim=1).clamp_(min=LEAST).div_(127)
    return torch.mul(x, scale.reciprocal()[:, None]).round_().to(torch.int8), scale


def scaled(product: Tensor, rows: Tensor, columns: Tensor, out: Tensor) -> None:
    """Dequantise an int32 product (rows x columns) into the fp32 tensor `out` of the same shape.
    `rows` and `columns` are the scales of the product's rows and columns."""
    out.copy_(product).mul_(columns).mul_(rows[:, None])


def added(product: Tensor, rows: Tensor, columns: Tensor, to: Tensor) -> None:
    to.add_(product.float().mul_(columns).mul_(rows[:, None]))


def gated_gelu_new(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Dequantise an int32 product, compute gelu_new(gate) * value, and quantise the result to int8.

    The shape of `product` is (n, 2 * size). The gate is the first half of the columns, the value
    the second half. `rows` and `columns` are the scales of the product's rows and columns. Returns
    the int8 tensor, of shape (n, size), and the scales of its rows, of shape (n,).
    """
    gate, value = _halves(product, rows, columns)
    return rounded(gelu(gate, approximate="tanh").mul_(value), None)


def gated_silu(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Dequantise an int32 product, compute silu(gate) * value, and quantise the result to int8.

    The shape of `product` is (n, 2 * size). The gate is the first half of the columns, the value
    the second half. `rows` and `columns` are the scales of the product's rows and columns. Returns
    the int8 tensor, of shape (n, size), and the scales of its rows, of shape (n,).
    """
    gate, value = _halves(product, rows, columns)
    return rounded(silu(gate).mul_(value), None)


def _halves(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
    out = torch.empty(product.shape)
    scaled(product, rows, columns, out)
    return out.chunk(2, dim=1)
