"""The examples, run as a user runs them, at a size that takes seconds."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY, read_rows


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
