"""Check and lock the output of a command, and name the files that scicot keeps beside it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scicot import standard_input
from scicot.errors import ScicotError, UsageError
from scicot.stop_request import stop

STDOUT = "-"

# Suffixes of the files, and of the folders, that commands write beside an output (see `beside`).
_FILES = (
    *("state.json", "lock", "rejected.jsonl"),
    *("done.sqlite", "done.sqlite-wal", "done.sqlite-shm", "done.sqlite-journal"),
)
_FOLDERS = ("batches",)
# Suffixes of files that hold something else than lines of JSON.
_OTHER_FORMATS = (
    ".csv",
    ".tsv",
    ".parquet",
    ".xlsx",
    ".arrow",
    ".gz",
    ".zst",
    ".bz2",
    ".xz",
    ".zip",
)


def check_not_read(owned: Sequence[Path], inputs: Iterable[str]) -> None:
    """Raise ScicotError if one of the files to be written (`owned`) is also one of the inputs. For
    the input "-", check the file from which standard input is redirected."""
    for source in inputs:
        try:
            read = _stdin_stat() if source == STDOUT else os.stat(source)  # noqa: PTH116
        except (OSError, ValueError, AttributeError):
            continue
        for file in owned:
            if file.exists() and os.path.samestat(file.stat(), read):
                raise ScicotError(f"{file}: is the input as well; choose another output")


def _stdin_stat() -> os.stat_result:
    stream = standard_input.stream()
    if stream is None:
        raise ValueError("closed")
    return os.fstat(stream.fileno())


def holds_something(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a companion file of an output: rationales.lock for the output
    rationales.jsonl and the suffix "lock"."""
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.{suffix}")


def check_suffix(path: Path) -> None:
    """Raise UsageError if the name of a new output has the suffix of a format other than JSON
    lines, such as .csv."""
    if not path.exists() and path.suffix.lower() in _OTHER_FORMATS:
        raise UsageError(f"-o {path}: rows are written as JSON lines; name a .jsonl file")


def check_beside(path: Path) -> None:
    """Check the files and folders that scicot keeps beside the output `path`. Raises ScicotError if
    one of them is a symbolic link, a file in place of a folder, or a folder in place of a file."""
    if os.fspath(path) == STDOUT:
        return
    # Where several users can write to a folder, a symbolic link could make scicot read or overwrite
    # a file of another user. The output itself may be a link, since the user named it.
    for suffixes, is_right_type, noun in (
        (_FILES, stat.S_ISREG, "file"),
        (_FOLDERS, stat.S_ISDIR, "folder"),
    ):
        for suffix in suffixes:
            file = beside(path, suffix)
            try:
                mode = file.lstat().st_mode
            # missing, or an invalid name, for which opening the file reports an error
            except (OSError, ValueError):
                continue
            if not is_right_type(mode):
                what, which = f"not a {noun}", "what is there"
                if stat.S_ISLNK(mode):
                    what, which = "a symbolic link", "the link"
                raise ScicotError(
                    f"{file}: is {what}, but scicot needs a {noun} with this name; remove {which},"
                    " or choose another output"
                )


def make_parent(path: Path) -> None:
    """Create the folder of an output file if it does not exist. Raises ScicotError if this fails,
    or if files cannot be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScicotError(f"{path.parent}: cannot be created ({error.strerror})") from None
    if not os.access(path.parent, os.W_OK):
        raise ScicotError(
            f"{path.parent}: no permission to write there; change the permissions, or choose"
            " another output"
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file of an output during the block. Raises ScicotError if another process holds
    it, or if it cannot be created."""
    from filelock import FileLock, Timeout

    check_beside(path)
    lock = FileLock(beside(path, "lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        # filelock also waits, and gives up, where a file can never be created, as in /proc
        if not os.path.lexists(lock.lock_file):
            raise ScicotError(f"{path}: no file can be created there") from None
        raise ScicotError(
            f"{path}: another process is writing it; wait for it, or choose another output"
        ) from None
    except OSError as error:
        raise ScicotError(f"{path}: cannot be locked ({error.strerror})") from None
    try:
        with counted_as_open():
            yield
    finally:
        # Removed while the lock is held: filelock notices if the file it opened was removed, and
        # retries.
        with suppress(OSError):
            os.unlink(lock.lock_file)
        lock.release()


@contextmanager
def counted_as_open() -> Iterator[None]:
    """Increase `stop.open_outputs` by one during the block."""
    # A signal that arrives during an import ends the process at once if no output is open.
    # Otherwise the process stops after the import, when the output's rows can be flushed.
    stop.open_outputs += 1
    try:
        yield
    finally:
        stop.open_outputs -= 1
