"""Load models and tokenizers from a directory or the Hub, without running their Python code or
unpickling files.

A repository may name Python files of its own in its config ("auto_map"). By default transformers
asks on standard input whether to run them, so every call here disables this
(trust_remote_code=False).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scicot.devices import return_freed_memory
from scicot.errors import ScicotError, no_room
from scicot.models.families import family_of
from scicot.models.library_bars import hidden_bars
from scicot.sources.hub import hub_answers
from scicot.text import error_line

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def load_tokenizer(directory: Path, subject: str) -> Any:
    """Load the tokenizer in a local directory. Raises ScicotError if it cannot be loaded; the error
    message begins with `subject`."""
    from transformers import AutoTokenizer

    try:
        return _without_copies(
            AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScicotError(f"{subject}: has no tokenizer ({error_line(error)[:200]})") from None


def load(
    loader: Any, name: str, *, subject: str, dtype: Any, **model_options: Any
) -> tuple[Any, Any]:
    """Load a model and its tokenizer from a directory or Hub id, and return both.

    `loader` is an AutoModel class of transformers, `dtype` the torch dtype of the weights, and
    `model_options` are further arguments of `loader.from_pretrained`. Python files that the config
    names are never run. Raises ScicotError, with a message that begins with `subject`, if the model
    cannot be loaded.
    """
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    # Without a network the Hub's client would retry for a minute.
    local_only = Path(name).is_dir() or not hub_answers(name)
    common: dict[str, Any] = {"local_files_only": local_only, "trust_remote_code": False}
    try:
        tokenizer = _without_copies(AutoTokenizer.from_pretrained(name, **common))
        with hidden_bars():
            model = loader.from_pretrained(
                name, dtype=dtype, use_safetensors=True, **common, **model_options
            )
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError,
        RecursionError, SafetensorError,
    ) as error:  # fmt: skip
        if no_room(error):
            raise
        raise ScicotError(f"{subject}: {_reason(error, name, local_only=local_only)}") from None
    return model, tokenizer


def _without_copies(tokenizer: Any) -> Any:
    """Free the Python copies of a tokenizer's vocabulary and merge rules. Returns the tokenizer."""
    # transformers 5 builds the tokenizer from these copies and never reads them again, but keeps
    # them. For Gemma's 262,144 tokens they take 150 MB.
    for name in ("_vocab", "_merges"):
        if isinstance(getattr(tokenizer, name, None), dict | list):
            setattr(tokenizer, name, None)
    return_freed_memory()
    return tokenizer


def load_pretrained(name: str, *, nf4_on: Any = None) -> tuple[Any, Any]:
    """Load a model to be trained as a student, and its tokenizer, from a local directory or a Hub
    id.

    The weights are fp32. With `nf4_on`, a torch.device, the model is loaded to that device and the
    weights of its linear layers are quantised to four bits. Raises ScicotError if the model cannot
    be loaded, or is not a text model that can be trained.
    """
    import torch
    import transformers

    subject = f"student {name}"
    config = read_config(name, subject)
    problem = _unfit(config)
    if problem:
        raise ScicotError(f"{subject}: {problem}")
    loader = getattr(transformers, family_of(config).auto_class)
    # Always fp32: AdamW's small updates would be lost in bf16 weights, and fp16 overflows.
    model_options = {} if nf4_on is None else {**_nf4(), "device_map": {"": nf4_on}}
    return load(loader, name, subject=subject, dtype=torch.float32, **model_options)


def _nf4() -> dict[str, Any]:
    """Return the `from_pretrained` arguments for QLoRA: NF4 weights, double quantisation of their
    scales, and matrix products in bf16."""
    import torch
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": settings}


def is_quantized(model: Any) -> bool:
    """Return True if a model's weights are quantised (to 4 or 8 bits)."""
    return bool(getattr(model, "is_quantized", False) or getattr(model, "is_loaded_in_4bit", False))


