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


def with_path(folder: str) -> dict[str, str]:
    """The environment with a folder in front of PATH."""
    return {**ENVIRONMENT, "PATH": f"{folder}{os.pathsep}{ENVIRONMENT['PATH']}"}


def recipe(
    name: str, out: Path, *parts: str, path: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a recipe with `path` in front of PATH."""
    return subprocess.run(
        ["bash", str(RECIPES / f"{name}.sh"), *parts],
        env={**with_path(path), "OUT": str(out), **variables},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
