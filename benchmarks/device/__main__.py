"""`python -m benchmarks.device SECTION FILE`: run a section, and write its figures to FILE.

The file is written after every figure, so a time limit loses only the figures after it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from benchmarks.device.figures import Figures

SECTIONS = ("tests", "commands", "predict", "profile", "train")


def main(section: str, file: str) -> int:
    """Run one section; return the exit code."""
    if section not in SECTIONS:
        sys.exit(f"no section {section}; there is {', '.join(SECTIONS)}")
    figures = Figures(Path(file), section)
    good = bool(import_module(f"benchmarks.device.{section}").measure(figures))
    figures.add(finished=True, passed=good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
