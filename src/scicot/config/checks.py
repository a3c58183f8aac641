"""Functions that check the values of settings. A settings dataclass calls them when it is
created."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal, get_args

from scicot.errors import UsageError

Precision = Literal["auto", "fp32", "bf16"]

AUTO = "auto"  # value of an option that scicot resolves from the student, the device or the data

_SHOWN = 60  # characters


def check_precision(precision: str, allowed: object = Precision) -> None:
    if precision == "fp16":
        raise UsageError("--precision fp16: T5 overflows in fp16; use bf16 or fp32")
    one_of("precision", precision, allowed)


def one_of(option: str, value: str, allowed: object) -> None:
    """Raise UsageError, with a message about --OPTION, if the value is not allowed by the Literal
    type `allowed`."""
    values = get_args(allowed)
    similar = get_close_matches(value, values, n=1)
    suggestion = f"; did you mean {similar[0]}?" if similar else ""
    require(value in values, option, value, " or ".join(values) + suggestion)


def require(holds: bool, option: str, value: object, requirement: str) -> None:
    if not holds:
        raise UsageError(f"--{option} is {short(value)}; it must be {requirement}")


def short(value: object) -> str:
    """Return a value as text for a message. If the text is longer than _SHOWN characters, return
    its first _SHOWN characters and "..."."""
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
