"""Numba kernel for the logsumexp of each row of logits: one pass for the maximum, one for the
sum."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scicot.models.native.kernels.instructions import bits, exp2, f32, kernel, of_bits

_LOG2_E = f32(1.4426950408889634)


@kernel
def _logsumexp(logits, out):  # type: ignore[no-untyped-def]
    for i in range(len(logits)):
        # The maximum is found on bit patterns; those of negative floats are flipped to sort like
        # floats.
        top = np.int32(-2147483648)
        for j in range(logits.shape[1]):
            logit_bits = bits(logits[i, j])
            top = max(top, logit_bits ^ ((logit_bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        maximum = of_bits(top ^ ((top >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        total = f32(0)
        for j in range(logits.shape[1]):
            total += exp2((logits[i, j] - maximum) * _LOG2_E)
        out[i] = maximum + np.log(total)


def logsumexp(logits: Tensor) -> Tensor:
    """Return log(sum(exp(logits))) of each row: rows x vocabulary -> rows."""
    out = torch.empty(len(logits))
    _logsumexp(logits.numpy(), out.numpy())
    return out
