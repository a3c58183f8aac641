"""What a run's weights are, without loading them."""

from __future__ import annotations

import hashlib
from pathlib import Path


def weights_sha256(directory: Path) -> str:
    """Of all files with weights in a model directory."""
    digest = hashlib.sha256()
    for file in sorted(directory.glob("*.safetensors")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def weights_in(directory: Path) -> int:
    """How many weights they hold, in fp32."""
    return sum(file.stat().st_size for file in directory.glob("*.safetensors")) // 4
