"""Attention of a few queries to a prefix and to what was written behind it, in one softmax.

Keys and values are fp32, or bf16 as uint16, and each is read once for all heads that share it.
Queries are scaled already.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scicot.models.native.kernels.decode_attention import number, seen, sized_as, softmax
from scicot.models.native.kernels.instructions import f32, kernel

_ALL = 2**62  # a window that ends nowhere


@kernel
def _joint(q, read_k, read_v, lengths, keys, values, window, scores, out, sized):  # type: ignore[no-untyped-def]
    rows, heads, places = q.shape[:3]
    steps, groups = len(keys), heads // keys.shape[2]
    for i in range(rows):
        length = lengths[i]
        for p in range(places):
            last = steps - places + p  # of the steps that this query sees
            first = max(0, last + 1 - window)
            begin = max(0, length + last + 1 - window)  # of the prefix
            read = max(0, length - begin)
            count = read + last + 1 - first
            for g in range(keys.shape[2]):
                for s in range(read):
                    for h in range(groups):
                        score = f32(0)
                        for d in range(len(sized)):
                            score += q[i, g * groups + h, p, d] * number(
                                read_k[i, g, begin + s, d]
                            )
                        scores[h, s] = score
                for s in range(first, last + 1):
                    for h in range(groups):
                        score = f32(0)
                        for d in range(len(sized)):
                            score += q[i, g * groups + h, p, d] * number(keys[s, i, g, d])
                        scores[h, read + s - first] = score
                for h in range(groups):
                    softmax(scores[h], count)
                for s in range(read):
                    for h in range(groups):
                        for d in range(len(sized)):
                            out[i, p, g * groups + h, d] += scores[h, s] * number(
                                read_v[i, g, begin + s, d]
                            )
                for s in range(first, last + 1):
                    for h in range(groups):
                        for d in range(len(sized)):
                            out[i, p, g * groups + h, d] += scores[h, read + s - first] * number(
                                values[s, i, g, d]
                            )


def joint(
    q: Tensor, prefix: Tensor, lengths: Tensor, keys: Tensor, values: Tensor, window: int | None
) -> Tensor:
    """Queries (rows x heads x places x size) of the last steps, keys and values of prefixes (2 x
    rows x heads x width x size), how much of the width each row has, keys and values of steps
    (steps x rows x heads x size) -> rows x places x width."""
    rows, heads, places, size = q.shape
    groups = heads // keys.shape[2]
    scores = np.empty((groups, prefix.shape[3] + len(keys)), np.float32)
    out = torch.zeros(rows, places, heads, size)
    own = q.numpy(), seen(prefix[0]), seen(prefix[1]), lengths.numpy(), seen(keys), seen(values)
    _joint(*own, window or _ALL, scores, out.numpy(), sized_as(size))
    return out.flatten(2)
