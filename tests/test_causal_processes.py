"""Training decoder-only students in separate processes: killed at any moment, and in parallel."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, read_rows

STUDENT = ("--student", "scratch:tiny-causal", "--device", "cpu", "--precision", "fp32")
ROWS = ("--max-steps", 40, "--batch-size", 12, "--dev-fraction", 0.25, "--fold-by", "meta.metal")


@pytest.fixture
def start(preloaded: str) -> Callable[..., subprocess.Popen[str]]:
    """Start `scicot` in a process that can be killed."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["scicot", *map(str, arguments)], stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PATH": f"{preloaded}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip

    return start


def finish(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def far_apart(first: Path, second: Path) -> float:
    from safetensors.torch import load_file

    ours, theirs = (load_file(run / "model.safetensors") for run in (first, second))
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def test_kills_change_no_weight_and_no_row(trained: Trained, tmp_path: Path, start: Any) -> None:
    draw, straight, killed = random.Random(0), tmp_path / "straight", tmp_path / "killed"
    asked = ("train-answer", trained.rows, *STUDENT, *ROWS, "--method", "direct")
    finish(start(*asked, "-o", straight))
    log = killed / "training_log.jsonl"
    for _ in range(5):
        process = start(*asked, "-o", killed, "--checkpoint-minutes", 0.0005)
        end = time.monotonic() + 60
        while not log.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(draw.random())
        process.kill()
        process.communicate()
    finish(start(*asked, "-o", killed, "--checkpoint-minutes", 0.0005))
    assert far_apart(straight, killed) < 1e-5
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    predict = ("predict", trained.rows, "--device", "cpu", "--window", 4)
    finish(start(*predict, "--answer-model", straight, "-o", whole))
    for _ in range(3):
        process = start(*predict, "--answer-model", straight, "-o", torn)
        end = time.monotonic() + 60
        while not torn.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.2 * draw.random())
        process.kill()
        process.communicate()
    finish(start(*predict, "--answer-model", straight, "-o", torn))
    assert torn.read_bytes() == whole.read_bytes()
    shards = [tmp_path / f"{number}.jsonl" for number in (1, 2)]
    for number, shard in enumerate(shards, start=1):
        finish(start(*predict, "--answer-model", straight, "--shard", f"{number}/2", "-o", shard))
    merged = tmp_path / "merged.jsonl"
    finish(start("merge", trained.rows, *shards, "-o", merged))
    assert merged.read_bytes() == whole.read_bytes()
    assert len(read_rows(merged)) == 36


def test_two_processes_learn_as_one_does(trained: Trained, tmp_path: Path, start: Any) -> None:
    asked = ("train-rationale", trained.rows, *STUDENT, "--max-steps", 12, "--batch-size", 8)
    one, two = tmp_path / "one", tmp_path / "two"
    finish(start(*asked, "-o", one))
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    subprocess.run(
        [sys.executable, *launch, "-m", "scicot_cli", *map(str, asked), "-o", str(two)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    logs = [
        [row["loss"] for row in read_rows(run / "training_log.jsonl") if "loss" in row]
        for run in (one, two)
    ]
    assert logs[1] == pytest.approx(logs[0], abs=1e-3)
