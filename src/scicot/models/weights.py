"""Hash and count the weights of a model directory without loading them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

# Files besides the weights that determine what a model learns.
_MODEL_FILES = (
    *("config.json", "tokenizer*", "*.model", "vocab*", "merges.txt", "chat_template*"),
    *("special_tokens_map.json", "added_tokens.json"),
)


def weights_sha256(directory: Path) -> str:
    """Return a SHA-256 (hex) that identifies the weights of a model directory: the hash of the
    hashes of its safetensors files, in order of name."""
    digest = hashlib.sha256()
    for file in sorted(directory.glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def model_sha256(directory: Path) -> str:
    """Return a SHA-256 (hex) of the files of a model directory that training depends on: weights,
    tokenizer and config."""
    digest = hashlib.sha256(weights_sha256(directory).encode())
    for file in sorted({file for pattern in _MODEL_FILES for file in directory.glob(pattern)}):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def is_whole(directory: Path) -> bool:
    """Return True if a model directory has weights, and none of its safetensors files is missing or
    cut off. Only the beginnings of the files are read."""
    files = {file.name: file for file in directory.glob("*.safetensors")}
    try:
        for index in directory.glob("*.safetensors.index.json"):
            if not set(json.loads(index.read_bytes())["weight_map"].values()) <= files.keys():
                return False
        return bool(files) and all(map(_has_all_bytes, files.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _has_all_bytes(file: Path) -> bool:
    """Return True if a safetensors file is as long as its header says."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        size = file.stat().st_size
        if 8 + length > size:
            return False
        header = json.loads(stream.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return 8 + length + max(ends, default=0) == size


def weights_in(directory: Path) -> int:
    """Return the number of parameters in a directory's safetensors files, 0 if there are none."""
    return sum(_weights_in_file(file) for file in directory.glob("*.safetensors"))


def _weights_in_file(file: Path) -> int:
    """Return the number of parameters in a safetensors file. For a damaged file, return its size in
    bytes divided by 4."""
    # A damaged file is reported when it is loaded.
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            # The header is JSON, after 8 bytes with its length.
            length = int.from_bytes(stream.read(8), "little")
            if length > size:
                return size // 4
            header = json.loads(stream.read(length))
        return sum(
            math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return size // 4
