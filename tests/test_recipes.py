"""The recipes, in their smoke form."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import REPOSITORY, read_rows

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


@pytest.mark.parametrize("name", ["arc", "openbookqa", "commonsenseqa"])
def test_each_recipe_ends_in_a_verdict(name: str, tmp_path: Path) -> None:
    rivals = "direct-equal one-sequence multi-task" if name == "openbookqa" else ""
    sets = {"SETS": "ARC-Challenge"} if name == "arc" else {}
    done = recipe(name, tmp_path, RIVALS=rivals, **sets)
    assert done.returncode == 0, done.stderr
    assert "two-stage minus direct" in done.stdout
    (report,) = tmp_path.glob("*/*/report.html")
    assert "mixed-with-folds" in report.read_text()
    for rival in rivals.split():
        assert f"two-stage minus {rival}" in done.stdout
    (predictions,) = tmp_path.glob("*/*/seed-0/two-stage.jsonl")
    assert len(read_rows(predictions)) == 8
    if name == "arc":
        before = read_rows(predictions)
        task = {
            f"SLURM_ARRAY_TASK_{what}": n for what, n in (("ID", "0"), ("COUNT", "4"), ("MIN", "0"))
        }
        again = recipe(name, tmp_path, "train", RIVALS=rivals, **sets, **task)
        assert (again.returncode, read_rows(predictions)) == (0, before), "shards are not for tasks"


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


def test_a_verdict_is_of_finished_predictions(tmp_path: Path) -> None:
    done = recipe("arc", tmp_path, "compare", SETS="ARC-Easy")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no finished predictions yet" in done.stderr


def test_a_task_of_a_job_array_takes_its_part(tmp_path: Path) -> None:
    variables = {"SETS": "ARC-Easy", "SLURM_ARRAY_TASK_ID": "1"}
    outcome = recipe("arc", tmp_path, "train", **variables)
    assert outcome.returncode == 2
    assert "task 1 of an array of 1: --array=0-0" in outcome.stderr
    assert "a job array is for the part train" in recipe("arc", tmp_path, **variables).stderr
    assert recipe("arc", tmp_path, "trian").returncode == 2


def test_the_table_of_costs_is_what_the_script_prints() -> None:
    printed = subprocess.run(
        [sys.executable, str(RECIPES / "costs.py")], capture_output=True, text=True, check=True
    ).stdout
    assert printed in (RECIPES / "README.md").read_text()