def local_directory(name: str, subject: str) -> Path:
    """Return the local folder of a model. `name` is its directory or Hub id. The files of a Hub id
    are downloaded, or found in the cache if the Hub cannot be reached.

    Raises ScicotError, with a message that begins with `subject`, if there is no such model.
    """
    if _is_directory(name, subject):
        return Path(name)
    from huggingface_hub import snapshot_download

    local_only = not hub_answers(name)
    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=local_only))
    except Exception as error:  # noqa: BLE001  (errors of the Hub client or its HTTP library)
        reason = "the Hub cannot be reached" if local_only else error_line(error)[:200]
        raise ScicotError(f"{subject}: cannot be downloaded from the Hub ({reason})") from None


def read_config(name: str, subject: str) -> Any:
    """Load the transformers config of a model, given its directory or Hub id. Raises ScicotError,
    with a message that begins with `subject`, if the config cannot be loaded."""
    from transformers import AutoConfig

    local_only = _is_directory(name, subject) or not hub_answers(name)
    try:
        return AutoConfig.from_pretrained(
            name, local_files_only=local_only, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ScicotError(f"{subject}: {_reason(error, name, local_only=local_only)}") from None


def _is_directory(name: str, subject: str) -> bool:
    """Return True if a model's name is an existing directory, False if it may be a Hub id.

    Raises ScicotError, with a message that begins with `subject`, for a GGUF file and for a name
    that can be neither a directory nor a Hub id.
    """
    directory = bool(name) and Path(name).is_dir()
    gguf = sorted(Path(name).glob("*.gguf")) if directory else []
    if name.endswith(".gguf") or (gguf and not (Path(name) / "config.json").exists()):
        file = gguf[0].name if gguf else Path(name).name
        raise ScicotError(
            f"{subject}: {file} is a GGUF file for llama.cpp; use the original model, with"
            " safetensors weights"
        )
    if not directory and (not name or name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise ScicotError(f"{subject}: there is no such directory")
    return directory


# Reasons why a model cannot be a student, by a part of its architecture's name.
_NO_STUDENTS = {
    "ForMaskedLM": "an encoder-only model, which cannot write text",
    "Classification": "a classifier, which cannot write text",
    "ForQuestionAnswering": "an extractive question-answering model, which cannot write text",
    "ForVision": "a vision model",
    "ForImage": "a vision model",
}
_INSTEAD = "use an encoder-decoder or a causal language model"


def _unfit(config: Any) -> str:
    """Return the reason why a model with this config cannot be a student, or "" if it can."""
    model_type, names = config.model_type, getattr(config, "architectures", None) or []
    quantization = getattr(config, "quantization_config", None)
    if quantization:
        quantization_settings = (
            quantization if isinstance(quantization, dict) else vars(quantization)
        )
        method = quantization_settings.get("quant_method", "unknown method")
        return (
            f"has quantised weights ({method}), which cannot be trained; use the original,"
            " unquantised model"
        )
    if any(getattr(config, f"{sense}_config", None) is not None for sense in ("vision", "audio")):
        return f"is a multimodal model ({model_type}); use a text-only language model"
    for part, reason in _NO_STUDENTS.items():
        if any(part in name for name in names):
            return f"is {reason} ({model_type}); {_INSTEAD}"
    return ""


def _reason(error: Exception, name: str, *, local_only: bool) -> str:
    """Return the reason why a model could not be loaded, with advice for the user. `error` is the
    exception that was raised. `local_only` is True if only local files were tried, because `name`
    is a directory or the Hub cannot be reached."""
    message = " ".join(str(error).split())
    if "trust_remote_code" in message:
        return (
            "needs custom Python code (trust_remote_code), which scicot does not run; use a model"
            " whose code is in transformers"
        )
    if Path(name).is_file():
        return "is a file; give the directory of a model"
    if "deserializing header" in message:
        return f"cannot be loaded: a weights file is damaged or truncated ({message[:200]})"
    if local_only and not Path(name).is_dir():
        return "cannot be loaded (there is no such directory, and the Hub cannot be reached)"
    if "safetensors" in message and ("no file named" in message or "have a file named" in message):
        found = [file.name for kind in _PICKLED for file in sorted(Path(name).glob(kind))]
        if not found and Path(name).is_dir():
            return "has no safetensors weights; copy the model again, or use another one"
        only = f", only {found[0]}" if found else ""
        return (
            f"has no safetensors weights{only}; if you trust it, convert it with transformers'"
            " save_pretrained"
        )
    return f"cannot be loaded ({message[:200]})"
