"""The operations of models/native/int8.py as numba kernels, each in one pass over memory.

Maxima are computed on the bit patterns of the floats, taken as integers: positive floats sort like
their bit patterns, and the compiler vectorises integer maxima.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scicot.models.native.kernels.instructions import (
    bits,
    byte,
    exp2,
    f32,
    kernel,
    nearest,
    of_bits,
    real,
    to_bf16,
)


@kernel
def _round_row(x, into):  # type: ignore[no-untyped-def]
    """Quantise the row x to int8, write the result to `into`, and return the row's scale."""
    max_bits = np.int32(0)
    for j in range(len(x)):
        max_bits = max(max_bits, bits(abs(x[j])))
    maximum = of_bits(max_bits) + f32(1e-30)  # so that the scale of a zero row is not 0
    times = f32(127) / maximum
    for j in range(len(x)):
        into[j] = byte(nearest(x[j] * times))
    return maximum / f32(127)


@kernel
def _rounded(x, into, scales):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        scales[i] = _round_row(x[i], into[i])


@kernel
def _normed_rounded(x, eps, into, scales):  # type: ignore[no-untyped-def]
    size = x.shape[1]
    for i in range(len(x)):
        squares = f32(0)
        for j in range(size):
            squares += x[i, j] * x[i, j]
        scales[i] = _round_row(x[i], into[i]) / np.sqrt(squares / f32(size) + eps)


@kernel
def _normed_bf16(x, eps, into):  # type: ignore[no-untyped-def]
    size = x.shape[1]
    for i in range(len(x)):
        squares = f32(0)
        for j in range(size):
            squares += x[i, j] * x[i, j]
        times = f32(1) / np.sqrt(squares / f32(size) + eps)
        for j in range(size):
            into[i, j] = to_bf16(x[i, j] * times)


@kernel
def _scaled(product, rows, columns, out):  # type: ignore[no-untyped-def]
    for i in range(len(product)):
        for j in range(product.shape[1]):
            out[i, j] = real(product[i, j]) * (rows[i] * columns[j])


@kernel
def _added(product, rows, columns, to):  # type: ignore[no-untyped-def]
    for i in range(len(product)):
        for j in range(product.shape[1]):
            to[i, j] += real(product[i, j]) * (rows[i] * columns[j])


@kernel
def _gated(product, rows, columns, linear, cubic, row, into, scales):  # type: ignore[no-untyped-def]
    """Dequantise an int32 product, and compute
    gate * value / (1 + 2^(linear * gate + cubic * gate^3)). Here, gate is the first half of the
    product's columns, and value the second half. Write the quantised result to `into` (int8) and
    `scales`.

    `rows` and `columns` are the scales of the product's rows and columns. `row` is a buffer for one
    row of results.
    """
    size = len(row)
    for i in range(len(product)):
        for j in range(size):
            gate = real(product[i, j]) * (rows[i] * columns[j])
            value = real(product[i, size + j]) * (rows[i] * columns[size + j])
            slope = linear + cubic * gate * gate
            row[j] = gate * value / (f32(1) + exp2(gate * slope))
        scales[i] = _round_row(row, into[i])


def rounded(x: Tensor, eps: float | None) -> tuple[Tensor, Tensor]:
    into, scales = _like(x, x.shape[1])
    if eps is None:
        _rounded(x.numpy(), into.numpy(), scales.numpy())
    else:
        _normed_rounded(x.numpy(), f32(eps), into.numpy(), scales.numpy())
    return into, scales


def normed_bf16(x: Tensor, eps: float) -> Tensor:
    """Return x / rms(x), rounded to bf16, with rms over the last axis. `eps` is added to the mean
    square."""
    into = torch.empty(x.shape, dtype=torch.bfloat16)
    rows = x.reshape(-1, x.shape[-1]).numpy()
    _normed_bf16(rows, f32(eps), into.view(-1, x.shape[-1]).view(torch.uint16).numpy())
    return into


def scaled(product: Tensor, rows: Tensor, columns: Tensor, out: Tensor) -> None:
    _scaled(product.numpy(), rows.numpy(), columns.numpy(), out.numpy())


def added(product: Tensor, rows: Tensor, columns: Tensor, to: Tensor) -> None:
    _added(product.numpy(), rows.numpy(), columns.numpy(), to.numpy())


def gated_gelu_new(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    # gelu_new(x) = x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x^3)))
    return _gated_by(f32(-2.302208198), f32(-0.1029432397), product, rows, columns)


def gated_silu(product: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    return _gated_by(f32(-1.4426950408889634), f32(0), product, rows, columns)


def _gated_by(
    linear: f32, cubic: f32, product: Tensor, rows: Tensor, columns: Tensor
) -> tuple[Tensor, Tensor]:
    size = product.shape[1] // 2
    into, scales = _like(product, size)
    row = np.empty(size, np.float32)
    arrays = product.numpy(), rows.numpy(), columns.numpy()
    _gated(*arrays, linear, cubic, row, into.numpy(), scales.numpy())
    return into, scales


def _like(x: Tensor, size: int) -> tuple[Tensor, Tensor]:
    return torch.empty((len(x), size), dtype=torch.int8), torch.empty(len(x))
