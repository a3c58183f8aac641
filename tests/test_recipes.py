"""The recipes, in their smoke form."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import read_rows
from recipes import RECIPES, recipe


@pytest.mark.parametrize("name", ["arc", "openbookqa", "commonsenseqa"])
def test_each_recipe_ends_in_a_verdict(name: str, tmp_path: Path, preloaded: str) -> None:
    baselines = "direct-equal one-sequence multi-task" if name == "openbookqa" else ""
    sets = {"SETS": "ARC-Challenge"} if name == "arc" else {}
    done = recipe(name, tmp_path, path=preloaded, BASELINES=baselines, **sets)
    assert done.returncode == 0, done.stderr
    assert "two-stage minus direct" in done.stdout
    (report,) = tmp_path.glob("*/*/report.html")
    assert "mixed-with-folds" in report.read_text()
    for baseline in baselines.split():
        assert f"two-stage minus {baseline}" in done.stdout
    (predictions,) = tmp_path.glob("*/*/seed-0/two-stage.jsonl")
    assert len(read_rows(predictions)) == 8
    if name == "arc":
        before = read_rows(predictions)
        task = {
            f"SLURM_ARRAY_TASK_{what}": n for what, n in (("ID", "0"), ("COUNT", "4"), ("MIN", "0"))
        }
        again = recipe(name, tmp_path, "train", path=preloaded, BASELINES=baselines, **sets, **task)
        assert (again.returncode, read_rows(predictions)) == (0, before), "shards are not for tasks"


def test_a_verdict_is_of_finished_predictions(tmp_path: Path, preloaded: str) -> None:
    done = recipe("arc", tmp_path, "compare", path=preloaded, SETS="ARC-Easy")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no finished predictions yet" in done.stderr


def test_a_task_of_a_job_array_takes_its_part(tmp_path: Path, preloaded: str) -> None:
    variables = {"SETS": "ARC-Easy", "SLURM_ARRAY_TASK_ID": "1"}
    outcome = recipe("arc", tmp_path, "train", path=preloaded, **variables)
    assert outcome.returncode == 2
    assert "task 1 of an array of 1: --array=0-0" in outcome.stderr
    assert (
        "a job array is for the part train"
        in recipe("arc", tmp_path, path=preloaded, **variables).stderr
    )
    assert recipe("arc", tmp_path, "trian", path=preloaded).returncode == 2


def test_the_table_of_costs_is_what_the_script_prints() -> None:
    printed = subprocess.run(
        [sys.executable, str(RECIPES / "costs.py")], capture_output=True, text=True, check=True
    ).stdout
    assert printed in (RECIPES / "README.md").read_text()
