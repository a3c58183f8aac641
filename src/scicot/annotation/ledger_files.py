"""Open the ledger of an output: its files of rows, and their index."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scicot import jsonl
from scicot.annotation.index import Index
from scicot.annotation.ledger import INDEX, REJECTED, Ledger
from scicot.errors import ScicotError, no_room
from scicot.outputs import Output, beside


@contextmanager
def open_ledger(output: Output, *, retry: tuple[str, ...] = (), force: bool) -> Iterator[Ledger]:
    """Open the ledger of an output and load the rows of earlier runs.

    Rejected requests that will be sent again have a retry mark. `retry` decides which are marked:

    - If `retry` is empty, no request is marked.
    - Otherwise, if an earlier run was stopped during a retry, this run continues the retry. Only
      the requests that the earlier run did not finish are marked.
    - Otherwise the requests that were rejected for a reason in `retry` are marked.

    The rejected row of a marked request stays in OUT.rejected.jsonl until the request has a new
    row.

    With `force`, OUT.rejected.jsonl is emptied and the index is deleted. If the output is a stream,
    there is no file of rejected rows, and the index is temporary.
    """
    if output.path is None:
        index = Index(None)
        try:
            yield Ledger(output, None, index)
        finally:
            index.close()
        return
    output.begin()
    path, index_path = beside(output.path, REJECTED), beside(output.path, INDEX)
    if force:
        path.write_bytes(b"")
        discard_index(index_path)
    with jsonl.appending(path) as rejects:
        index, ledger = _opened(output, rejects, index_path, retry)
        try:
            yield ledger
        finally:
            try:
                ledger.close()
            finally:
                index.close()


@contextmanager
def read_ledger(path: Path | None, *, retry: tuple[str, ...] = ()) -> Iterator[Ledger]:
    """Yield a ledger of the rows that earlier runs wrote to `path`, without changing any file. The
    ledger is empty if `path` is None or has no rows. `retry` is as in `open_ledger`."""
    index = Index(None)
    try:
        ledger = Ledger(Output(str(path or ""), io.BytesIO(), None, {}), None, index)
        files = [] if path is None else [path, beside(path, REJECTED)]
        ledger.catch_up(*(file for file in files if file.is_file()))
        if not (path and retry and index.copy_marks(beside(path, INDEX))):
            index.retry(retry)
        yield ledger
    finally:
        index.close()


def _opened(
    output: Output, rejects: jsonl.Appender, index_path: Path, retry: tuple[str, ...]
) -> tuple[Index, Ledger]:
    """Open the index file and return (index, ledger). A damaged index is deleted and rebuilt."""
    if index_path.is_dir():
        raise ScicotError(
            f"{index_path}: is a directory, but the index of {output.name} belongs there; move it,"
            " or use another -o"
        )
    for last_try in (False, True):
        index = None
        try:
            index = Index(index_path)
            ledger = Ledger(output, rejects, index)
            ledger.open(retry=retry)
        except sqlite3.DatabaseError as error:
            if index is not None:
                index.close()
            if last_try or no_room(error):
                raise
            discard_index(index_path)
        else:
            return index, ledger
    raise AssertionError


def discard_index(index_path: Path) -> None:
    """Delete an index file and SQLite's auxiliary files (-wal and -shm)."""
    for ending in ("", "-wal", "-shm"):
        index_path.with_name(index_path.name + ending).unlink(missing_ok=True)
