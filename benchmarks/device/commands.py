"""Train, predict and evaluate by the command line on the device, and predict again on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.device.figures import SMOKE, Figures, device

_CLOSE = 1e-3  # maximum difference of a probability between devices, in fp32
STUDENTS = {"t5": "scratch:tiny", "causal": "scratch:tiny-causal"}
if SMOKE:  # fewer commands, since each takes seconds to start
    del STUDENTS["t5"]


def measure(figures: Figures) -> bool:
    """Train and predict with students of both families (at smoke size, one family), in both stages.
    Return whether the CPU gives the same answers as the device, with close probabilities."""
    good = True
    with tempfile.TemporaryDirectory() as folder:
        root, size = Path(folder), ("60", "12") if SMOKE else ("600", "200")
        _run(
            str(Path(__file__).parents[2] / "examples" / "make_world.py"),
            *("--out", root / "world", "--train", size[0], "--test", size[1], "--seed", 0),
        )
        _scicot(
            *("generate-rationales", root / "world" / "train.jsonl", "-o", root / "taught.jsonl"),
            *("--teacher", f"recorded:{root / 'world' / 'train_replies.jsonl'}"),
        )
        # Families run in parallel, because most of a short command's time is importing.
        # So their seconds are no measurement of speed.
        with ThreadPoolExecutor(len(STUDENTS)) as threads:
            results = threads.map(partial(_both_stages, root), STUDENTS, STUDENTS.values())
        for name, result in zip(STUDENTS, results, strict=True):
            figures.add(**{name: result})
            good = good and not result["different_answers"] and result["farthest"] < _CLOSE
    return good


def _both_stages(root: Path, name: str, student: str) -> dict[str, Any]:
    device_type, steps = device().type, 4 if SMOKE else 200
    runs = {stage: root / name / stage for stage in ("rationale", "answer")}
    common = (
        "--student",
        student,
        "--max-steps",
        steps,
        "--learning-rate",
        "2e-3",
        "--device",
        device_type,
    )
    start = time.perf_counter()
    for stage, run in runs.items():
        _scicot(f"train-{stage}", root / "taught.jsonl", "-o", run, *common)
    trained = time.perf_counter() - start
    outs, seconds = {}, {}
    for used_device in dict.fromkeys((device_type, "cpu")):
        outs[used_device] = root / name / f"{used_device}.jsonl"
        start = time.perf_counter()
        _scicot(
            *(
                "predict",
                root / "world" / "test.jsonl",
                "-o",
                outs[used_device],
                "--device",
                used_device,
            ),
            *("--rationale-model", runs["rationale"], "--answer-model", runs["answer"]),
            *("--precision", "fp32", "--max-new-tokens", 64),
        )
        seconds[used_device] = round(time.perf_counter() - start, 1)
    verdict = json.loads(_scicot("evaluate", *outs.values(), "--json"))
    rows = [[json.loads(line) for line in out.open()] for out in outs.values()]
    pairs = list(zip(rows[0], rows[-1], strict=True))
    return {
        "device": device_type,
        "train_seconds": round(trained, 1),
        "predict_seconds": seconds,
        "accuracy": verdict["systems"][0]["accuracy"],
        "questions": len(pairs),
        "different_rationales": sum(a["rationales"] != b["rationales"] for a, b in pairs),
        "different_answers": sum(a["prediction"] != b["prediction"] for a, b in pairs),
        "farthest": max(
            abs(a["scores"][label] - b["scores"][label]) for a, b in pairs for label in a["scores"]
        ),
    }


def _scicot(*arguments: object) -> str:
    return _run("-m", "scicot_cli", *arguments)


def _run(*arguments: object) -> str:
    completed = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if completed.returncode:
        sys.exit(
            f"{' '.join(map(str, arguments))}: exit {completed.returncode}\n{completed.stderr}"
        )
    return completed.stdout
