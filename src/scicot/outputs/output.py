"""Open a new or existing output file, and append rows to it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

from scicot import jsonl
from scicot.errors import InvalidRow, ScicotError
from scicot.outputs.files import (
    STDOUT,
    beside,
    check_beside,
    check_not_read,
    counted_as_open,
    holds_something,
    locked,
    make_parent,
)
from scicot.outputs.state import check_same, is_begun_with_force, own_state, state_path, write_state
from scicot.reporting import Reporter
from scicot.row_fields import Row
from scicot.version import __version__


class Output:
    """The file or stream to which a command writes its rows. It is made by `open_output`."""

    def __init__(
        self,
        name: str,
        stream: IO[bytes],
        path: Path | None,
        state: Row,
        *,
        forced: bool = False,
    ) -> None:
        self.name = name
        self.path = path  # None if the output is a stream
        self.end = path.stat().st_size if path is not None else 0  # byte offset of the next row
        self._stream = stream
        self._state = state
        self._forced = forced  # True if this output was begun with --force
        self._has_begun = path is None

    def begin(self) -> None:
        """Record in the state file that the output is not finished. Call this before anything else
        is written beside the output. The methods that write rows call it themselves."""
        # Not done when the output is opened, because the command may still be refused.
        if not self._has_begun and self.path is not None:
            write_state(self.path, {**self._state, "finished": False, "forced": self._forced})
            self._has_begun = True

    def write(self, row: Mapping[str, Any]) -> int:
        """Append one row as a line of JSON, and flush it to the system. Returns the byte offset of
        the line."""
        return self.write_all([row])

    def write_all(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Append rows in a single write, and return the byte offset of the first line. If the
        process is killed during the write, the file nearly always contains either all of these rows
        or none of them."""
        begin, lines = self.end, b"".join(map(jsonl.encode, rows))
        self.begin()
        self._stream.write(lines)
        self._stream.flush()
        self.end += len(lines)
        return begin

    def existing(self) -> Iterator[tuple[str, Row]]:
        """Yield (FILE:LINE, row) for each row that earlier runs of the same command wrote. Yield
        nothing for a stream."""
        if self.path is not None:
            with self.path.open("rb") as lines:
                try:
                    yield from jsonl.decode_lines(lines, self.name)
                except InvalidRow as row:
                    advice = "choose another output, or overwrite this one with --force"
                    raise InvalidRow(row.where, f"{row.problem}; {advice}") from None

    def finish(self, counts: Mapping[str, int]) -> None:
        """Record in the state file that the output is finished, with these counts. Call this after
        the last row. Does nothing for a stream."""
        if self.path is not None:
            os.fsync(self._stream.fileno())
            write_state(self.path, {**self._state, "counts": dict(counts), "finished": True})


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
    """Open the output file of a command: create it, or continue the file of an earlier call of the
    same command.

    `target` is the path of the output, or "-" for standard output, which has no state file. The
    state file records `command`, `settings`, `inputs` and the entries of `provenance`. `inputs`
    maps the name of each input to its SHA-256, or to None if that is unknown. `defaults` are values
    for settings that older state files do not record. `companions` are the suffixes of files that
    the command writes beside the output.

    A file is continued if `command` and `settings` equal the recorded ones; `inputs` and
    `provenance` may differ. The state file is not changed before the first new row. With `force` an
    existing file is overwritten; see `starts_over` for what callers pass as `force`. Raises
    ScicotError if the file cannot be continued, is also an input, or is being written by another
    process.
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
        with counted_as_open():
            yield Output("<stdout>", _stdout(), None, state)
        return
    if path.is_dir():
        raise ScicotError(f"{path}: is a directory; give the name of a file")
    # a pipe or device, which has no rows to continue after
    if path.exists() and not path.is_file():
        with path.open("wb") as stream, counted_as_open():
            yield Output(str(path), stream, None, state)
        return
    make_parent(path)
    check_beside(path)
    owned = [path, state_path(path), *(beside(path, suffix) for suffix in companions)]
    check_not_read(owned, inputs)
    with locked(path):
        rows = [file for file in owned if file != state_path(path) and holds_something(file)]
        forced = force or is_begun_with_force(path)
        if force:
            path.write_bytes(b"")
        elif rows:  # if nothing was written yet, any settings may be used
            check_same(rows[0], state_path(path), state, defaults)
            path.touch()
            jsonl.mend_last_line(path)
        with path.open("ab") as stream:
            output = Output(str(path), stream, path, state, forced=forced)
            if force:
                output.begin()
            yield output


def starts_over(
    target: str | os.PathLike[str],
    *,
    command: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str | None],
    companions: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
    force: bool,
    reporter: Reporter,
) -> bool:
    """Return True if a call must start over, and delete the rows of an existing output. The
    arguments are those of `open_output`.

    Return False in these cases:

    - `force` is False.
    - An earlier call with `force` was stopped and can be continued. A note then informs the user. A
      user can thus repeat a command with --force until the command has finished.

    The earlier call can be continued under these conditions:

    - The earlier call had the same `command`, `settings` and `inputs`. An input whose SHA-256 is
      None, such as a pipe, never counts as the same input.
    - The rows of the earlier call are readable.
    """
    path = Path(target)
    if not force or not is_begun_with_force(path):
        return force
    try:
        state = {"command": command, "settings": json.loads(json.dumps(settings))}
        check_same(path, state_path(path), state, defaults)
    except ScicotError:
        return True
    recorded = (own_state(path) or {}).get("inputs")
    if recorded != dict(inputs) or None in inputs.values():
        return True
    files = [path, *(beside(path, suffix) for suffix in companions)]
    if not all(map(_is_readable, files)):
        return True
    reporter.note(f"{path}: resuming the output that an earlier --force started")
    return False


def _is_readable(file: Path) -> bool:
    """Return True if each line of a file is a JSON object. The last line may be incomplete. Also
    return True if there is no such file."""
    if not file.is_file():
        return True
    with file.open("rb") as lines:
        try:
            for _ in jsonl.decode_lines(takewhile(lambda line: line.endswith(b"\n"), lines), ""):
                pass
        except InvalidRow:
            return False
    return True


def check_output_not_read(
    target: str | os.PathLike[str],
    files: Iterable[str | os.PathLike[str]],
    companions: Sequence[str] = (),
) -> None:
    """Raise ScicotError if a command would overwrite one of its input `files`.

    The files to be written are the output `target`, its state file, and its `companions` (see
    open_output).
    """
    path = Path(target)
    if os.fspath(target) != STDOUT and not (path.exists() and not path.is_file()):
        owned = [path, state_path(path), *(beside(path, suffix) for suffix in companions)]
        check_not_read(owned, [os.fspath(file) for file in files])


def _stdout() -> IO[bytes]:
    stream: IO[bytes] | None = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise ScicotError("standard output is closed or does not accept bytes; name an output file")
    return stream


def check_continues(
    path: Path,
    command: str,
    settings: Mapping[str, Any],
    companions: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Check that `open_output`, with the same arguments, could continue the output `path`. Raises
    ScicotError if `path` was made by another command or with other settings, or if it has no state
    file."""
    check_beside(path)
    for file in (path, *(beside(path, suffix) for suffix in companions)):
        if file.is_file() and holds_something(file):
            decoded = json.loads(json.dumps(settings))
            state = {"command": command, "settings": decoded}
            check_same(file, state_path(path), state, defaults)


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
    write_state(path, {**state, "counts": dict(counts), "finished": True})
