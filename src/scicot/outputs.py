"""Write output files that can be resumed, with a state file that records how each was made.

Beside out.jsonl, out.state.json records how it was made and whether it is finished:

    {"scicot": "0.1.0", "command": "predict", "settings": {...}, "inputs": {"q.jsonl": "<sha256>"},
     "students": [...], "counts": {"rows": 570}, "finished": true}

While a process writes the output, it holds out.lock. If the same command is run again, it skips the
rows that are already written. A command with other settings raises an error that lists the
differences, and changes nothing.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from scicot import jsonl, standard_input
from scicot.errors import ScicotError
from scicot.row_fields import Row
from scicot.stop_request import stop
from scicot.version import __version__

STDOUT = "-"

# Suffixes of the files, and of the folders, that commands write beside an output (see `beside`).
_FILES = (
    *("state.json", "lock", "rejected.jsonl"),
    *("done.sqlite", "done.sqlite-wal", "done.sqlite-shm", "done.sqlite-journal"),
)
_FOLDERS = ("batches",)


class Output:
    """The file or stream to which a command writes its rows. It is made by `open_output`."""

    def __init__(self, name: str, stream: IO[bytes], path: Path | None, state: Row) -> None:
        self.name = name
        self.path = path  # None if the output is a stream
        self.end = path.stat().st_size if path is not None else 0  # byte offset of the next row
        self._stream = stream
        self._state = state

    def write(self, row: Mapping[str, Any]) -> int:
        """Append one row as a line of JSON, and flush it to the system. Returns the byte offset of
        the line."""
        return self.write_all([row])

    def write_all(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Append rows in a single write, and return the byte offset of the first line. If the
        process is killed, the file then contains all of them or (nearly always) none."""
        begin, lines = self.end, b"".join(map(jsonl.encode, rows))
        self._stream.write(lines)
        self._stream.flush()
        self.end += len(lines)
        return begin

    def existing(self) -> Iterator[tuple[str, Row]]:
        """Yield (FILE:LINE, row) for each row that earlier runs of the same command wrote, and
        nothing for a stream."""
        if self.path is not None:
            with self.path.open("rb") as lines:
                yield from jsonl.decode_lines(lines, self.name)

    def finish(self, counts: Mapping[str, int]) -> None:
        """Record in the state file that the output is finished, with these counts. Call this after
        the last row. Does nothing for a stream."""
        if self.path is not None:
            os.fsync(self._stream.fileno())
            _write_state(self.path, {**self._state, "counts": dict(counts), "finished": True})


@contextmanager
def open_output(
    target: str | os.PathLike[str],
    *,
    command: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str | None],
    companions: Sequence[str] = (),
    provenance: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Iterator[Output]:
    """Open the output file of a command, either new or to continue an earlier run of the same
    command.

    `target` "-" is standard output, which has no state file. `settings` and `inputs` (SHA-256 by
    name) are recorded in the state file. `companions` are the suffixes of files that the command
    writes beside the output. `provenance` contains further entries of the state file, which are not
    compared when a run is continued. `defaults` are values for settings that older state files do
    not record. With `force` an existing file is overwritten. Raises ScicotError if the file cannot
    be continued (other command, other settings, no state file), is also an input, or is being
    written by another process.
    """
    state = {
        "scicot": __version__,
        "command": command,
        "settings": json.loads(json.dumps(settings)),
        "inputs": dict(inputs),
        **json.loads(json.dumps(provenance or {})),
    }
    path = Path(target)
    if os.fspath(target) in (STDOUT, "/dev/stdout"):
        with _counted():
            yield Output("<stdout>", _stdout(), None, state)
        return
    if path.is_dir():
        raise ScicotError(f"{path}: is a directory; give the name of a file")
    # a pipe or device, which has no rows to continue after
    if path.exists() and not path.is_file():
        with path.open("wb") as stream, _counted():
            yield Output(str(path), stream, None, state)
        return
    make_parent(path)
    check_beside(path)
    owned = [path, state_path(path), *(beside(path, suffix) for suffix in companions)]
    check_not_read(owned, inputs)
    with locked(path):
        rows = [file for file in owned if file != state_path(path) and _holds_something(file)]
        if force:
            path.write_bytes(b"")
        elif rows:  # if nothing was written yet, any settings may be used
            _check_same(rows[0], state_path(path), state, defaults)
            path.touch()
            jsonl.mend_last_line(path)
        _write_state(path, {**state, "finished": False})
        with path.open("ab") as stream:
            yield Output(str(path), stream, path, state)


@contextmanager
def _counted() -> Iterator[None]:
    """Count an open output in `stop.open_outputs` during the block. A signal during an import then
    does not end the process before the output's rows are flushed."""
    stop.open_outputs += 1
    try:
        yield
    finally:
        stop.open_outputs -= 1


def _stdout() -> IO[bytes]:
    stream: IO[bytes] | None = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise ScicotError("standard output is closed, or takes no bytes; name a file")
    return stream


