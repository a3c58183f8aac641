"""Replace the run in a directory (--force). The former run is kept in a folder beside it until the
new run is finished.

This folder also shows that a training with --force has begun and has not ended. If the same command
is run again, it continues this training. Without a former run, the folder is empty.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from scicot.errors import ScicotError
from scicot.reporting import Reporter
from scicot.students.runs import read_manifest
from scicot.training.folds import fold_run
from scicot.training.run_directory import is_empty


def former_run(run: Path) -> Path:
    """Return the folder beside the run in which --force keeps the former run."""
    real = run.resolve()  # if the run is a symbolic link: beside its target
    return real.with_name(f".{real.name}.replaced")


def has_begun(run: Path) -> bool:
    """Return True if a training with --force has begun in the directory `run` and has not ended."""
    return former_run(run).is_dir()


def check_ours(run: Path) -> None:
    """Check that training may write and delete the directory `run` and the folder of the former
    run. Raises ScicotError if one of the two exists and is neither empty nor a run of scicot."""
    for folder in (run, former_run(run)):
        if folder.exists() and not folder.is_dir():
            raise ScicotError(f"-o {folder}: is a file; choose another directory")
        if folder.exists() and read_manifest(folder) is None and not is_empty(folder):
            raise ScicotError(f"-o {folder}: is not a scicot run; choose another directory")


def begin(run: Path, reporter: Reporter) -> None:
    """Empty the directory `run`, and keep the run in it as the former run.

    If an earlier training with --force was stopped, its unfinished run is deleted instead. The run
    before it is already kept, and stays.
    """
    former, real = former_run(run), run.resolve()
    if has_begun(run) and not _is_complete(run):
        shutil.rmtree(real, ignore_errors=True)
    elif run.exists() and not is_empty(run):
        shutil.rmtree(former, ignore_errors=True)
        real.rename(former)
        reporter.note(f"the previous {run} is kept as {former} until the training is finished")
    else:
        former.mkdir(parents=True, exist_ok=True)
    real.mkdir(parents=True, exist_ok=True)


def _is_complete(run: Path) -> bool:
    """Return True if the student in the directory `run` and all its fold students are finished."""
    main = read_manifest(run)
    if main is None:
        return False
    folds = [read_manifest(fold_run(run, fold)) for fold in range(main.settings.get("folds", 0))]
    return all(manifest is not None and manifest.finished for manifest in [main, *folds])


def end(run: Path, reporter: Reporter) -> None:
    """Delete the former run, if there is one. Call this when the new run is finished."""
    former = former_run(run)
    shutil.rmtree(former, ignore_errors=True)
    if former.exists():
        reporter.warn(f"{former}: cannot delete the previous run; delete this directory yourself")


def note_about_former(run: Path) -> str:
    """Return the end of an error message that says where the former run is. Return "" if there is
    none."""
    former = former_run(run)
    return f"; the previous run is kept in {former}" if read_manifest(former) is not None else ""
