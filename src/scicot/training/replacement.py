"""Replace the run in a directory (--force). The former run is kept in a folder beside the directory
until the new run is finished.

This folder also shows that a training with --force has begun and has not ended. If the user repeats
the same command, the training is continued. Without a former run, the folder is empty.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from scicot.errors import ScicotError
from scicot.reporting import Reporter
from scicot.stages import Stage
from scicot.students.manifest import MANIFEST, read_manifest
from scicot.training.folds import OUT_OF_FOLD, fold_run
from scicot.training.run_directory import is_empty


def former_run(run: Path) -> Path:
    """Return the folder in which --force keeps the former run. The folder is beside `run`."""
    real = run.resolve()  # if the run is a symbolic link: beside its target
    return real.with_name(f".{real.name}.replaced")


def has_begun(run: Path) -> bool:
    """Return True if a training with --force has begun in the directory `run` and has not ended."""
    return former_run(run).is_dir()


def check_ours(run: Path) -> None:
    """Check that training may write and delete two directories: `run`, and the folder that
    `former_run` returns. Raises ScicotError if one of the two exists and is neither empty nor a run
    of scicot."""
    for folder in (run, former_run(run)):
        if folder.exists() and not folder.is_dir():
            raise ScicotError(f"-o {folder}: is a file; choose another directory")
        if folder.exists() and read_manifest(folder) is None and not is_empty(folder):
            raise ScicotError(f"-o {folder}: is not a scicot run; choose another directory")


def begin(run: Path, reporter: Reporter) -> None:
    """Empty the directory `run` for a new training with --force. Do not call this if an earlier
    training with --force is continued.

    - If the directory holds the unfinished run of an earlier training with --force, this run is
      deleted. The former run, which the earlier training kept, stays.
    - Any other run in the directory becomes the former run.
    """
    former, real = former_run(run), run.resolve()
    if has_begun(run) and not _is_complete(run):
        _delete(real)
    elif run.exists() and not is_empty(run):
        _delete(former)
        real.rename(former)
        reporter.note(f"the previous {run} is kept as {former} until the training is finished")
    else:
        former.mkdir(parents=True, exist_ok=True)
    real.mkdir(parents=True, exist_ok=True)


def _is_complete(run: Path) -> bool:
    """Return True if everything that a training writes to the directory `run` is finished."""
    main = read_manifest(run)
    if main is None or not main.finished:
        return False
    if main.seeds:
        return all(_is_complete(run / name) for name in main.seeds)
    folds = [read_manifest(fold_run(run, fold)) for fold in range(main.settings.get("folds", 0))]
    if folds and main.stage is Stage.RATIONALE and not (run / OUT_OF_FOLD).exists():
        return False
    return all(manifest is not None and manifest.finished for manifest in folds)


def _delete(run: Path) -> None:
    """Delete a run directory. The manifest is deleted last. If the deletion is interrupted, the
    directory is thus still recognised as a run."""
    for path in run.iterdir() if run.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != MANIFEST:
            path.unlink(missing_ok=True)
    shutil.rmtree(run, ignore_errors=True)


def end(run: Path, reporter: Reporter) -> None:
    """Delete the former run, if there is one. Call this when the new run is finished."""
    former = former_run(run)
    _delete(former)
    if former.exists():
        reporter.warn(f"{former}: cannot delete the previous run; delete this directory yourself")


def note_about_former(run: Path) -> str:
    """Return a text to add to an error message. The text says where the former run is. Return "" if
    there is no former run."""
    former = former_run(run)
    return f"; the previous run is kept in {former}" if read_manifest(former) is not None else ""
