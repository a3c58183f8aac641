import os
from pathlib import Path

import pytest

import scicot
from scicot.devices import cores


def test_a_system_without_affinity_has_all_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def test_nobody_else_asks_for_the_affinity() -> None:
    package = Path(scicot.__file__).parent
    command_line = Path(__file__).parents[1] / "scicot_cli"
    files = [*package.rglob("*.py"), *command_line.rglob("*.py")]
    assert [f.name for f in files if "sched_getaffinity" in f.read_text()] == ["devices.py"]
