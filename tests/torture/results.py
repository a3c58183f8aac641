"""The results of a part of the torture run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """The length of a run, and the folder of its files."""

    folder: Path  # folder for scratch files and for inputs that caused errors
    seed: int = 0
    short: bool = False
    executions: int | None = None  # executions per fuzz target; None: the form's default
    minutes: float = 30.0  # limit for all parts together
    only: tuple[str, ...] = ()  # fuzz targets to run


@dataclass
class Result:
    """The figures of one part of the torture run, and its broken promises, one line each."""

    part: str
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    skipped: str | None = None  # why the part did not run
    minutes: float = 0.0

    def expect(self, holds: bool, promise: str) -> bool:
        """Record `promise` as broken if `holds` is False. Return `holds`."""
        line = f"{self.part}: {' '.join(promise.split())[:600]}"
        if not holds and line not in self.broken:
            self.broken.append(line)
        return holds
