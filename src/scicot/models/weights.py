"""What a run's weights are, without loading them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path


def weights_sha256(directory: Path) -> str:
    """Of all files with weights in a model directory."""
    digest = hashlib.sha256()
    for file in sorted(directory.glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def weights_in(directory: Path) -> int:
    """How many weights they hold, in any precision; 0 where there is no such file."""
    return sum(_weights_in_file(file) for file in directory.glob("*.safetensors"))


def _weights_in_file(file: Path) -> int:
    """Of the shapes that the header tells: its length in 8 bytes, then JSON. Of a damaged file the
    size in fp32; loading it says what is wrong."""
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
