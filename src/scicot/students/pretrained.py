"""Models and tokenizers from disk or the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scicot.errors import ScicotError
from scicot.sources.hub import hub_answers


def load_pretrained(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) of a local directory or a Hub id; ScicotError saying what is wrong."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ScicotError(f"student {name}: there is no such directory")
    # The Hub's client would retry for a minute where there is no network.
    here = Path(name).is_dir() or not hub_answers(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=here)
        # fp32 whatever the file holds: AdamW's steps vanish in bf16 weights, and fp16 overflows.
        model = AutoModelForSeq2SeqLM.from_pretrained(
            name, dtype=torch.float32, local_files_only=here
        )
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError,
        SafetensorError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200]
        if here and not Path(name).is_dir():
            reason = "there is no such directory, and the Hub cannot be reached"
        raise ScicotError(f"student {name}: cannot be loaded ({reason})") from None
    return model, tokenizer
