"""docs/evidence.md, of the results of benchmarks.evidence."""

from __future__ import annotations

from pathlib import Path


def write(kept: Path, page: Path) -> None:
    raise NotImplementedError
