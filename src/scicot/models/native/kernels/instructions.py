"""Scalar functions for numba kernels: bit conversions, bf16 rounding and exponentials, written so
that LLVM can vectorise them."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

f32 = np.float32


def kernel(function: Any) -> Any:
    """Decorate a function to be compiled by numba at its first call. The machine code is cached on
    disk if possible. The compiler may reorder sums, but NaN inputs still give NaN."""
    options: dict[str, Any] = {
        "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"},
        "nogil": True,
        "error_model": "numpy",
    }
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba finds no writable folder for its cache
        return njit(**options)(function)


def _instruction(result_type: Any, argument_type: Any, emit: Any) -> Any:
    @intrinsic
    def one(typing_context: Any, x: Any) -> Any:  # noqa: ARG001
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
            return emit(builder, arguments[0])

        return result_type(argument_type), generate

    return one


def _rounded_half(builder: Any, x: Any) -> Any:
    upper = builder.lshr(x, ir.Constant(_INT, 16))
    odd = builder.and_(upper, ir.Constant(_INT, 1))
    nearer = builder.add(builder.add(x, ir.Constant(_INT, 0x7FFF)), odd)
    return builder.trunc(builder.lshr(nearer, ir.Constant(_INT, 16)), ir.IntType(16))


_INT, _FLOAT = ir.IntType(32), ir.FloatType()
bits = _instruction(types.int32, types.float32, lambda b, x: b.bitcast(x, _INT))
of_bits = _instruction(types.float32, types.int32, lambda b, x: b.bitcast(x, _FLOAT))
real = _instruction(types.float32, types.int32, lambda b, x: b.sitofp(x, _FLOAT))
byte = _instruction(types.int8, types.float32, lambda b, x: b.fptosi(x, ir.IntType(8)))
# Widen bf16 bits to fp32 by shifting them into the upper half.
widened = _instruction(
    types.float32,
    types.uint16,
    lambda b, x: b.bitcast(b.shl(b.zext(x, _INT), ir.Constant(_INT, 16)), _FLOAT),
)
# Round to the upper 16 bits, to nearest, ties to even.
_upper = _instruction(types.uint16, types.int32, lambda b, x: _rounded_half(b, x))
nearest = _instruction(
    types.float32,
    types.float32,
    lambda b, x: b.call(b.module.declare_intrinsic("llvm.rint", [_FLOAT]), [x]),
)
# 2^n for an integer n from -126 to 127: shift n into the exponent bits.
_power = _instruction(
    types.float32,
    types.float32,
    lambda b, n: b.bitcast(
        b.shl(b.add(b.fptosi(n, _INT), ir.Constant(_INT, 127)), ir.Constant(_INT, 23)), _FLOAT
    ),
)


@kernel
def to_bf16(x):  # type: ignore[no-untyped-def]
    """Round the fp32 number x to bf16, and return its bits as uint16."""
    return _upper(bits(x)) if x == x else np.uint16(0x7FC0)


@kernel
def exp2(x):  # type: ignore[no-untyped-def]
    """Return 2^x with a relative error below 3e-7. x is clamped to the range from -120 to 120; NaN
    gives NaN."""
    x = f32(-120) if x < f32(-120) else x
    x = f32(120) if x > f32(120) else x
    integer = nearest(x)
    r = x - integer
    p = f32(1.5403530e-4) * r + f32(1.3333558e-3)  # (r log 2)^n / n!
    p = p * r + f32(9.6181291e-3)
    p = p * r + f32(5.5504109e-2)
    p = p * r + f32(2.4022651e-1)
    p = p * r + f32(6.9314718e-1)
    p = p * r + f32(1)
    return p * _power(integer)
