"""Linear layers without a bias, in the precision that is asked for; fp32 in, fp32 out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Linear = Callable[[Tensor], Tensor]  # (..., inputs) -> (..., outputs)

_ROWS = 256  # that are converted and multiplied at a time: their numbers stay in a CPU's cache
_LEAST = 1e-30


def linear(weights: Sequence[Tensor], kind: torch.dtype, scale: Tensor | None = None) -> Linear:
    """x -> (x * scale) @ weight.T for all weights (outputs x inputs) at once, side by side; `kind`
    is torch.float32, bfloat16 or int8."""
    weight = torch.cat([one.detach() for one in weights])
    if scale is not None:
        weight = weight * scale.detach()
    if kind is torch.int8:
        return _Int8(weight)
    if kind is torch.bfloat16:
        return _Bf16(weight)
    weight = weight.contiguous()
    return lambda x: functional.linear(x, weight)


class _Bf16:
    def __init__(self, weight: Tensor) -> None:
        self._weight = weight.bfloat16().contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return functional.linear(x.bfloat16(), self._weight).float()
        rows = x.reshape(-1, x.shape[-1])
        out = x.new_empty(len(rows), len(self._weight))
        for part, to in _pieces(rows, out):
            to.copy_(functional.linear(part.bfloat16(), self._weight))
        return out.view(*x.shape[:-1], -1)


class _Int8:
    """Products of whole numbers: weights are rounded to 127ths of the largest of their output,
    inputs to those of the largest of their row (Dettmers et al. 2022, arXiv 2208.07339, section 2,
    "vector-wise"). For CPUs."""

    def __init__(self, weight: Tensor) -> None:
        self._scale = weight.abs().amax(dim=1).clamp_(min=_LEAST) / 127
        self._weight = (weight / self._scale[:, None]).round_().to(torch.int8).t()

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        out = x.new_empty(len(rows), len(self._scale))
        for part, to in _pieces(rows, out):
            scale = part.abs().amax(dim=1, keepdim=True).clamp_(min=_LEAST).div_(127)
            whole = torch.mul(part, scale.reciprocal()).round_().to(torch.int8)
            to.copy_(torch._int_mm(whole, self._weight)).mul_(self._scale).mul_(scale)
        return out.view(*x.shape[:-1], -1)


def _pieces(rows: Tensor, out: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(torch.split(rows, _ROWS), torch.split(out, _ROWS), strict=True)
