"""Resolve the "auto" values of device, precision and attention for a training run."""

from __future__ import annotations

from typing import Any

import torch

from scicot.config import TrainSettings
from scicot.devices import resolve_device, training_precision
from scicot.models.families import family_of


def compute_settings(model: Any, settings: TrainSettings) -> dict[str, str]:
    """Return the "device", "precision" and "attention" that a training run uses, with "auto"
    resolved."""
    device = resolve_device(settings.device)
    return {
        "device": device.type,
        "precision": "bf16" if uses_bf16(model, settings) else "fp32",
        "attention": attention(model, settings, device),
    }


def uses_bf16(model: Any, settings: TrainSettings) -> bool:
    """Return True if a model's matrix multiplications run in bf16 in training, rather than in
    fp32."""
    device = resolve_device(settings.device)
    return training_precision(settings.precision, device, weights_of(model)) is torch.bfloat16


def attention(model: Any, settings: TrainSettings, device: torch.device) -> str:
    """Return the attention implementation in `settings`, with "auto" resolved. On a CPU, "auto" is
    the faster implementation for the model's family, as measured by `python -m benchmarks.training
    attention`. On other devices, "auto" is "sdpa"."""
    if settings.attention != "auto":
        return settings.attention
    return family_of(model.config).cpu_attention if device.type == "cpu" else "sdpa"


def weights_of(model: Any) -> int:
    """Return the number of parameters of a model."""
    return sum(weight.numel() for weight in model.parameters())
