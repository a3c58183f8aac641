"""Detect out-of-memory errors and retry work in smaller batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from scicot.devices import release_memory
from scicot.errors import ScicotError

Result = TypeVar("Result")

_SAID = ("can't allocate memory", "not enough memory")  # messages of torch's CPU allocator


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an error means that the GPU or the machine has run out of memory."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _SAID)


def retry_with_less(work: Callable[[], Result], halve: Callable[[], bool]) -> Result:
    """Call work() and return its result. If it runs out of memory, call halve(), which must make
    the batches of work() smaller, and then call work() again.

    Raises ScicotError once halve() returns False, which means that the batches cannot get smaller.
    """
    while True:
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if not halve():
            raise ScicotError(
                "not enough device memory for a single sequence; shorten the inputs, lower"
                " --max-new-tokens or, on a GPU, use --device cpu"
            )
        release_memory()
