"""Find the largest batch that fits in memory, by trial, and turn out-of-memory errors into one-line
messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from scicot.config import TrainSettings
from scicot.devices import release_memory, resolve_device
from scicot.errors import ScicotError
from scicot.models.families import family_of
from scicot.out_of_memory import is_out_of_memory
from scicot.training.fitting.compute import uses_bf16, weights_of
from scicot.training.fitting.loss import TargetLoss

_LEAST, _MOST = 1024, 1 << 20  # tokens of a batch
_KEPT = 0.8  # share of the measured maximum that is used: batches differ, and memory fragments
_ON_CPU = 16_384  # maximum on CPUs, where larger batches are no faster


class OutOfMemory(ScicotError):
    """Raised when a device does not have enough memory for a batch."""

    of_one_process = True


@contextmanager
def out_of_memory_explained(settings: TrainSettings, device: torch.device) -> Iterator[None]:
    """Turn out-of-memory errors in this context into OutOfMemory errors, whose one-line message
    suggests other settings."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        tries = [f"--accumulate {2 * (settings.accumulate or 4)}"]
        if not settings.gradient_checkpointing:
            tries.append("--gradient-checkpointing")
        tries += ["fewer --max-source-tokens", "a smaller student"]
        raise OutOfMemory(
            f"out of memory on {device}, --batch-size {settings.batch_size}; try"
            f" {', '.join(tries[:-1])} or {tries[-1]}"
        ) from None


def tokens_that_fit(model: Any, longest: tuple[int, int], settings: TrainSettings) -> int:
    """Find by trial how many tokens of input and target, with padding, fit in a training batch.

    Batches of rows with the `longest` (input, target) lengths are passed forward and backward
    through the model, without changing its weights. The number of rows is doubled until memory runs
    out, or until the next batch would have too many tokens. The limit is _MOST tokens on CUDA and
    _ON_CPU tokens elsewhere. On CUDA, the result is reduced by a safety margin. Raises OutOfMemory
    if the first batch does not fit.
    """
    device = resolve_device(settings.device)
    model.to(device).train()
    target_loss = TargetLoss(model, bf16=uses_bf16(model, settings))
    max_tokens = _MOST if device.type == "cuda" else _ON_CPU
    found, rows = 0, max(1, _LEAST // sum(longest))
    with out_of_memory_explained(settings, device):
        # takes the memory that AdamW's two moments will need
        moments = torch.empty(2 * weights_of(model), device=device)
        while not found or rows * sum(longest) <= max_tokens:
            try:
                _try(model, target_loss, rows, longest)
            except (RuntimeError, MemoryError) as error:
                if not found or not is_out_of_memory(error):
                    raise
                break
            found = rows * sum(longest)
            rows *= 2
        del moments
    model.zero_grad()
    release_memory()
    return int(found * (_KEPT if device.type == "cuda" else 1))


def _try(model: Any, target_loss: TargetLoss, rows: int, longest: tuple[int, int]) -> None:
    batch = family_of(model.config).trial_batch(rows, longest, model.device)
    target_loss(model, batch).backward()  # type: ignore[no-untyped-call]
