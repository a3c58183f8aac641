"""Where a student runs, and in which precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scicot.errors import ScicotError

if TYPE_CHECKING:
    import torch


def resolve_device(name: str) -> torch.device:
    """ "auto" is CUDA when available, else the CPU; ScicotError for a device that is not there."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):  # torch says "not compiled with CUDA" by assertion
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ScicotError(f"--device {name}: not available here; try auto or cpu")
    return device


def release_memory() -> None:
    """Leave the memory of what is not used any more to others: of a Trainer too, which it and its
    optimizer would hold for one another."""
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """The type of the weights: "auto" is bf16 where CUDA has it, else fp32.

    fp16 is no choice: T5's activations overflow in it.
    """
    import torch

    if precision == "auto":
        # Older GPUs emulate bf16, slower than they do fp32.
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


# A CPU trains students of fewer weights hardly faster in bf16, and the smallest ones answer worse.
_LARGE = 10_000_000


def training_precision(precision: str, device: torch.device, weights: int) -> torch.dtype:
    """The type that matrices are multiplied in while the weights, so many, are fp32: "auto" is bf16
    where the device has instructions for it, a CPU too (AVX512_BF16 or AMX) for a student that is
    large enough, else fp32."""
    import torch

    if precision == "auto" and device.type == "cpu":
        # Older versions of torch cannot tell.
        known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        fast = known.get("avx512_bf16") or known.get("amx_bf16")
        return torch.bfloat16 if fast and weights >= _LARGE else torch.float32
    return resolve_precision(precision, device)
