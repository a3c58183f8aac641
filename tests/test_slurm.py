"""The batch scripts of examples/slurm, with fakes of srun and scontrol."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from conftest import REPOSITORY, Trained

from scicot.students.manifest import read_manifest

SRUN = """#!/usr/bin/env bash
# Starts as many tasks as SLURM_NTASKS says, and ends with the highest of their exit codes.
while [[ $1 == --* ]]; do shift; done
for ((task = 0; task < SLURM_NTASKS; task++)); do
  SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & pids+=($!)
done
worst=0
for pid in "${pids[@]}"; do wait "$pid"; code=$?; ((code > worst)) && worst=$code; done
exit $worst
"""
SCONTROL = '#!/usr/bin/env bash\n[ "$1" = requeue ] && echo "$2" >> "$REQUEUED" || echo localhost\n'


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment whose PATH begins with the fake srun and scontrol, and this Python."""
    commands = folder / "bin"
    commands.mkdir(exist_ok=True)
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    path = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "REQUEUED": str(folder / "requeued"), **more}


def script(name: str, *arguments: object, env: dict[str, str]) -> subprocess.Popen[str]:
    file = REPOSITORY / "examples" / "slurm" / name
    return subprocess.Popen(
        ["bash", str(file), *map(str, arguments)], env=env, text=True, stderr=subprocess.PIPE
    )


def test_a_job_that_runs_out_of_time_goes_back_to_the_queue(
    trained: Trained, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    env = environment(
        tmp_path, SLURM_JOB_ID=str(os.getpid()), SLURM_JOB_NODELIST="localhost", SLURM_NTASKS="2"
    )
    asked = (
        "train-rationale", trained.rows, "-o", run, "--student", "scratch:tiny",
        "--max-steps", 200, "--device", "cpu",
    )  # fmt: skip
    job = script("train.sbatch", *asked, env=env)
    log, end = run / "training_log.jsonl", time.monotonic() + 120
    while not (log.exists() and log.stat().st_size) and time.monotonic() < end:
        time.sleep(0.05)
    for process in psutil.Process(job.pid).children(recursive=True):
        if "scicot_cli" in process.cmdline():
            process.send_signal(signal.SIGUSR1)
    _, said = job.communicate(timeout=120)
    assert job.returncode == 75, said
    assert (tmp_path / "requeued").read_text().split() == [env["SLURM_JOB_ID"]]
    job = script("train.sbatch", *asked, env=env)
    _, said = job.communicate(timeout=120)
    assert job.returncode == 0, said
    assert "resuming from step" in said
    manifest = read_manifest(run)
    assert manifest is not None
    assert manifest.finished


def test_seeds_of_an_array_are_summed_up_afterwards(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    asked = ("train-answer", trained.rows, "--student", "scratch:tiny", "--max-steps", 1)
    for seed in ("0", "1"):
        env = environment(tmp_path, SLURM_ARRAY_TASK_ID=seed, SLURM_NTASKS="1")
        job = script("seeds.sbatch", run, *asked, env=env)
        _, said = job.communicate(timeout=120)
        assert job.returncode == 0, said
    done = subprocess.run(
        [sys.executable, "-m", "scicot_cli", *map(str, asked), "-o", str(run), "--seeds", "2"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 answer students trained" in done.stderr


def test_predictions_of_two_tasks(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    env = environment(
        tmp_path, SLURM_NTASKS="2", SLURM_JOB_ID="7", SLURM_JOB_NODELIST="here", OMP_NUM_THREADS="1"
    )
    arguments = (
        "predict",
        trained.rows,
        "-o",
        out,
        "--answer-model",
        trained.direct,
        "--device",
        "cpu",
    )
    job = script("train.sbatch", *arguments, env=env)
    _, said = job.communicate(timeout=300)
    assert job.returncode == 0, said
    assert len(out.read_text().splitlines()) == len(trained.rows.read_text().splitlines())
