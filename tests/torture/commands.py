"""Run scicot commands as a shell does, kill them, and check their exit code and stderr."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from torture.results import Result

# Texts that must never appear on stderr, whatever the input or the server.
NEVER = ("Traceback", "Exception ignored", "aclose", "was never retrieved", "never awaited")
EXITS = (0, 1, 3, 75)
PATIENCE = 120.0  # seconds until a command counts as hanging


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "scicot_cli", *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return the environment without API keys, with the Hub offline, no GPU and one thread."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC_", "HF_", "SLURM_"))
    }
    return {**kept, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def start(arguments: Sequence[str], errors: Path) -> subprocess.Popen[bytes]:
    """Start a command whose stderr goes to a file: a pipe that nobody reads would stop it."""
    with errors.open("wb") as stderr:
        return subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=stderr, env=environment()
        )


@dataclass
class Ended:
    """The result of a command; `code` is None if it was killed."""

    code: int | None
    stderr: str


def finish(
    result: Result, arguments: Sequence[str], errors: Path, *, allowed: Sequence[int] = EXITS
) -> Ended:
    """Run a command to its end, and record broken promises."""
    process = start(arguments, errors)
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        result.expect(False, f"ended within {PATIENCE:.0f} s: {shown(arguments)}")
        code = -9
    said = errors.read_text(errors="replace")
    check_stderr(result, said, arguments)
    result.expect(
        code in allowed, f"exit code {code} of {list(allowed)}: {shown(arguments)}: {said[-300:]}"
    )
    return Ended(code, said)


def check_stderr(result: Result, said: str, arguments: Sequence[str]) -> None:
    for word in NEVER:
        at = said.find(word)
        result.expect(
            at < 0, f"nothing like {word!r} on stderr: {shown(arguments)}: {said[at:][-400:]}"
        )
    digits = re.search(r"\d{80}", said)
    result.expect(digits is None, f"no number of 80 digits on stderr: {shown(arguments)}")


def shown(arguments: Sequence[str]) -> str:
    return " ".join(arguments[3:])


def killed_until_done(
    result: Result,
    arguments: Sequence[str],
    errors: Path,
    draw: Random,
    *,
    kills: int,
    moment: Callable[[Random], float],
    done: Sequence[int] = (0,),
    around: Callable[[], Callable[[], None]] | None = None,
) -> int:
    """Kill a command up to `kills` times, each `moment` seconds after its start, then let it end.
    `around` is called before each of these starts. The function that it returns is called after the
    kill. Return the number of kills."""
    survived = 0
    after: Callable[[], None] = _nothing
    for _ in range(kills):
        after()
        after = _nothing if around is None else around()
        process = start(arguments, errors)
        try:
            code = process.wait(moment(draw))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            survived += 1
            check_stderr(result, errors.read_text(errors="replace"), arguments)
            continue
        said = errors.read_text(errors="replace")
        check_stderr(result, said, arguments)
        result.expect(
            code in done, f"exit code {code} between kills: {shown(arguments)}: {said[-300:]}"
        )
        if code in done:
            break
    after()
    finish(result, arguments, errors, allowed=done)
    return survived


def _nothing() -> None:
    pass


def leftovers(folder: Path) -> list[str]:
    """Temporary files of killed writers."""
    return sorted(path.name for path in folder.rglob(".*") if path.is_file())
