"""Attention of a single query: nothing but reading keys and values, each once, in their order.

Keys and values are fp32, or bf16 as uint16. Scores are not divided by anything, as in T5.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scicot.students.engines.t5.kernels.instructions import exp2, f32, kernel, widened

_LOG2_E = f32(1.4426950408889634)
_BLOCK = 8  # steps that are read side by side while a query stays in the registers


@kernel
def _plain(x):  # type: ignore[no-untyped-def]
    return x


# Of a type, as the kernels see it -> fp32.
_NUMBERS = {torch.float32: _plain, torch.bfloat16: widened}


@kernel
def _softmax(scores, count):  # type: ignore[no-untyped-def]
    top = scores[0]
    for s in range(1, count):
        top = max(top, scores[s])
    total = f32(0)
    for s in range(count):
        scores[s] = exp2((scores[s] - top) * _LOG2_E)
        total += scores[s]
    for s in range(count):
        scores[s] /= total


@cache
def _reading(kind: torch.dtype, size: int) -> Any:
    """The kernel of `read` for keys of a type and a size, which the compiler has to know."""
    number = _NUMBERS[kind]

    @kernel
    def run(q, keys, values, lengths, scores, out):  # type: ignore[no-untyped-def]
        for i in range(len(q)):
            for h in range(q.shape[1]):
                for s in range(lengths[i]):
                    score = f32(0)
                    for d in range(size):
                        score += q[i, h, d] * number(keys[i, h, s, d])
                    scores[s] = score
                _softmax(scores, lengths[i])
                for s in range(lengths[i]):
                    for d in range(size):
                        out[i, h, d] += scores[s] * number(values[i, h, s, d])

    return run


@cache
def _scoring(kind: torch.dtype, size: int) -> Any:
    """The first half of `own`: probabilities of the steps."""
    number = _NUMBERS[kind]

    @kernel
    def run(q, keys, bias, scores):  # type: ignore[no-untyped-def]
        steps, rows, heads = keys.shape[:3]
        for start in range(0, steps, _BLOCK):
            for i in range(rows):
                for h in range(heads):
                    for s in range(start, min(start + _BLOCK, steps)):
                        score = f32(0)
                        for d in range(size):
                            score += q[i, h, d] * number(keys[s, i, h, d])
                        scores[i, h, s] = score + bias[h, s]
        for i in range(rows):
            for h in range(heads):
                _softmax(scores[i, h], steps)

    return run


@cache
def _summing(kind: torch.dtype, size: int) -> Any:
    """The second half: the sum of the values."""
    number = _NUMBERS[kind]

    @kernel
    def run(values, scores, out):  # type: ignore[no-untyped-def]
        steps, rows, heads = values.shape[:3]
        for start in range(0, steps, _BLOCK):
            for i in range(rows):
                for h in range(heads):
                    for s in range(start, min(start + _BLOCK, steps)):
                        for d in range(size):
                            out[i, h, d] += scores[i, h, s] * number(values[s, i, h, d])

    return run


def read(q: Tensor, keys: Tensor, values: Tensor, lengths: Tensor) -> Tensor:
    """Queries (rows x heads x 1 x size), keys and values (rows x heads x places x size), how many
    of the places each row has, 1 at least -> rows x 1 x width."""
    run = _reading(keys.dtype, q.shape[-1])
    scores, out = np.empty(keys.shape[2], np.float32), torch.zeros(*q.shape[:2], q.shape[-1])
    run(q[:, :, 0].numpy(), _seen(keys), _seen(values), lengths.numpy(), scores, out.numpy())
    return out.flatten(1)[:, None]


def own(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Queries (rows x heads x 1 x size), keys and values (steps x rows x heads x size), what is
    added to their scores (heads x steps) -> rows x 1 x width."""
    kind, size = keys.dtype, q.shape[-1]
    scores, out = np.empty((*q.shape[:2], len(keys)), np.float32), torch.zeros(*q.shape[:2], size)
    _scoring(kind, size)(q[:, :, 0].numpy(), _seen(keys), bias.numpy(), scores)
    _summing(kind, size)(_seen(values), scores, out.numpy())
    return out.flatten(1)[:, None]


def _seen(x: Tensor) -> Any:
    return (x.view(torch.uint16) if x.dtype is torch.bfloat16 else x).numpy()
