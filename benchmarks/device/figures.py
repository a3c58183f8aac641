"""Record the figures of a section on disk immediately, with a description of the machine."""

from __future__ import annotations

import json
import os
import platform
import random
import time
from pathlib import Path
from typing import Any

SMOKE = bool(os.environ.get("SMOKE"))  # tiny sizes, to test the script itself


class Figures:
    """A JSON object in a file, which is rewritten with each addition."""

    def __init__(self, file: Path, section: str) -> None:
        self._file = file
        self._start = time.monotonic()
        self._found: dict[str, Any] = {"section": section, "smoke": SMOKE, **machine()}
        self.add()

    def add(self, **figures: Any) -> None:
        """Add figures, and the seconds elapsed."""
        self._found |= {**figures, "seconds": round(time.monotonic() - self._start, 1)}
        self._file.write_text(json.dumps(self._found, indent=1) + "\n")
        if figures:
            print(json.dumps(figures), flush=True)


def machine() -> dict[str, Any]:
    """Describe the device and the versions of the packages that are measured."""
    import torch
    import transformers

    cuda = torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name(0) if cuda else platform.processor() or "cpu",
        "cuda": cuda,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }


def device() -> Any:
    """Return the first GPU, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def peak(dtype: Any) -> float:
    """Measure the FLOP/s of a large matrix product on the device."""
    import torch

    size, on_device = (512 if SMOKE else 8192 if torch.cuda.is_available() else 2048), device()
    matrix = torch.randn(size, size, device=on_device).to(dtype)
    best = 0.0
    for _ in range(5):
        settle()
        start = time.perf_counter()
        for _ in range(4):
            matrix @ matrix
        settle()
        best = max(best, 4 * 2 * size**3 / (time.perf_counter() - start))
    return best


def settle() -> None:
    """Wait until the GPU has finished."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def random_ids(count: int, length: int, vocabulary: int) -> list[list[int]]:
    """Return the token ids of `count` reproducible random texts without special tokens."""
    rng = random.Random(0)
    return [[rng.randrange(3, vocabulary) for _ in range(length)] for _ in range(count)]


def flan_t5_base() -> Any:
    """Make a model of flan-t5-base's shape (248 million weights) with random weights."""
    from transformers import T5Config, T5ForConditionalGeneration

    shape: dict[str, Any] = {
        "d_model": 768,
        "d_kv": 64,
        "d_ff": 2048,
        "num_layers": 12,
        "num_heads": 12,
    }
    if SMOKE:
        shape = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    config = T5Config(  # type: ignore[call-arg]
        **shape, vocab_size=1024 if SMOKE else 32128, feed_forward_proj="gated-gelu",
        tie_word_embeddings=False, decoder_start_token_id=0,
    )  # fmt: skip
    return T5ForConditionalGeneration(config)


def gemma() -> Any:
    """Make a model of Gemma 3 270M's shape with random weights. Its vocabulary has only 40,410
    tokens, so it has 126 million weights."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    shape: dict[str, Any] = {
        "hidden_size": 640, "intermediate_size": 2048, "num_hidden_layers": 18,
        "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "sliding_window": 512,
        "vocab_size": 40_410,
    }  # fmt: skip
    if SMOKE:
        shape |= {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
        shape |= {"num_attention_heads": 2, "head_dim": 32, "vocab_size": 1024}
    config = Gemma3TextConfig(**shape, pad_token_id=0, eos_token_id=1, bos_token_id=2)
    return Gemma3ForCausalLM(config)


MODELS = {"flan-t5-base": flan_t5_base, "gemma": gemma}
