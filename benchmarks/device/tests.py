"""Run the tests that need a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.device.figures import Figures

_MARK = "pytest.mark.cuda"
_NONE_COLLECTED = 5  # pytest's exit code


def measure(figures: Figures) -> bool:
    """Run the tests that need a GPU; return whether none failed. Without a GPU they are skipped."""
    root = Path(__file__).parents[2]
    # Collecting all tests would take longer than running these.
    files = [
        file for file in sorted((root / "tests").glob("test_*.py")) if _MARK in file.read_text()
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "cuda", "-p", "no:cacheprovider", *map(str, files)],
        cwd=root,
        env={**os.environ, "SCICOT_TEST_GPU": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    figures.add(summary=lines[-1:], output=lines[-40:])
    return done.returncode in (0, _NONE_COLLECTED)
