"""Matrices of whole numbers: what happens to numbers before and behind their product, in torch.

x (rows x size) is rounded to 127ths of the largest number of its row (Dettmers et al. 2022, arXiv
2208.07339, section 2, "vector-wise"); a product of such rows and columns is worth as much as the
scales of both say. kernels/int8_kernels.py does the same in one pass where numba is installed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import gelu, rms_norm, silu

LEAST = 1e-30  # of a scale: zeros have one too


def rounded(x: Tensor, eps: float | None) -> tuple[Tensor, Tensor]:
    """int8 and the scale of each row, of x or, with `eps`, of x / rms(x)."""
    if eps is not None:
        x = rms_norm(x, x.shape[-1:], eps=eps)
    scale = x.abs().amax(dim=1).clamp_(min=LEAST).div_(127)
    return torch.mul(x, scale.reciprocal()[:, None]).round_().to(torch.int8), scale


def scaled(product: Tensor, rows: Tensor, columns: Tensor, out: Tensor) -> None:
    """What a product (int32) of these scales is worth."""
    out.copy_(product).mul_(columns).mul_(rows[:, None])


def added(product: Tensor, rows: Tensor, columns: Tensor, to: Tensor) -> None:
    to.add_(product.float().mul_(columns).mul_(rows[:, None]))


def gated_gelu_new(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """gelu_new of the first half times the second half, rounded."""
    gate, value = _halves(product, rows, columns)
    return rounded(gelu(gate, approximate="tanh").mul_(value), None)


def gated_silu(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """The same with silu."""
    gate, value = _halves(product, rows, columns)
    return rounded(silu(gate).mul_(value), None)


def _halves(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
    out = torch.empty(product.shape)
    scaled(product, rows, columns, out)
    return out.chunk(2, dim=1)
