"""The recipes of examples/recipes in their smoke form, for tests."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY

RECIPES = REPOSITORY / "examples" / "recipes"
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PYTHON": sys.executable,
    "SMOKE": "1",
}


def recipe(name: str, out: Path, *parts: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(RECIPES / f"{name}.sh"), *parts],
        env={**ENVIRONMENT, "OUT": str(out), **variables},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
