"""Select the device and the precision of a student."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from scicot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch


def resolve_device(name: str) -> torch.device:
    """Return the device; "auto" is CUDA if available, else the CPU. Raises ScicotError for a device
    that is not available."""
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # torch raises AssertionError if it was not compiled with CUDA
    except (RuntimeError, AssertionError):
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"--device {name}: not available here; try auto or cpu")
    return device


def cores() -> int:
    """Return the number of CPU cores available to this process: its CPU affinity, or all cores on
    systems without affinity, such as macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def release_memory() -> None:
    """Free unused memory for other processes. Runs the garbage collector first, since a Trainer and
    its optimizer refer to each other."""
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # constants of malloc.h
_PAGEOUT = 21  # MADV_PAGEOUT of sys/mman.h


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for the next allocation.

    glibc returns large blocks to the system at once, and new ones have to be filled with zeros: an
    engine on a CPU takes up to half as long again for that. Does nothing on other systems.
    """
    import ctypes

    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(_MMAP_THRESHOLD, 2**25)  # the largest value that glibc accepts
    except (OSError, AttributeError):
        pass


def return_freed_memory() -> None:
    """Return the memory that the C library keeps for later allocations to the system. Does nothing
    on systems without glibc."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def release_pages(tensors: Iterable[torch.Tensor]) -> None:
    """Let the system take back the memory of CPU tensors that are not needed any more but still
    referred to. Weights mapped from a file are read from the disk again if they are used after all.

    Does nothing on systems without MADV_PAGEOUT (Linux has it since 5.4), nor for memory that is
    not backed by a file unless there is swap space.
    """
    import ctypes
    import mmap

    try:
        madvise = ctypes.CDLL("libc.so.6").madvise
    except (OSError, AttributeError):
        return
    for tensor in tensors:
        begin = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (tensor.data_ptr() + tensor.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if tensor.device.type == "cpu" and begin < end:
            madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _PAGEOUT)


def multiplies_bf16(device: str) -> bool:
    """Return True if a device type ("cpu", "cuda") has bf16 instructions (on a CPU AVX512_BF16 or
    AMX). Devices without them emulate bf16, which is slower than fp32."""
    import torch

    if device == "cpu":
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def multiplies_int8() -> bool:
    """Return True if this CPU accumulates int8 products in 32 bits (AVX512_VNNI, AVX_VNNI or AMX).
    Other x86 CPUs add two products in 16 bits, which overflows for large values."""
    import torch

    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype of the weights; "auto" is bf16 where CUDA supports it, else fp32.

    fp16 is not offered: T5's activations overflow in it.
    """
    import torch

    if precision == "auto":
        bf16 = device.type != "cpu" and multiplies_bf16(device.type)
        return torch.bfloat16 if bf16 else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


# On a CPU, training a smaller student is hardly faster in bf16, and the smallest ones answer worse.
LARGE = 10_000_000


def training_precision(precision: str, device: torch.device, weights: int) -> torch.dtype:
    """Return the dtype of matrix products in training, with fp32 weights. "auto" is bf16 if the
    device has bf16 instructions, on a CPU only for a student with enough `weights`, else fp32."""
    import torch

    if precision == "auto" and device.type == "cpu":
        bf16 = weights >= LARGE and multiplies_bf16("cpu")
        return torch.bfloat16 if bf16 else torch.float32
    return resolve_precision(precision, device)
