"""Create temporary files and folders that the next run removes if their process was killed.

The process that creates a temporary file or folder holds a lock on it (flock), which the system
releases when the process ends. So an unlocked file or folder with a name like the following is a
leftover of a dead process:

    .report.html.k3v9x_2a.tmp
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_SUFFIX = ".tmp"
_RANDOM = r"[a-z0-9_]{8}"  # the random part of tempfile's names


def temporary_file(folder: Path, prefix: str) -> tuple[int, str]:
    """Create a temporary file in a folder, with a name that begins with `prefix`. Returns its
    descriptor and its path. The file is locked until the descriptor is closed."""
    while True:
        handle, name = tempfile.mkstemp(_SUFFIX, prefix, folder)
        if _locked_in_place(handle):
            return handle, name
        os.close(handle)


def temporary_folder(folder: Path, prefix: str) -> tuple[int, Path]:
    """Create a temporary folder inside `folder`, with a name that begins with `prefix`. Returns the
    descriptor and the path of the new folder, which is locked until the descriptor is closed."""
    while True:
        path = Path(tempfile.mkdtemp(_SUFFIX, prefix, folder))
        with suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY)
            if _locked_in_place(handle):
                return handle, path
            os.close(handle)


def discard(folder: Path, prefix: str) -> None:
    """Remove the leftovers of dead processes: the unlocked files and folders with this prefix that
    `temporary_file` and `temporary_folder` created in `folder`. Does nothing on file systems
    without locks."""
    name = re.compile(re.escape(prefix) + _RANDOM + re.escape(_SUFFIX))
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if name.fullmatch(entry.name) and not entry.is_symlink():
                _discard_unlocked(entry.path)


def _locked_in_place(handle: int) -> bool:
    """Lock a file or folder that this process has just created. `handle` is its descriptor. Returns
    False if another process has already removed the file or folder as a leftover."""
    with suppress(OSError):  # file systems without locks
        fcntl.flock(handle, fcntl.LOCK_EX)
    return os.fstat(handle).st_nlink > 0


def _discard_unlocked(path: str) -> None:
    folder = Path(path).is_dir()
    # NFS locks only files that are open for writing, and a folder cannot be opened for writing.
    access = os.O_RDONLY if folder else os.O_RDWR | os.O_NONBLOCK
    with suppress(OSError):
        handle = os.open(path, access | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder:
                shutil.rmtree(path)
            else:
                os.unlink(path)
        finally:
            os.close(handle)
