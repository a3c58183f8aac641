"""A recipe that is killed; a file of its own, since workers take whole files."""

import os
import signal
import subprocess
import time
from pathlib import Path

from recipes import ENVIRONMENT, RECIPES, recipe


def test_a_stopped_recipe_goes_on(tmp_path: Path) -> None:
    """Killed a few times at whatever step it was, and then let run to its verdict."""
    for seconds in (5, 12, 20):
        process = subprocess.Popen(
            ["bash", str(RECIPES / "scienceqa.sh")],
            env={**ENVIRONMENT, "OUT": str(tmp_path), "RIVALS": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(seconds)
        assert process.poll() is None, "still at it"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = recipe("scienceqa", tmp_path, RIVALS="")
    assert done.returncode == 0, done.stderr
    assert "two-stage minus direct" in done.stdout
