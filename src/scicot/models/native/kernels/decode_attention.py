"""Numba kernels for attention from a single query per row. They read each key and value once, in
memory order.

Keys and values are fp32, or bf16 numbers with their bits stored as uint16. Scores are not scaled,
as in T5.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numba import types
from numba.extending import overload
from torch import Tensor

from scicot.models.native.kernels.instructions import exp2, f32, kernel, widened

_LOG2_E = f32(1.4426950408889634)
_BLOCK = 8  # steps processed together while a query stays in registers


def number(x):  # type: ignore[no-untyped-def]
    """Convert a stored key or value (fp32, or the uint16 bits of a bf16 number) to fp32. Only
    compiled kernels can call it."""
    raise NotImplementedError(x)


@overload(number)
def _compiled_number(x):  # type: ignore[no-untyped-def]  # numba compares annotations too
    if x is types.uint16:
        return lambda x: widened(x)
    return lambda x: x


@kernel
def softmax(scores, count):  # type: ignore[no-untyped-def]
    top = scores[0]
    for s in range(1, count):
        top = max(top, scores[s])
    total = f32(0)
    for s in range(count):
        scores[s] = exp2((scores[s] - top) * _LOG2_E)
        total += scores[s]
    for s in range(count):
        scores[s] /= total


@kernel
def _read(q, keys, values, lengths, scores, out, sized):  # type: ignore[no-untyped-def]
    for i in range(len(q)):
        for h in range(q.shape[1]):
            for s in range(lengths[i]):
                score = f32(0)
                for d in range(len(sized)):
                    score += q[i, h, d] * number(keys[i, h, s, d])
                scores[s] = score
            softmax(scores, lengths[i])
            for s in range(lengths[i]):
                for d in range(len(sized)):
                    out[i, h, d] += scores[s] * number(values[i, h, s, d])


@kernel
def _score_steps(q, keys, bias, scores, sized):  # type: ignore[no-untyped-def]
    steps, rows, heads = keys.shape[:3]
    for start in range(0, steps, _BLOCK):
        for i in range(rows):
            for h in range(heads):
                for s in range(start, min(start + _BLOCK, steps)):
                    score = f32(0)
                    for d in range(len(sized)):
                        score += q[i, h, d] * number(keys[s, i, h, d])
                    scores[i, h, s] = score + bias[h, s]
    for i in range(rows):
        for h in range(heads):
            softmax(scores[i, h], steps)


@kernel
def _sum_steps(values, scores, out, sized):  # type: ignore[no-untyped-def]
    steps, rows, heads = values.shape[:3]
    for start in range(0, steps, _BLOCK):
        for i in range(rows):
            for h in range(heads):
                for s in range(start, min(start + _BLOCK, steps)):
                    for d in range(len(sized)):
                        out[i, h, d] += scores[i, h, s] * number(values[s, i, h, d])


def read(q: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
    """Attend from one query per row (q: rows x heads x 1 x size) to the keys and values of prefixes
    (rows x heads x positions x size). In row i, the first `lengths[i]` positions (at least
    1) are valid. Returns rows x 1 x (heads * size)."""
    size = q.shape[-1]
    scores, out = np.empty(keys.shape[2], np.float32), torch.zeros(*q.shape[:2], size)
    arrays = q[:, :, 0].numpy(), seen(keys), seen(values), lengths.numpy()
    _read(*arrays, scores, out.numpy(), sized_as(size))
    return out.flatten(1)[:, None]


def attend_generated(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Attend from one query per row (q: rows x heads x 1 x size) to the keys and values of
    generated tokens (tokens x rows x heads x size). `bias` (heads x tokens) is added to the scores.
    Returns rows x 1 x (heads * size)."""
    size = q.shape[-1]
    scores, out = np.empty((*q.shape[:2], len(keys)), np.float32), torch.zeros(*q.shape[:2], size)
    _score_steps(q[:, :, 0].numpy(), seen(keys), bias.numpy(), scores, sized_as(size))
    _sum_steps(seen(values), scores, out.numpy(), sized_as(size))
    return out.flatten(1)[:, None]


@cache
def sized_as(size: int) -> tuple[int, ...]:
    """Return a tuple of `size` zeros, which tells a kernel the size of a head. Numba knows the
    length of a tuple when it compiles, and a loop of known length is several times as fast."""
    return (0,) * size


def seen(x: Tensor) -> Any:
    return (x.view(torch.uint16) if x.dtype is torch.bfloat16 else x).numpy()
