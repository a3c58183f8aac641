"""Mark complete checkpoints, and find the last one that is not damaged."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

from scicot import jsonl
from scicot.models.weights import is_whole
from scicot.reporting import Reporter
from scicot.training.best_checkpoint import Selection

# Marker file, written into a checkpoint when it is complete. It lists the size of each file in
# bytes: {"files": {"optimizer.pt": 1234, ...}, "train_seconds": 56.7}.
COMPLETE_MARKER = "whole"
_STATE = "trainer_state.json"
_NEEDED = (_STATE, "optimizer.pt", "scheduler.pt")


def mark_complete(checkpoint: Path, train_seconds: float) -> None:
    """Sync the files of a checkpoint to disk, and then write its marker file. `train_seconds` is
    the duration of the training up to this checkpoint, in seconds."""
    sizes = {}
    for file in sorted(checkpoint.iterdir()):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())  # otherwise a power loss may leave files cut off
                sizes[file.name] = os.fstat(stream.fileno()).st_size
    marker = {"files": sizes, "train_seconds": round(train_seconds, 1)}
    jsonl.write_text(checkpoint / COMPLETE_MARKER, json.dumps(marker) + "\n")


def last_usable(folder: Path, selection: Selection | None, reporter: Reporter) -> Path | None:
    """Return the last complete and undamaged checkpoint in a folder. Return None if the folder has
    no such checkpoint.

    Checkpoints whose writing was interrupted have no marker file, and are deleted. Damaged
    checkpoints are renamed to damaged-STEP, with a warning.
    """
    damaged = []
    usable = None
    for checkpoint in sorted(_numbered(folder), key=step_of, reverse=True):
        if not (checkpoint / COMPLETE_MARKER).exists():
            shutil.rmtree(checkpoint, ignore_errors=True)
        elif problem := _damage(checkpoint, selection):
            damaged.append(f"{checkpoint}: {problem}")
            _set_aside(checkpoint)
        else:
            usable = checkpoint
            break
    if damaged:
        instead = f"goes on from step {step_of(usable)}" if usable else "starts from the beginning"
        reporter.warn(f"{'; '.join(damaged)}; the training {instead}")
    return usable


def logs(folder: Path) -> list[list[dict[str, Any]]]:
    """Return the training logs of all complete checkpoints in a folder. Unreadable logs are left
    out."""
    complete = (path for path in _numbered(folder) if (path / COMPLETE_MARKER).exists())
    return [_log(checkpoint) for checkpoint in complete if _is_readable(checkpoint / _STATE)]


def train_seconds(checkpoint: Path) -> float:
    """Return the duration of the training up to a checkpoint, in seconds. Return 0 for a checkpoint
    of an older version of scicot, which did not record the duration."""
    text = (checkpoint / COMPLETE_MARKER).read_bytes()
    return float(json.loads(text).get("train_seconds", 0.0)) if text else 0.0


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _numbered(folder: Path) -> list[Path]:
    return [path for path in folder.glob("checkpoint-*") if path.name[11:].isdecimal()]


def _log(checkpoint: Path) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = json.loads((checkpoint / _STATE).read_bytes())["log_history"]
    return log


def _damage(checkpoint: Path, selection: Selection | None) -> str | None:
    """Describe the damage of a checkpoint that has a marker file. Return None if no damage is
    found. Large files are not read completely, so some damage is not found."""
    try:
        text = (checkpoint / COMPLETE_MARKER).read_bytes()
        # Earlier versions wrote an empty marker file.
        sizes: dict[str, int] = dict(json.loads(text)["files"]) if text else {}
    except (ValueError, KeyError, TypeError):
        return f"{COMPLETE_MARKER} is damaged"
    for name in sorted({*_NEEDED, *sizes}):
        file = checkpoint / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != sizes.get(name, file.stat().st_size) or not _is_readable(file):
            return f"{name} is damaged"
    if not is_whole(checkpoint):
        return "its weights are missing or damaged"
    best = selection.best_file(_log(checkpoint)) if selection is not None else None
    if best is not None and not _is_readable(best):
        return f"{best.name}, the best weights so far, is missing or damaged"
    return None


def _is_readable(file: Path) -> bool:
    """Check the contents of one file of a checkpoint. Return False in these cases:

    - A .pt or .pth file (written by torch.save) is missing or cut off.
    - trainer_state.json is missing, is not valid JSON, or has no list "log_history".

    Return True for files with other names: they are not checked.
    """
    if file.name == _STATE:
        try:
            return isinstance(json.loads(file.read_bytes())["log_history"], list)
        except (OSError, ValueError, KeyError, TypeError):
            return False
    # torch.save writes ZIP files, whose directory is at their end.
    return file.suffix not in (".pt", ".pth") or zipfile.is_zipfile(file)


def _set_aside(checkpoint: Path) -> None:
    """Rename a damaged checkpoint, so that the Trainer neither counts nor overwrites it."""
    kept = checkpoint.with_name(f"damaged-{step_of(checkpoint)}")
    shutil.rmtree(kept, ignore_errors=True)
    checkpoint.rename(kept)
