"""Time `scicot --help` against a minimal program that uses Typer and rich."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.timing import Ratio, in_pairs

GOAL = "at most 1.5"


def measure() -> Ratio:
    return in_pairs(
        lambda: _run("-m", "scicot_cli", "--help"),
        lambda: _run("-c", "import typer, rich"),
        pairs=15,
    )


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
