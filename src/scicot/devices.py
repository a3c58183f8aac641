"""Select the device and the precision of a student, and manage the memory of the process."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from scicot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch


def resolve_device(name: str) -> torch.device:
    """Return the torch device with this name; "auto" is CUDA if available, else the CPU. Raises
    UsageError for a device that is not available."""
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
    """Return the number of CPU cores that this process may use: the size of its CPU affinity, or
    all cores on systems without affinity, such as macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def release_memory() -> None:
    """Collect garbage, and return unused GPU memory to the device, where other processes can use
    it. The garbage collector is needed because a Trainer and its optimizer refer to each other."""
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # constants of malloc.h
LARGEST_BLOCK = 2**25  # the largest value that glibc accepts for _MMAP_THRESHOLD
_PAGEOUT = 21  # MADV_PAGEOUT of sys/mman.h


def keep_freed_memory(smaller_than: int = LARGEST_BLOCK) -> None:
    """Make the C library keep freed blocks of fewer than `smaller_than` bytes for later
    allocations. Does nothing on systems without glibc."""
    import ctypes

    # By default glibc returns large blocks to the system as soon as they are freed, and the system
    # fills every new block with zeros. Inference on a CPU then takes up to 50 % longer.
    try:
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        library.mallopt(_MMAP_THRESHOLD, smaller_than)
    except (OSError, AttributeError):
        pass


def return_freed_memory() -> None:
    """Make the C library release its unused memory to the operating system. Does nothing on systems
    without glibc."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def release_pages(tensors: Iterable[torch.Tensor]) -> None:
    """Let the system reclaim the memory of CPU tensors that are not needed for now. The tensors
    stay valid: the system reads their values from the disk when they are used again.

    Memory of tensors that are not mapped from a file is reclaimed only if there is swap space. Does
    nothing on systems without MADV_PAGEOUT, which Linux has since 5.4.
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
    """Return True if a device type ("cpu", "cuda") has bf16 instructions; on a CPU these are
    AVX512_BF16 or AMX. Other devices emulate bf16, which is slower than fp32."""
    import torch

    if device == "cpu":
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def multiplies_int8() -> bool:
    """Return True if this CPU has instructions that accumulate int8 products in 32 bits
    (AVX512_VNNI, AVX_VNNI or AMX). Other x86 CPUs add two products in 16 bits, which overflows for
    large values."""
    import torch

    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype of a student's weights on a device. `precision` is "fp32", "bf16" or "auto".
    "auto" is bf16 on a GPU with bf16 instructions, else fp32.

    fp16 is not offered, because T5's activations overflow in it.
    """
    import torch

    if precision == "auto":
        bf16 = device.type != "cpu" and multiplies_bf16(device.type)
        return torch.bfloat16 if bf16 else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


# The number of weights from which "auto" trains in bf16 on a CPU. Smaller students train hardly
# faster in bf16, and the smallest students answer worse after it.
LARGE = 10_000_000


def training_precision(precision: str, device: torch.device, weights: int) -> torch.dtype:
    """Return the dtype of matrix products in training; the weights themselves are always fp32.

    `precision` is "fp32", "bf16" or "auto". `weights` is the student's number of weights. "auto" is
    fp32 on a device without bf16 instructions, and on a CPU for students with fewer than LARGE
    weights. In all other cases it is bf16.
    """
    import torch

    if precision == "auto" and device.type == "cpu":
        bf16 = weights >= LARGE and multiplies_bf16("cpu")
        return torch.bfloat16 if bf16 else torch.float32
    return resolve_precision(precision, device)
