"""Student's t distribution with any positive number of degrees of freedom, including fractions."""

from __future__ import annotations

import math
from functools import lru_cache

_STEPS = 100_000  # upper limit, far above the number of steps that _fraction needs
_TINY = 1e-300


def student_tail(value: float, freedom: float) -> float:
    """Return P(T > value) for Student's t distribution with `freedom` degrees of freedom. `value`
    must not be negative."""
    square = value * value
    return 0.5 * _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + square), square)


@lru_cache(maxsize=256)
def student_quantile(share: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution with `freedom` degrees of freedom. The
    quantile is exceeded with probability 1 - `share`. `share` must be at least 0.5 and below 1."""
    # The quantile is found by bisection.
    low, high = 0.0, 1.0
    while student_tail(high, freedom) > 1 - share:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        if student_tail(middle, freedom) > 1 - share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float, square: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b) (DLMF 8.17). `square` is the
    squared t value, and `x` is 2a / (2a + `square`)."""
    # `rest` is 1 - x. If x is near 1, the subtraction would lose digits, so `square` is used.
    rest = square / (2 * a + square)
    if rest in (0, 1):
        return 1.0 - rest
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log1p(-rest) + b * math.log(rest))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's
    method."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
