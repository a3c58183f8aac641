"""Load models and tokenizers from a directory or the Hub, without their Python code or pickles.

A repository may name Python files of its own in its config ("auto_map"). transformers asks on
standard input whether to run them unless it is told not to, so every call says so here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scicot.errors import ScicotError, no_room
from scicot.sources.hub import hub_answers

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def load(loader: Any, name: str, *, what: str, dtype: Any) -> tuple[Any, Any]:
    """(model, tokenizer) of a directory or Hub id, by an AutoModel class of transformers.

    Where transformers has the architecture itself, its own code is used, whatever the config names
    beside it. `what` begins the message of the ScicotError that says why a model cannot be loaded.
    """
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    # The Hub's client would retry for a minute where there is no network.
    here = Path(name).is_dir() or not hub_answers(name)
    common: dict[str, Any] = {"local_files_only": here, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **common)
        model = loader.from_pretrained(name, dtype=dtype, use_safetensors=True, **common)
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError,
        RecursionError, SafetensorError,
    ) as error:  # fmt: skip
        if no_room(error):
            raise
        raise ScicotError(f"{what}: {_reason(error, name, here=here)}") from None
    return model, tokenizer


def load_pretrained(name: str) -> tuple[Any, Any]:
    """(model, tokenizer) of a student: a local directory or a Hub id.

    Raises ScicotError that says what is wrong.
    """
    import torch
    from transformers import AutoModelForSeq2SeqLM

    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ScicotError(f"student {name}: there is no such directory")
    # fp32 whatever the file holds: AdamW's steps vanish in bf16 weights, and fp16 overflows.
    return load(AutoModelForSeq2SeqLM, name, what=f"student {name}", dtype=torch.float32)


def _reason(error: Exception, name: str, *, here: bool) -> str:
    """What is wrong with a model, and what to do."""
    said = " ".join(str(error).split())
    if "trust_remote_code" in said:
        return (
            "brings its own Python code, and models that do are not run; take one that"
            " transformers has the code of"
        )
    if here and not Path(name).is_dir():
        return "cannot be loaded (there is no such directory, and the Hub cannot be reached)"
    if "safetensors" in said and ("no file named" in said or "have a file named" in said):
        found = [file.name for kind in _PICKLED for file in sorted(Path(name).glob(kind))]
        return (
            "only safetensors weights are read, and it has"
            + (f" {found[0]}" if found else " none")
            + "; convert it, where you trust it, with transformers' save_pretrained"
        )
    return f"cannot be loaded ({said[:200]})"
