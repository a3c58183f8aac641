"""Pretrained students and trained ones, from disk or the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scicot import pretrained
from scicot.errors import ScicotError


def load_pretrained(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) of a local directory or a Hub id; ScicotError saying what is wrong."""
    import torch
    from transformers import AutoModelForSeq2SeqLM

    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ScicotError(f"student {name}: there is no such directory")
    # fp32 whatever the file holds: AdamW's steps vanish in bf16 weights, and fp16 overflows.
    return pretrained.load(AutoModelForSeq2SeqLM, name, what=f"student {name}", dtype=torch.float32)
