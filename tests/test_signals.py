"""Signals and closed output pipes, for all commands."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import read_rows, world_rows, write_rows

CLI = [sys.executable, "-m", "scicot_cli"]


def test_a_signal_that_python_swallows_is_raised_by_the_next_step() -> None:
    from scicot.stop_request import stop
    from scicot_cli import console

    with console.reporter(quiet=True).task("x") as task:
        task.advance()
        with contextlib.suppress(KeyboardInterrupt):  # Python discards exceptions in destructors
            stop.request(KeyboardInterrupt())
        try:
            with pytest.raises(KeyboardInterrupt):
                task.advance()
        finally:
            stop.pending = None


def test_training_puts_off_a_signal_to_the_end_of_a_step() -> None:
    from scicot.stop_request import stop
    from scicot_cli import console

    reporter = console.reporter(quiet=True)
    try:
        with reporter.task("x") as task, reporter.stops_deferred():
            stop.request(KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                task.advance()
            with pytest.raises(KeyboardInterrupt):
                stop.request(KeyboardInterrupt())
    finally:
        stop.pending = None


def waiting_command(tmp_path: Path) -> subprocess.Popen[bytes]:
    """Start a command that has written rows for its first input and waits for more standard
    input."""
    replies = tmp_path / "replies.jsonl"
    write_rows(
        replies,
        [{"id": r["id"], "reply": f"It is so.\nAnswer: {r['answer']}"} for r in world_rows()],
    )
    process = subprocess.Popen(
        [*CLI, "generate-rationales", "-", "-o", tmp_path / "out.jsonl",
         "--teacher", f"recorded:{replies}"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(write_rows(tmp_path / "q.jsonl", world_rows()[:3]).read_bytes())
    process.stdin.flush()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        out = tmp_path / "out.jsonl"
        if out.exists() and out.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_stops_resumable(tmp_path: Path, number: int, code: int) -> None:
    process = waiting_command(tmp_path)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code, stderr
    assert stderr.decode().count("\n") == 1
    assert b"run the same command again to resume" in stderr
    assert len(read_rows(tmp_path / "out.jsonl")) >= 2
    assert not (tmp_path / "out.lock").exists()


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    rows = write_rows(
        tmp_path / "q.jsonl",
        [{**r, "id": f"{r['id']}-{n}"} for n in range(99) for r in world_rows()],
    )
    replies = write_rows(
        tmp_path / "r.jsonl",
        [{"id": r["id"], "reply": f"It is so.\nAnswer: {r['answer']}"} for r in read_rows(rows)],
    )
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" | head -1 >/dev/null; echo ${PIPESTATUS[0]}', "-",
         *CLI, "generate-rationales", rows, "-o", "-", "--teacher", f"recorded:{replies}"],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip
    assert done.stdout == "141\n"
    assert done.stderr == ""


def test_one_of_several_processes_that_stops_runs_its_exit_functions() -> None:
    """With several processes, an ending process skips only the destructors of C++ libraries."""
    code = (
        "import atexit, sys; atexit.register(print, 'at exit', end='');"
        "sys.argv = ['scicot', 'check', 'none.jsonl'];"
        "from scicot_cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "WORLD_SIZE": "2", "RANK": "0"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "at exit")
    assert "cannot run in several processes (WORLD_SIZE is" in done.stderr
