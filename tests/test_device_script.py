"""The script for machines with a GPU, at smoke size on this CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

SCRIPT = REPOSITORY / "benchmarks" / "device.sh"


def device(out: Path, *sections: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SCRIPT), str(out), *sections],
        env={**os.environ, "SMOKE": "1", "PYTHON": sys.executable, **more},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("section", ["commands", "predict", "profile", "train"])
def test_a_section_leaves_its_figures(tmp_path: Path, section: str) -> None:
    done = device(tmp_path, section)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / f"{section}.json").read_text())
    assert (found["finished"], found["passed"], found["smoke"]) == (True, True, True)
    if section == "commands":
        assert found["causal"]["different_answers"] == 0
    else:
        assert found["gemma"]
        assert found["flan-t5-base"]
    if section == "profile":
        sections = found["gemma"]["sections_ms"]
        assert {"attention", "feed-forward", "output layer and choice of tokens"} < set(sections)
        assert "attention to the source" in found["flan-t5-base"]["sections_ms"]


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    done = device(tmp_path, "nosuch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no section nosuch; there is tests commands predict profile train" in done.stderr


def test_a_row_of_the_evidence_leaves_a_cell_of_each_system(tmp_path: Path) -> None:
    more = {"STUDENT": "scratch:tiny", "SYSTEMS": "direct zero-shot"}
    done = device(tmp_path, "evidence", "shipped", "3", **more)
    assert done.returncode == 1, "a student with random weights has no zero-shot"
    assert "shipped-3 direct: done" in done.stdout
    assert "shipped-3 zero-shot: scratch:tiny has random weights" in done.stdout
    cell = json.loads((tmp_path / "shipped-3.direct.json").read_text())
    assert (cell["system"], cell["max_steps"], len(cell["right"])) == ("direct", 1, 6)


def test_a_round_of_rewards_leaves_its_figures(tmp_path: Path) -> None:
    done = device(tmp_path, "reward", "shipped", "3", STUDENT="scratch:tiny")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "shipped-3.reward.json").read_text())
    assert found["finished"]
    assert {name: len(right) for name, right in found["right"].items()} == {
        "before": 6,
        "round 1": 6,
    }
    assert [report["round"] for report in found["reports"]] == [0, 1]


def test_a_row_needs_a_set_a_seed_and_a_student(tmp_path: Path) -> None:
    for words, more in ((("evidence", "shipped"), {"STUDENT": "x"}), (("evidence", "a", "1"), {})):
        done = device(tmp_path, *words, **more)
        assert done.returncode == 2
        assert "STUDENT=DIR bash" in done.stderr
