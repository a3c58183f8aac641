"""What settings are checked with, when they are made."""

from __future__ import annotations

from typing import Literal, get_args

from scicot.errors import ScicotError

Precision = Literal["auto", "fp32", "bf16"]

AUTO = "auto"  # the value of an option that is decided when it is known what it is for

_SHOWN = 60  # characters


def check_precision(precision: str, known: object = Precision) -> None:
    if precision == "fp16":
        raise ScicotError("--precision fp16: T5 overflows in fp16; take bf16 or fp32")
    one_of("precision", precision, known)


def one_of(option: str, value: str, known: object) -> None:
    """`known` is a Literal, of the values that the option may have."""
    require(value in get_args(known), option, value, " or ".join(get_args(known)))


def require(holds: bool, option: str, value: object, wanted: str) -> None:
    if not holds:
        raise ScicotError(f"--{option} is {short(value)}; it must be {wanted}")


def short(value: object) -> str:
    """A value as a message shows it."""
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