def check_not_read(owned: Sequence[Path], inputs: Iterable[str]) -> None:
    """Raise ScicotError if one of the files to be written (`owned`) is also one of the inputs. The
    input "-" is the file that standard input is redirected from."""
    for source in inputs:
        try:
            read = _stdin_stat() if source == STDOUT else os.stat(source)  # noqa: PTH116
        except (OSError, ValueError, AttributeError):
            continue
        for file in owned:
            if file.exists() and os.path.samestat(file.stat(), read):
                raise ScicotError(f"{file}: is the input as well; name another output")


def _stdin_stat() -> os.stat_result:
    stream = standard_input.stream()
    if stream is None:
        raise ValueError("closed")
    return os.fstat(stream.fileno())


def _holds_something(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a companion file of an output: rationales.lock for the output
    rationales.jsonl and the suffix "lock"."""
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.{suffix}")


def state_path(path: Path) -> Path:
    return beside(path, "state.json")


def check_beside(path: Path) -> None:
    """Raise ScicotError if something else is in the place of a companion file of an output: a
    symbolic link, or a folder instead of a file or the reverse.

    In a folder that several users write to, somebody may have put a symbolic link there, through
    which another file would be read or overwritten. The output itself may be a link, since the user
    named it.
    """
    if os.fspath(path) == STDOUT:
        return
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
                file_type = "a symbolic link" if stat.S_ISLNK(mode) else f"no {noun}"
                raise ScicotError(
                    f"{file}: is {file_type}; scicot keeps a {noun} of its own there: remove it,"
                    " or name another output"
                )


def own_state(path: Path) -> Row | None:
    """Return the content of an output's state file, or None if there is none. Raises ScicotError if
    the file cannot be read, or if something other than a file of scicot's own is in its place."""
    check_beside(path)
    return read_state(state_path(path))


def read_state(recorded: Path) -> Row | None:
    """Return the content of the state file at this path, or None if it does not exist. Raises
    ScicotError if it cannot be read."""
    try:
        state = jsonl.decode(recorded.read_bytes())
        if isinstance(state, dict) and isinstance(state.get("settings", {}), dict):
            return state
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        pass
    raise ScicotError(
        f"{recorded}: not readable, so its file cannot be continued; --force overwrites both"
    )


def make_parent(path: Path) -> None:
    """Create the folder of an output file if it does not exist. Raises ScicotError if this fails,
    or if files cannot be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScicotError(f"{path.parent}: cannot be made ({error.strerror})") from None
    if not os.access(path.parent, os.W_OK):
        raise ScicotError(f"{path.parent}: no permission to write there")


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
        raise ScicotError(
            f"{path}: another process is writing it; wait for it, or name another output"
        ) from None
    except OSError as error:
        raise ScicotError(f"{path}: cannot be locked ({error.strerror})") from None
    try:
        with _counted():
            yield
    finally:
        # Removed while the lock is held: filelock notices if the file it opened was removed, and
        # retries.
        with suppress(OSError):
            os.unlink(lock.lock_file)
        lock.release()


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> list[str]:
    """List the settings that differ between `old` and `new`, each as "name: was OLD, is NEW".

    A setting that is missing from one of them counts as its value in `defaults`. So an output of an
    older scicot without this setting can be continued.
    """
    old, new = {**(defaults or {}), **old}, {**(defaults or {}), **new}
    return [
        f"{name}: was {old.get(name)!r}, is {new.get(name)!r}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def check_continues(
    path: Path,
    command: str,
    settings: Mapping[str, Any],
    companions: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Raise ScicotError if `open_output`, with the same arguments, would refuse to continue the
    existing output because it was made by another command or with other settings."""
    check_beside(path)
    for file in (path, *(beside(path, suffix) for suffix in companions)):
        if file.is_file() and _holds_something(file):
            decoded = json.loads(json.dumps(settings))
            state = {"command": command, "settings": decoded}
            _check_same(file, state_path(path), state, defaults)


def _check_same(path: Path, recorded: Path, state: Row, defaults: Mapping[str, Any] | None) -> None:
    old = read_state(recorded)
    if old is None:
        raise ScicotError(
            f"{path}: exists and has no {recorded.name} beside it, so it cannot be continued;"
            " --force overwrites it"
        )
    if old.get("command") != state["command"]:
        raise ScicotError(
            f"{path}: was made by scicot {old.get('command')}; name another output,"
            " or overwrite it with --force"
        )
    changed = differences(old.get("settings", {}), state["settings"], defaults)
    if changed:
        raise ScicotError(
            f"{path}: was made with other settings ({'; '.join(changed)});"
            " name another output, or start it over with --force"
        )


def write_finished(
    path: Path,
    command: str,
    settings: Row,
    counts: Mapping[str, int],
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the state file of an output that was written as a whole, and not row by row with
    `open_output`. It records the output as finished."""
    state = {
        "scicot": __version__,
        "command": command,
        "settings": settings,
        "inputs": {},
        **(provenance or {}),
    }
    _write_state(path, {**state, "counts": dict(counts), "finished": True})


def _write_state(path: Path, state: Row) -> None:
    jsonl.write_text(state_path(path), json.dumps(state, indent=1, ensure_ascii=False) + "\n")
