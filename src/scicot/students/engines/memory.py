"""What happens where a device's memory does not suffice."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TypeVar

from scicot.devices import release_memory
from scicot.errors import ScicotError

Result = TypeVar("Result")

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h has them


def keep_freed() -> None:
    """Have the C library keep what is freed for what is allocated next. glibc gives large pieces
    back to the system at once, which fills the next ones with zeros: an engine on a CPU takes up to
    half as long again for that. Nothing on other systems."""
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(_MMAP_THRESHOLD, 2**25)  # the most it takes
    except (OSError, AttributeError):
        pass


def with_less_each_time(work: Callable[[], Result], halve: Callable[[], bool]) -> Result:
    """work(), again after each halve() for as long as memory is lacking; ScicotError where nothing
    is left to halve, which halve() says by False."""
    import torch

    while True:
        try:
            return work()
        except torch.OutOfMemoryError:
            if not halve():
                raise lacking() from None
        release_memory()


def lacking() -> ScicotError:
    """Where not even one sequence fits."""
    return ScicotError(
        "the device has not enough memory for a single sequence; shorten what is read or"
        " written (--max-new-tokens), or take --device cpu"
    )
