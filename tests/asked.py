"""Questions for the teacher server, and commands that send them to the server."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from conftest import read_rows, write_rows

MATERIALS = ("copper", "iron", "silver", "gold", "zinc", "wood", "glass", "wool", "wax", "stone")


def questions(path: Path, count: int) -> Path:
    """Write `count` different questions. The choices of each are three materials."""
    rows = []
    for number in range(count):
        texts = [MATERIALS[(number + step) % len(MATERIALS)] for step in (0, 3, 7)]
        rows.append(
            {
                "id": f"q{number}",
                "question": f"Of what is part {number} of the machine made?",
                "choices": [{"label": a, "text": b} for a, b in zip("ABC", texts, strict=True)],
                "answer": "ABC"[number % 3],
            }
        )
    return write_rows(path, rows)


KINDS = ("anthropic:m", "openai:m")  # teachers whose APIs the teacher server implements


def command(
    source: Path, out: Path, url: str, *options: object, teacher: str = KINDS[0]
) -> list[str]:
    arguments = ["generate-rationales", source, "-o", out, "--teacher", teacher, "--base-url", url]
    return [sys.executable, "-m", "scicot_cli", *map(str, [*arguments, *options])]


def started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def finished(command: list[str], timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def all_rows(out: Path) -> list[dict[str, Any]]:
    """Return the kept and rejected rows, without an incomplete last line."""
    rows = []
    for file in (out, out.with_suffix(".rejected.jsonl")):
        if file.exists():
            whole = file.read_bytes().rpartition(b"\n")[0]
            copy = file.with_name("whole.tmp")
            copy.write_bytes(whole + b"\n" if whole else b"")
            rows += read_rows(copy)
            copy.unlink()
    return rows


def content(out: Path) -> Counter[str]:
    """Count each kept or rejected row, so that outputs can be compared in any order."""
    return Counter(repr(sorted(row.items(), key=lambda item: item[0])) for row in all_rows(out))
