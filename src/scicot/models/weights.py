"""Hash and count the weights of a model directory without loading them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path


def weights_sha256(directory: Path) -> str:
    """Return the SHA-256 (hex) of all safetensors files of a model directory, in name order."""
    digest = hashlib.sha256()
    for file in sorted(directory.glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def weights_in(directory: Path) -> int:
    """Count the parameters in a directory's safetensors files; 0 if there are none."""
    return sum(_weights_in_file(file) for file in directory.glob("*.safetensors"))


def _weights_in_file(file: Path) -> int:
    """Count the parameters from the tensor shapes in a safetensors header (8 bytes of length, then
    JSON). For a damaged file return its size / 4, as if fp32: loading it reports the error."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > size:
                return size // 4
            header = json.loads(stream.read(length))
        return sum(
            math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return size // 4
