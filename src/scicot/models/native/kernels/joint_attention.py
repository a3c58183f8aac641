"""Numba kernel for attention from a few queries per row to a prefix and the tokens generated after
it, in one softmax.

Keys and values are fp32, or bf16 numbers with their bits stored as uint16. For all query heads that
share a KV head, each key and each value is read once. The queries must be scaled beforehand.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scicot.models.native.kernels.decode_attention import number, seen, sized_as, softmax
from scicot.models.native.kernels.instructions import f32, kernel

_ALL = 2**62  # a window larger than any sequence


@kernel
def _score(q, keys, scores, sized):  # type: ignore[no-untyped-def]
    for s in range(len(keys)):
        for h in range(len(q)):
            score = f32(0)
            for d in range(len(sized)):
                score += q[h, d] * number(keys[s, d])
            scores[h, s] = score


@kernel
def _score_steps(q, keys, i, g, first, last, scores, offset, sized):  # type: ignore[no-untyped-def]
    for s in range(first, last):
        for h in range(len(q)):
            score = f32(0)
            for d in range(len(sized)):
                score += q[h, d] * number(keys[s, i, g, d])
            scores[h, offset + s - first] = score


@kernel
def _sum(values, scores, out, sized):  # type: ignore[no-untyped-def]
    for s in range(len(values)):
        for h in range(len(out)):
            for d in range(len(sized)):
                out[h, d] += scores[h, s] * number(values[s, d])


@kernel
def _sum_steps(values, i, g, first, last, scores, offset, out, sized):  # type: ignore[no-untyped-def]
    for s in range(first, last):
        for h in range(len(out)):
            for d in range(len(sized)):
                out[h, d] += scores[h, offset + s - first] * number(values[s, i, g, d])


@kernel
def _joint(q, read_k, read_v, lengths, keys, values, window, scores, out, sized):  # type: ignore[no-untyped-def]
    rows, count, heads = q.shape[:3]
    for i in range(rows):
        for p in range(count):
            last = len(keys) - count + p + 1  # number of steps that this query attends to
            first = max(0, last - window)
            length = lengths[i]
            # first prefix position within the window
            begin = min(length, max(0, length + last - window))
            prefix_count = length - begin
            for g in range(heads):
                _score(q[i, p, g], read_k[i, g, begin:length], scores, sized)
                _score_steps(q[i, p, g], keys, i, g, first, last, scores, prefix_count, sized)
                for h in range(len(scores)):
                    softmax(scores[h], prefix_count + last - first)
                _sum(read_v[i, g, begin:length], scores, out[i, p, g], sized)
                _sum_steps(values, i, g, first, last, scores, prefix_count, out[i, p, g], sized)


def joint(
    q: Tensor, prefix: Tensor, lengths: Tensor, keys: Tensor, values: Tensor, window: int | None
) -> Tensor:
    """Attend from the newest tokens to the prefix and to all generated tokens, in one softmax. With
    `window`, each new token attends only to the last `window` positions, including its own
    position.

    `q` are the queries: rows x heads x new tokens x size. `prefix` holds the keys and values of the
    prefix: 2 x rows x KV heads x positions x size. In row i, the first `lengths[i]` positions of
    the prefix are valid. `keys` and `values` belong to the generated tokens, including the newest:
    tokens x rows x KV heads x size. Returns rows x new tokens x (heads * size).
    """
    rows, heads, count, size = q.shape
    shared = keys.shape[2]
    q = q.transpose(1, 2).reshape(rows, count, shared, heads // shared, size).contiguous()
    scores = np.empty((heads // shared, prefix.shape[3] + len(keys)), np.float32)
    out = torch.zeros(q.shape)
    arrays = q.numpy(), seen(prefix[0]), seen(prefix[1]), lengths.numpy(), seen(keys), seen(values)
    _joint(*arrays, window or _ALL, scores, out.numpy(), sized_as(size))
    return out.view(rows, count, -1)
