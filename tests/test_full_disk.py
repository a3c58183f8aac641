"""A full disk gives a one-line, resumable error, in whichever library it occurs."""

import errno
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Trained, read_rows, world_rows, write_rows

from scicot.errors import no_room


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Imitate a full disk: writing more than `size` bytes to a file fails with EFBIG."""
    # unlike a file system that is really full, this limit needs no root rights
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# File size limits in bytes, too small for the manifest, a checkpoint's weights, its optimizer
# state, and the best weights.
@pytest.mark.parametrize("size", [500, 50_000, 600_000, 1_500_000])
def test_training_stops_in_one_line_and_goes_on(
    scicot: Any, trained: Trained, tmp_path: Path, size: int
) -> None:
    arguments = [
        "train-answer", trained.rows, "-o", tmp_path / "run", "--student", "scratch:tiny",
        "--method", "direct", "--max-steps", 4, "--batch-size", 18, "--device", "cpu",
        "--checkpoint-minutes", 1e-6, "--dev-fraction", 0.2, "--fold-by", "id", "--quiet",
    ]  # fmt: skip
    with files_of_at_most(size):
        outcome = scicot(*arguments)
    assert outcome.code == 75
    assert re.fullmatch(
        "error: (File too large|No space left on device); .*run the same command.* to resume\n",
        outcome.stderr,
    )
    outcome = scicot(*arguments)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]


@pytest.mark.parametrize("size", [1000, 4096, 8192, 16384])
def test_generation_stops_in_one_line_and_goes_on(scicot: Any, tmp_path: Path, size: int) -> None:
    rows = world_rows()[:20]
    questions = write_rows(tmp_path / "q.jsonl", rows)
    replies = [{"id": row["id"], "reply": "A text of a few words. Answer: (A)"} for row in rows]
    recorded = write_rows(tmp_path / "replies.jsonl", replies)
    arguments = [
        "generate-rationales", questions, "-o", tmp_path / "out.jsonl", "--keep", "all", "--quiet",
        "--teacher", f"recorded:{recorded}",
    ]  # fmt: skip
    with files_of_at_most(size):
        outcome = scicot(*arguments)
    assert outcome.code == 75, "the index, or a file beside it, is larger"
    assert outcome.stderr.endswith("run the same command again to resume\n")
    assert outcome.stderr.count("\n") == 1
    outcome = scicot(*arguments)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert len(read_rows(tmp_path / "out.jsonl")) == len(rows)


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        # Messages of safetensors, tokenizers, torch and sqlite.
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        Exception("File too large (os error 27)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 22"),
        RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
        RuntimeError("database or disk is full"),
        # `datasets` wraps errors that occur while it writes its cache.
        caused_by(RuntimeError("An error occurred"), OSError(errno.ENOSPC, "No space left")),
    ],
)
def test_what_libraries_say_of_a_full_disk(error: Exception) -> None:
    assert no_room(error)


def test_other_errors_are_none_of_it() -> None:
    assert no_room(OSError(errno.EIO, "Input/output error")) is None
    ring = ValueError("a bug")
    ring.__context__ = caused_by(KeyError("x"), ring)
    assert no_room(ring) is None
