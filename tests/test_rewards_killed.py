"""A rewarded training that is killed at any moment leaves the same rows and the same weights."""

import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

from conftest import read_rows, world_rows, write_rows

from scicot import TrainSettings, train_answer
from scicot.students.manifest import read_manifest

KILLS = 10


def test_ten_kills_change_no_row_and_no_weight(preloaded: str, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", world_rows())
    answer = tmp_path / "answer"
    settings = TrainSettings(
        max_steps=4, warmup_steps=1, batch_size=18, device="cpu", folds=2, fold_by="meta.metal"
    )
    train_answer(rows, answer, student="scratch:tiny", settings=settings)

    def start(run: Path) -> subprocess.Popen[str]:
        asked: tuple[Any, ...] = (
            "train-rationale", rows, "-o", run, "--student", "scratch:tiny", "--device", "cpu",
            "--max-steps", 12, "--warmup-steps", 1, "--batch-size", 18, "--learning-rate", 3e-3,
            "--max-target-tokens", 16, "--checkpoint-minutes", 0.001, "--reward", answer,
            "--samples", 3, "--jobs", 1, "--reward-confidence", 0,
        )  # fmt: skip
        return subprocess.Popen(
            [f"{preloaded}/scicot", *map(str, asked)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
        )  # fmt: skip

    whole, killed = tmp_path / "whole" / "run", tmp_path / "killed" / "run"
    began = time.monotonic()
    process = start(whole)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    seconds, draw = time.monotonic() - began, random.Random(0)
    survived = 0
    for _ in range(KILLS):
        process = start(killed)
        try:  # about a tenth of the work is done between two kills
            process.wait(timeout=draw.uniform(0.05, 0.35) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            survived += 1
        process.communicate()
    process = start(killed)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert survived >= 3
    assert weights(killed) == weights(whole)
    files = [str(file.relative_to(whole)) for file in whole.rglob("*.jsonl")]
    compared = [
        name for name in files if name.endswith(("scored.jsonl", "kept.jsonl", "fold.jsonl"))
    ]
    assert len(compared) == 5
    for name in compared:
        assert read_rows(killed / name) == read_rows(whole / name), name
    assert not list(killed.rglob("checkpoints"))


def weights(run: Path) -> dict[str, str | None]:
    """The digest of the weights of every student in a run."""
    found = {}
    for file in run.rglob("scicot.json"):
        manifest = read_manifest(file.parent)
        assert manifest is not None
        assert manifest.finished
        found[str(file.relative_to(run))] = manifest.weights_sha256
    assert len(found) == 6
    return found
