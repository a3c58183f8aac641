"""Signals at any moment of a process's life, and output that cannot be written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, world_rows, write_rows

from scicot.errors import StoppedEarly
from scicot_cli import signals

CLI = [sys.executable, "-m", "scicot_cli"]

# The program sends itself a signal when a given module is about to be imported.
AT_IMPORT = """\
import os, signal, sys
class Finder:
    def find_spec(self, name, *rest):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {number})
            {after}
sys.meta_path.insert(0, Finder())
from scicot_cli.main import main
main()
"""


def interrupted_at(
    module: str, number: int, *arguments: object, after: str = "pass"
) -> subprocess.CompletedProcess[str]:
    program = AT_IMPORT.format(module=module, number=int(number), after=after)
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "code", "how"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 75, "terminated"),
        (signal.SIGUSR1, 75, "terminated"),
    ],
)
@pytest.mark.parametrize("module", ["typer", "rich.console", "scicot_cli.evaluate", "numpy"])
def test_a_signal_while_modules_are_imported(
    tmp_path: Path, number: int, code: int, how: str, module: str
) -> None:
    """numpy is imported during the command, the other modules before the command begins."""
    file = write_rows(tmp_path / "p.jsonl", [{**row, "prediction": "A"} for row in world_rows()])
    done = interrupted_at(module, number, "evaluate", file)
    assert done.returncode == code
    assert done.stderr == f"error: {how}; run the same command again to resume\n"


def test_a_library_may_turn_an_interrupt_into_an_error_of_its_own(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "p.jsonl", [{**row, "prediction": "A"} for row in world_rows()])
    swallowed = "raise ImportError('cannot load')"
    program = f"\n            try: time.sleep(9)\n            except BaseException: {swallowed}"
    done = interrupted_at("numpy", signal.SIGTERM, "evaluate", file, after=f"import time{program}")
    assert done.returncode == 75
    assert done.stderr == "error: terminated; run the same command again to resume\n"


# A module whose import a signal meets: it says when it is whole.
SLOW = """\
import os, signal, time
os.kill(os.getpid(), signal.SIGINT)
end = time.monotonic() + 0.3
while time.monotonic() < end: pass
print("whole", end=" ", flush=True)
"""


@pytest.mark.parametrize(
    ("outputs", "processes", "ends", "code", "imported"),
    [
        (1, 1, False, 130, "whole "),
        (0, 1, False, 130, ""),
        (0, 2, False, 130, "whole "),
        (1, 1, True, 0, "whole "),
    ],
)
def test_an_import_is_never_left_by_an_exception(
    tmp_path: Path, outputs: int, processes: int, ends: bool, code: int, imported: str
) -> None:
    """An exception during an import could abort the process, if C++ code imports the module. With
    an open output or with several processes, the exception is raised after the import, unless the
    command has ended by then. Otherwise the process ends during the import."""
    (tmp_path / "slow.py").write_text(SLOW)
    program = (
        "from scicot_cli import signals\n"
        "signals.end_at_once(); signals.command_begins()\n"
        "from scicot.stop_request import Interrupted, stop\n"
        f"stop.open_outputs = {outputs}\n"
        "import time\n"
        "try:\n"
        "    import slow\n"
        f"    if {ends}: signals.command_ends()\n"
        "    time.sleep(0.5)\n"
        "except Interrupted:\n"
        "    raise SystemExit(130)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "WORLD_SIZE": str(processes)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("Traceback")) == (code, imported, 0)


def test_an_interrupt_that_leaves_an_executed_text_keeps_the_exit_code(tmp_path: Path) -> None:
    """If a plain KeyboardInterrupt leaves `exec`, `python -m` kills itself with SIGINT in the end,
    even if the exception was handled."""
    file = write_rows(tmp_path / "p.jsonl", [{**row, "prediction": "A"} for row in world_rows()])
    signalled = "exec('import os, signal; os.kill(os.getpid(), signal.SIGINT)')"
    (tmp_path / "program.py").write_text(
        AT_IMPORT.format(module="numpy", number=0, after=signalled)
    )
    done = subprocess.run(
        [sys.executable, "-m", "program", "evaluate", file],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 130
    assert done.stderr == "error: interrupted; run the same command again to resume\n"


def test_a_signal_after_the_end_of_a_command_changes_nothing(tmp_path: Path) -> None:
    program = (
        "import atexit, os, signal, sys, threading, time\n"
        "from scicot_cli.main import main\n"
        "def late():\n"
        "    threading.main_thread().join()\n"  # runs during interpreter shutdown
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=late).start()\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("scicot ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_signals_at_many_moments(trained: Trained, tmp_path: Path, number: int, code: int) -> None:
    """The first delay is 0.5 s, because scicot cannot handle a signal while Python itself
    starts."""
    arguments = [
        "train-answer", trained.rows, "-o", tmp_path / "run", "--student", "scratch:tiny",
        "--method", "direct", "--max-steps", "100000", "--device", "cpu",
    ]  # fmt: skip
    for delay in (0.5, 1.5):
        process = subprocess.Popen(
            [*CLI, *map(str, arguments)], stderr=subprocess.PIPE, env=os.environ
        )
        time.sleep(delay)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        assert b"Traceback" not in said
        assert b"Exception ignored" not in said
        assert said.endswith(b"run the same command again to resume\n")


def test_exit_codes_are_those_of_the_library() -> None:
    assert StoppedEarly.exit_code == signals.TERMINATED


def shell(command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f'"$@" {command}', "-", *CLI, *map(str, arguments)],
        capture_output=True, text=True, env=os.environ, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["evaluate", "{rows}"],
        ["evaluate", "{rows}", "--json"],
        ["generate-rationales", "{rows}", "-o", "x", "--teacher", "recorded:{rows}"],
    ],
)
def test_a_full_device_behind_stdout_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    rows = [{**row, "prediction": "A", "reply": "Answer: A"} for row in world_rows()]
    file = write_rows(tmp_path / "p.jsonl", rows)
    given = [argument.format(rows=file) for argument in arguments]
    if "generate-rationales" in given:
        given.append("--dry-run")
    done = shell("> /dev/full", *given)
    assert done.returncode == 75
    assert done.stderr.startswith(
        "error: No space left on device; free disk space, or raise the quota or file size limit,"
        " then "
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("stderr", ["2> /dev/full", "2>&-"])
def test_what_cannot_be_said_stops_no_work(tmp_path: Path, stderr: str) -> None:
    rows = [{**row, "prediction": "A"} for row in world_rows()]
    file = write_rows(tmp_path / "p.jsonl", [*rows, {"id": "no row"}])
    done = shell(stderr, "evaluate", file, "--skip-invalid", "--json")
    assert done.returncode == 0
    assert '"accuracy"' in done.stdout


def test_closed_descriptors_are_not_given_to_other_files(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "p.jsonl", [{**row, "prediction": "A"} for row in world_rows()])
    report = tmp_path / "report.html"
    done = shell("<&- >&- 2>&-", "evaluate", file, "--report", report)
    assert done.returncode == 0
    assert report.read_text().startswith("<!")


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "{rows}"],
        ["evaluate", "{rows}", "--json", "--report", "report.html"],
        ["check", "{rows}"],
        ["check", "{rows}", "--json", "--quiet"],
        ["generate-rationales", "{rows}", "-o", "x", "--teacher", "recorded:{rows}", "--dry-run"],
        ["predict", "{rows}", "--answer-model", "{run}", "--rationale-model", "{writer}"],
    ],
)
def test_a_closed_stdout_is_an_error(
    trained: Trained, tmp_path: Path, arguments: list[str]
) -> None:
    rows = [{**row, "prediction": "A", "reply": "Answer: A"} for row in world_rows()]
    file = write_rows(tmp_path / "p.jsonl", rows)
    names = {"rows": file, "run": trained.answer, "writer": trained.rationale}
    done = shell(">&-", *(word.format(**names) for word in arguments))
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output is closed")
    assert done.stderr.count("\n") == 1


def test_a_check_that_prints_nothing_needs_no_stdout(tmp_path: Path) -> None:
    done = shell(">&-", "check", write_rows(tmp_path / "q.jsonl", world_rows()), "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


def test_names_that_utf_8_cannot_spell_are_printed(scicot: Any, tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"p\xff.jsonl")
    write_rows(file, [{**row, "prediction": "A"} for row in world_rows()])
    done = subprocess.run(
        [*CLI, "evaluate", file], capture_output=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"p\\udcff" in done.stdout


def test_an_interrupt_that_python_ignores_is_not_reported(capsys: Any) -> None:
    """The signal handler has already recorded the interrupt in `stop_request.stop`."""

    class Ignored:
        exc_value = KeyboardInterrupt()

    signals._unraisable(Ignored)
    assert capsys.readouterr().err == ""
