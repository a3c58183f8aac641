"""What becomes of a test that hangs (hanging.py)."""

import subprocess
import sys
from pathlib import Path

CONFTEST = """
import hanging
hanging.LIMIT = 1.0
def pytest_configure(config):
    hanging.watch(config)
"""
MORE = "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_more(n): pass\n"
# PyDLL keeps Python's lock, so neither signals nor other threads of Python are served.
HANGING = """
import ctypes, pathlib, pytest
def test_before(): pass
def test_hangs():
    began = pathlib.Path("began")
    times = int(began.read_text()) if began.exists() else 0
    began.write_text(str(times + 1))
    if times < {times}:
        ctypes.PyDLL(None).sleep(60)
def test_after(): pass
"""


def outcome(folder: Path, times: int, *, workers: int = 1) -> tuple[int, str]:
    """Run a test that hangs the first `times` times. Return pytest's exit code and its output."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(HANGING.format(times=times))
    run = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "--dist", "loadfile"]
    limits = ["--max-worker-restart", "2", "-p", "no:cacheprovider", "--basetemp", "temporary"]
    paths = ["-o", f"pythonpath={Path(__file__).parent}", "--rootdir", "."]
    done = subprocess.run(
        [*run, *limits, *paths], cwd=folder, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_test_that_hangs_once_is_repeated_and_its_stack_is_shown(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, 1)
    assert code == 0, said
    assert "3 passed, 1 hung" in said
    assert "test_it.py::test_hangs took more than 1 s" in said
    assert "in test_hangs" in said


def test_the_other_files_are_run_too(tmp_path: Path) -> None:
    """By itself, xdist would wait forever."""
    for number in range(8):
        (tmp_path / f"test_more{number}.py").write_text(MORE)
    code, said = outcome(tmp_path, 1, workers=2)
    assert code == 0, said
    assert "35 passed, 1 hung" in said


def test_a_test_that_hangs_again_fails(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, 2)
    assert code == 1, said
    assert "1 failed" in said
    assert "3 passed, 1 hung" in said
