"""Check whether the native forward passes (models/native) support a model. Only the model's
config.json is needed, and torch is not loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES = ("t5", "mt5", "umt5", "llama", "qwen2", "qwen3", "gemma3_text")
_ROPES = ("default", "linear", "llama3", "yarn")  # types whose angles depend only on the position


def unsupported(config: Mapping[str, Any]) -> str:
    """Return a phrase that says what the native forward passes do not support in a model, such as
    "does not support quantised weights". If the model is supported, return "". `config` is the
    content of the model's config.json."""
    model_type = config["model_type"]
    if model_type not in _TYPES:
        return f"does not support {model_type} students"
    for name, rotary in _rotary(config):
        if name not in _ROPES:
            return f"does not support rotary position embeddings of type {name}"
        if rotary.get("partial_rotary_factor", 1) != 1:
            return "does not support partial rotary position embeddings"
    if config.get("mlp_bias"):
        return "does not support biases in feed-forward layers"
    if config.get("use_bidirectional_attention"):
        return "does not support decoders with bidirectional attention"
    if config.get("quantization_config"):
        return "does not support quantised weights"
    return ""


def _rotary(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield pairs such as ("linear", {"rope_type": "linear", "factor": 8.0}): a type of rotary
    positions, and the settings of this type. Most models have one pair. Gemma 3 has two pairs: one
    for layers with full attention, one for layers with sliding attention."""
    settings = config.get("rope_parameters") or config.get("rope_scaling") or {}
    nested = settings and all(isinstance(part, Mapping) for part in settings.values())
    for part in settings.values() if nested else [settings]:
        yield str(part.get("rope_type") or part.get("type") or "default"), part
