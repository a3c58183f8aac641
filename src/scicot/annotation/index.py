"""Keep an SQLite index (OUT.done.sqlite) of the finished requests of an output, so that a resumed
run need not read millions of rows again.

The index is derived from the files of kept and rejected rows, and is rebuilt if it does not match
them. So it can be deleted at any time. After a crash, only the rows written since the last commit
of the index are read again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot.errors import StoppedEarly
from scicot.sources.seen import digest

VERSION = 1
RETRYING = "retrying"  # name of a stored value: True until a retry has sent all its requests
_CACHE_KIB = 65_536
_TAIL = 4096  # bytes at the end of the indexed part; their digest identifies the file


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of one row: its request, the outcome, and the row's position in its file.

    `identity` is the id of the question. `revealed` is True if the request showed the gold answer.
    `reason` is why the reply was rejected, None if it was kept. `offset` is the byte at which the
    row's line begins. `cost` is in dollars. `named` is True if the rationale names the gold choice
    and no other.
    """

    identity: str
    content: str  # identifies the question's text, context, choices and gold answer
    sample: int
    revealed: bool
    reason: str | None
    offset: int
    cost: float
    named: bool = False


class Index:
    """An index of the requests that are done, with an `Entry` for each. `path` is its SQLite file.
    If `path` is None, the index is a temporary database, which is deleted when it is closed."""

    def __init__(self, path: Path | None) -> None:
        # check_same_thread=False, because the garbage collector may close the connection in another
        # thread.
        name = "" if path is None else str(path)
        self._table = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        run = self._table.execute
        run(f"pragma cache_size = -{_CACHE_KIB}")
        # A write-ahead log survives a killed process. It need not survive a power failure, since
        # the index can be rebuilt.
        run("pragma journal_mode = wal")
        run("pragma synchronous = off")
        run("begin immediate")
        run("create table if not exists told (name text primary key, value text)")
        run(
            "create table if not exists requests (id integer, sample integer, revealed integer,"
            " content integer, reason text, offset integer, cost real, named integer,"
            " retry integer default 0, primary key (id, sample, revealed)) without rowid"
        )

    @classmethod
    def peek(cls, path: Path, names: Sequence[str]) -> dict[str, Any] | None:
        """Read the values stored under these names from an index file, without changing it. A name
        that is not stored has the value None. Return None if the file cannot be read."""
        try:
            table = _read_only(path)
            try:
                stored = dict(table.execute("select name, value from told"))
            finally:
                table.close()
        except sqlite3.Error:
            return None
        return {name: json.loads(stored[name]) if name in stored else None for name in names}

    def get(self, name: str) -> Any:
        row = self._table.execute("select value from told where name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, name: str, value: Any) -> None:
        self._write("insert or replace into told values (?, ?)", (name, json.dumps(value)))

    def add(self, entry: Entry) -> None:
        """Insert an entry. It replaces an earlier entry of the same request."""
        self._write(
            "insert or replace into requests values (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (
                digest(entry.identity),
                entry.sample,
                entry.revealed,
                digest(entry.content),
                entry.reason,
                entry.offset,
                entry.cost,
                entry.named,
            ),
        )

    def of(self, identity: str) -> list[tuple[int, bool, int, str | None, int, bool]]:
        """Return the entries of the question with this id, each as a tuple (sample, revealed,
        content, reason, offset, retry). `content` is a digest of the question's content. `retry` is
        True if the request will be sent again. For the other values see `Entry`."""
        query = "select sample, revealed, content, reason, offset, retry from requests where id = ?"
        rows = self._table.execute(query, (digest(identity),))
        return [
            (sample, bool(revealed), content, reason, offset, bool(retry))
            for sample, revealed, content, reason, offset, retry in rows
        ]

    def retry(self, reasons: tuple[str, ...]) -> None:
        """Set the retry mark of each request that was rejected for one of these reasons. Remove
        the retry marks of all other requests."""
        self._table.execute("update requests set retry = 0 where retry")
        self.retry_also(reasons)

    def retry_also(self, reasons: tuple[str, ...]) -> None:
        """Set the retry mark of each request that was rejected for one of these reasons. Retry
        marks that were set before are kept."""
        marks = ", ".join("?" * len(reasons))
        self._table.execute(f"update requests set retry = 1 where reason in ({marks})", reasons)

    def copy_marks(self, path: Path) -> bool:
        """If the index file `path` records an interrupted retry, copy the retry marks from the file
        to this index, and return True. Otherwise return False. A request with a retry mark will be
        sent again."""
        if not (self.peek(path, [RETRYING]) or {}).get(RETRYING):
            return False
        table = _read_only(path)
        try:
            # The offset differs if the row was replaced after the index file was written. Such a
            # request has been sent again already, so it is not marked.
            query = "select id, sample, revealed, offset from requests where retry"
            self._table.executemany(
                "update requests set retry = 1 where id = ? and sample = ? and revealed = ?"
                " and offset = ? and reason is not null",
                table.execute(query),
            )
        finally:
            table.close()
        return True

    def counts(self) -> Counter[str | None]:
        """Return the number of rows by the reason for their rejection; kept rows are counted under
        None."""
        query = "select reason, count(*) from requests group by reason"
        return Counter(dict(self._table.execute(query)))

    def named(self) -> int:
        """Return the number of kept rows whose rationale names the gold choice and no other."""
        (count,) = self._table.execute("select total(named) from requests").fetchone()
        return int(count)

    def reason(self, identity: str, sample: int, *, revealed: bool) -> str | bool | None:
        """Return the reason why the reply to a request was rejected, None if it was kept, or False
        if the request has no row."""
        query = "select reason from requests where id = ? and sample = ? and revealed = ?"
        row = self._table.execute(query, (digest(identity), sample, revealed)).fetchone()
        return False if row is None else row[0]

    def rejected_offsets(self) -> Iterator[int]:
        """Yield the byte offsets of the rejected rows in their file, in ascending order."""
        query = "select offset from requests where reason is not null order by offset"
        return (offset for (offset,) in self._table.execute(query))

    def forget_rejected(self) -> None:
        """Delete the entries of all rejected rows, and save their retry marks. Afterwards, the
        caller must add entries for the rejected rows again, and then call `restore_marks`."""
        run = self._table.execute
        run("create temp table if not exists marked (id integer, sample integer, revealed integer)")
        run("delete from marked")
        run("insert into marked select id, sample, revealed from requests where retry")
        run("delete from requests where reason is not null")

    def restore_marks(self) -> None:
        """Set the retry marks that `forget_rejected` saved. Call this after the rejected rows have
        been entered into the index again."""
        self._table.execute(
            "update requests set retry = 1 where (id, sample, revealed) in"
            " (select id, sample, revealed from marked)"
        )

    def clear(self) -> None:
        self._table.execute("delete from requests")
        self._table.execute("delete from told")

    def commit(self) -> None:
        self._write("commit")
        self._write("begin immediate")

    def _write(self, statement: str, values: Sequence[Any] = ()) -> None:
        try:
            self._table.execute(statement, values)
        except sqlite3.OperationalError as error:  # most likely the disk is full
            raise StoppedEarly(
                f"cannot write the index of finished requests ({error}); free disk space, then run"
                " the same command again to resume"
            ) from None

    def close(self) -> None:
        with suppress(sqlite3.Error):  # the rows themselves are already in their files
            self._table.execute("commit")
        self._table.close()


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def mark_of(file: Path, size: int) -> dict[str, Any] | None:
    """Return a fingerprint of the first `size` bytes of a file: the size, and a digest of the last
    4096 bytes of that part. None if the file is shorter."""
    with file.open("rb") as stream:
        if stream.seek(0, 2) < size:
            return None
        stream.seek(max(0, size - _TAIL))
        tail = stream.read(min(size, _TAIL))
    return {"bytes": size, "tail": hashlib.blake2b(tail, digest_size=16).hexdigest()}
