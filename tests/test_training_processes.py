"""Training in separate processes: killed at any moment, several processes for one student, and
several students side by side."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import Trained, read_rows

ROOT = Path(__file__).parents[1]
TRAIN = ("-m", "scicot_cli", "train-rationale")
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
# scratch:small has dropout, so that random states must be restored too.
STUDENT = ("--student", "scratch:small", "--device", "cpu", "--precision", "fp32")


@pytest.fixture(scope="module", autouse=True)
def forked(preloaded: str) -> Iterator[None]:
    """Fork `-m scicot_cli` from a process that has already loaded torch and transformers. See
    preloaded.py."""
    STARTS[TRAIN[:2]] = (f"{preloaded}/scicot",)
    yield
    del STARTS[TRAIN[:2]]


STARTS: dict[tuple[str, ...], tuple[str, ...]] = {}  # arguments -> command line that starts them


def command(*arguments: Any, real: bool = False) -> subprocess.Popen[str]:
    """Start Python with `arguments`. With `real`, no process is forked in its place (see
    `forked`)."""
    start = None if real else STARTS.get(arguments[:2])
    return subprocess.Popen(
        [*start, *map(str, arguments[2:])] if start else [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, cwd=ROOT,
    )  # fmt: skip


def finished(*arguments: Any) -> None:
    process = command(*arguments)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def far_apart(first: Path, second: Path) -> float:
    from safetensors.torch import load_file

    ours, theirs = (load_file(run / "model.safetensors") for run in (first, second))
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def losses(run: Path, name: str = "loss") -> list[float]:
    rows = map(json.loads, (run / "training_log.jsonl").read_text().splitlines())
    return [row[name] for row in rows if name in row]


def until(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def begun(run: Path) -> bool:
    log = run / "training_log.jsonl"
    return log.exists() and log.stat().st_size > 0


@pytest.fixture(scope="module")
def straight(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    run = tmp_path_factory.mktemp("straight") / "run"
    finished(*TRAIN, trained.rows, "-o", run, *STUDENT, "--max-steps", 60, "--accumulate", 2)
    return run


def test_ten_kills_change_no_weight(trained: Trained, tmp_path: Path, straight: Path) -> None:
    run, draw = tmp_path / "run", random.Random(0)
    asked = (
        *TRAIN, trained.rows, "-o", run, *STUDENT, "--max-steps", 60, "--accumulate", 2,
        "--checkpoint-minutes", 0.001,
    )  # fmt: skip
    for number in range(10):
        process = command(*asked)
        if number % 2:  # half of the runs are stopped before the first step, half after
            until(lambda: begun(run) or process.poll() is not None)  # noqa: B023
            time.sleep(draw.random() * 0.3)
        else:
            time.sleep(draw.random() * 8)
        process.kill()
        process.communicate()
    finished(*asked)
    assert far_apart(run, straight) < 1e-5
    assert not (run / "checkpoints").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_ends_with_75(
    trained: Trained, tmp_path: Path, straight: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    asked = (*TRAIN, trained.rows, "-o", run, *STUDENT, "--max-steps", 60, "--accumulate", 2)
    process = command(*asked)
    until(lambda: begun(run))
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75, said
    assert "terminated; run the same command again to resume" in said
    assert len(list((run / "checkpoints").glob("checkpoint-*/whole"))) == 1
    finished(*asked)
    assert far_apart(run, straight) < 1e-5


def test_two_processes_learn_as_one_does(trained: Trained, tmp_path: Path) -> None:
    tiny = ("--student", "scratch:tiny", "--device", "cpu", "--precision", "fp32")
    asked = (
        trained.rows, *tiny, "--max-steps", 20, "--batch-size", 8, "--seed", 3,
        "--dev-fraction", 0.25, "--fold-by", "id", "--eval-steps", 10,
    )  # fmt: skip
    one, two = tmp_path / "one", tmp_path / "two"
    finished(*TRAIN, *asked, "-o", one)
    process = command(*TWO, *TRAIN, *asked, "-o", two)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert out == ""
    assert said.count("rationale student trained on") == 1  # only rank 0 prints
    assert losses(two) == pytest.approx(losses(one), abs=1e-3)
    assert losses(two, "dev_loss") == pytest.approx(losses(one, "dev_loss"), abs=1e-3)
    assert len(losses(two, "dev_loss")) == 3
    logs = [(run / "training_log.jsonl").read_text().splitlines() for run in (one, two)]
    assert len(logs[0]) == len(logs[1])


def test_a_term_to_one_process_stops_all(trained: Trained, tmp_path: Path) -> None:
    tiny = ("--student", "scratch:tiny", "--device", "cpu", "--precision", "fp32")
    run, other = tmp_path / "run", tmp_path / "other"
    asked = (trained.rows, *tiny, "--max-steps", 200)
    process = command(*TWO, *TRAIN, *asked, "-o", run)
    until(lambda: begun(run))
    ranks = {
        child.environ().get("RANK"): child
        for child in psutil.Process(process.pid).children()
        if "scicot_cli" in child.cmdline()
    }
    ranks["1"].send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert "terminated; run the same command again to resume" in said
    assert "Error" not in "".join(line for line in said.splitlines() if line.startswith("[rank"))
    codes = set(re.findall(r"exitcode *: (-?\d+)", said))
    assert codes, said
    assert codes <= {"75", "-15"}, said  # the launcher terminates the process that ends second
    assert len(list((run / "checkpoints").glob("checkpoint-*/whole"))) == 1
    finished(*TRAIN, *asked, "-o", run)  # now in a single process
    finished(*TRAIN, *asked, "-o", other)
    # The first log row after the resume averages over fewer steps, so it is not compared.
    assert losses(run)[3:] == pytest.approx(losses(other)[3:], abs=1e-3)


def test_an_error_of_all_is_told_once(trained: Trained, tmp_path: Path) -> None:
    process = command(*TWO, *TRAIN, tmp_path / "none.jsonl", "-o", tmp_path / "run", *STUDENT)
    _, said = process.communicate(timeout=120)
    assert process.returncode != 0
    assert said.count("error: ") == 1
    assert "no such file" in said


def test_students_side_by_side_are_those_one_by_one(trained: Trained, tmp_path: Path) -> None:
    tiny = ("--student", "scratch:tiny", "--device", "cpu", "--precision", "fp32")
    asked = (trained.rows, *tiny, "--max-steps", 6, "--folds", 2, "--fold-by", "meta.metal")
    one, two = tmp_path / "one", tmp_path / "two"
    finished(*TRAIN, *asked, "-o", one, "--jobs", 1)
    process = command(*TRAIN, *asked, "-o", two, "--jobs", 2)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "3 students to train, 2 of them fold students, 2 in parallel" in said
    for run in ("", "folds/0", "folds/1"):
        assert far_apart(one / run, two / run) == 0
    rationales = [
        [row["rationale"] for row in read_rows(run / "out_of_fold.jsonl")] for run in (one, two)
    ]
    assert rationales[0] == rationales[1]


def test_students_side_by_side_stop_and_go_on(trained: Trained, tmp_path: Path) -> None:
    tiny = ("--student", "scratch:tiny", "--device", "cpu", "--precision", "fp32")
    run = tmp_path / "run"
    asked = (*TRAIN, trained.rows, *tiny, "--max-steps", 150, "--seeds", 2, "-o", run)
    process = command(*asked, "--jobs", 2)
    until(lambda: begun(run / "seed-0") and begun(run / "seed-1"))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75, said
    for seed in ("seed-0", "seed-1"):
        assert len(list((run / seed / "checkpoints").glob("checkpoint-*/whole"))) == 1
    process = command(*asked, "--jobs", 2, real=True)
    until(lambda: len(psutil.Process(process.pid).children()) == 2)
    process.kill()  # the remaining process ends too
    process.communicate()
    finished(*asked, "--jobs", 1)
    finished(*TRAIN, trained.rows, *tiny, "--max-steps", 150, "--seed", 1, "-o", tmp_path / "one")
    assert far_apart(run / "seed-1", tmp_path / "one") < 1e-5


def test_what_goes_wrong_beside_others_is_told(trained: Trained, tmp_path: Path) -> None:
    process = command(
        *TRAIN, trained.rows, "-o", tmp_path / "run", "--student", "scratch:tiny",
        "--max-steps", 3, "--seeds", 2, "--jobs", 2, "--weight-decay", 1e38, "--device", "cpu",
        "--warmup-steps", 0, "--precision", "fp32",
    )  # fmt: skip
    _, said = process.communicate(timeout=300)
    assert "Traceback" not in said
    assert process.returncode == 1, said
    assert said.count("the loss is NaN or infinite") == 1
