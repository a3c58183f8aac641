"""A killed recipe. The test has its own file, because pytest-xdist distributes whole files."""

import os
import signal
import subprocess
import time
from pathlib import Path

from recipes import RECIPES, recipe, with_path

# The recipe is killed as soon as each of these files exists.
MILESTONES = ("**/rationales.jsonl", "**/checkpoints/layout.json", "**/predictions*.jsonl")


def test_a_stopped_recipe_goes_on(tmp_path: Path, preloaded: str) -> None:
    """Kill the recipe early, during training and during prediction. Then let it finish."""
    kills = 0
    for milestone in MILESTONES:
        process = subprocess.Popen(
            ["bash", str(RECIPES / "scienceqa.sh")],
            env={**with_path(preloaded), "OUT": str(tmp_path), "BASELINES": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while process.poll() is None and not any(tmp_path.glob(milestone)):
            time.sleep(0.05)
        if process.poll() is None:
            kills += 1
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert kills >= 2
    done = recipe("scienceqa", tmp_path, path=preloaded, BASELINES="")
    assert done.returncode == 0, done.stderr
    assert "two-stage minus direct" in done.stdout
