"""The examples, run as a user runs them, at a size that takes seconds."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, read_rows
from typer.testing import CliRunner

from scicot_cli.app import app


def test_quickstart(tmp_path: Path, preloaded: str) -> None:
    environment = {
        **os.environ,
        "PATH": f"{preloaded}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OUT": str(tmp_path),
        "STEPS": "2",
        "TRAIN": "200",
        "TEST": "12",
    }
    script = ["bash", str(REPOSITORY / "examples" / "quickstart.sh")]
    first = subprocess.run(script, capture_output=True, text=True, env=environment, check=False)
    assert first.returncode == 0, first.stderr
    for row in ("two-stage", "direct", "tutor's rationales *", "chance", "two-stage minus direct"):
        assert row in first.stdout
    assert len(read_rows(tmp_path / "two-stage.jsonl")) == 12
    reasons = {row["reason"] for row in read_rows(tmp_path / "rationales.rejected.jsonl")}
    assert reasons == {"wrong-conclusion", "truncated", "refusal"}
    again = subprocess.run(script, capture_output=True, text=True, env=environment, check=False)
    assert again.stdout == first.stdout, "finished steps are not done again, the table is the same"
    assert "trained on" in again.stderr


@pytest.mark.parametrize(("ended", "code"), [(0, 0), (1, 1), (-9, 137)])
def test_demo_runs_the_quickstart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: int, code: int
) -> None:
    calls: list[Any] = []

    def run(command: list[str], env: dict[str, str], check: bool) -> Any:
        calls.append((command, env))
        return subprocess.CompletedProcess(command, ended)

    monkeypatch.setattr("scicot_cli.demo.subprocess.run", run)
    outcome = CliRunner().invoke(app, ["demo", str(tmp_path), "--seed", "3"])
    assert outcome.exit_code == code
    ((command, environment),) = calls
    assert command[1] == str(REPOSITORY / "examples" / "quickstart.sh")
    assert (environment["OUT"], environment["SEED"]) == (str(tmp_path), "3")
    assert environment["SCICOT_PYTHON"] == sys.executable


def test_demo_leaves_ctrl_c_to_the_commands_that_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGINT)

    def run(command: list[str], env: dict[str, str], check: bool) -> Any:
        os.kill(os.getpid(), signal.SIGINT)  # a terminal sends Ctrl-C to every process
        return subprocess.CompletedProcess(command, -signal.SIGINT)

    monkeypatch.setattr("scicot_cli.demo.subprocess.run", run)
    outcome = CliRunner().invoke(app, ["demo", str(tmp_path)])
    assert (outcome.exit_code, outcome.output) == (130, "")
    assert signal.getsignal(signal.SIGINT) is before


def test_the_wheel_holds_what_the_demo_runs() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    held = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {Path(name).name for name in held} == {"quickstart.sh", "make_world.py", "world.yaml"}
    assert all((REPOSITORY / name).exists() for name in held)
    assert all(Path(path).parent == Path("scicot_cli/example") for path in held.values())


def test_the_demo_reports_an_unknown_size_once_before_it_begins(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["demo", str(tmp_path / "out"), "--student", "scratch:tini"])
    assert outcome.exit_code == 2
    assert outcome.stderr.count("no such size") == 1
    assert not (tmp_path / "out").exists()
