"""`merge`: the parts that shards wrote, as the one file that a single run would have written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from scicot import jsonl, sources
from scicot.errors import InvalidRow, ScicotError
from scicot.outputs import differences, make_parent, read_state, state_path
from scicot.reporting import LogReporter, Reporter, Task, counted

_NAMED = 5  # ids spelled out in a message


def merge(
    questions: str | os.PathLike[str],
    parts: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> int:
    """Put the rows of `parts` in the order of the questions, every line as it stands; their number.

    Raises ScicotError, and writes nothing, unless every question came exactly once (of sampled
    rationales, each sample once), from runs that are finished and alike.
    """
    reporter = reporter or LogReporter()
    target = Path(output)
    files = [Path(part) for part in parts]
    if target.exists() and not force:
        raise ScicotError(f"{target}: exists; name another output, or replace it with --force")
    for file in files:
        if not file.is_file():
            raise ScicotError(f"{file}: no such file")
        if target.exists() and target.samefile(file):
            raise ScicotError(f"{target}: is a part as well; name another output")
    make_parent(target)
    _check_states(files)
    rows = sources.questions(questions, limit=limit, skip_invalid=skip_invalid, reporter=reporter)
    with reporter.task("reading the parts") as task:
        index = _Index(files, task)
    asked = (question.id for question in sources.unique(rows, reporter))
    with reporter.task("merging") as task, jsonl.replacing(target) as stream:
        for line in index.in_order(counted(asked, task)):
            stream.write(line)
    return index.rows


class _Index:
    """Where the rows of each question stand: in a table on disk, as they may be millions."""

    def __init__(self, files: Sequence[Path], task: Task) -> None:
        self._files = files
        self.rows = 0
        self._table = sqlite3.connect("", isolation_level=None)
        self._table.execute("pragma journal_mode = off")
        self._table.execute(
            "create table rows (id text, sample integer, file integer, start integer,"
            " primary key (id, sample)) without rowid"
        )
        self._table.execute("begin")
        made: Any = None
        for number, file in enumerate(files):
            for where, start, row in _located(file):
                made = made or (where, _maker(row))
                if _maker(row) != made[1]:
                    raise ScicotError(f"{where}: was made otherwise than {made[0]}")
                self._add(where, str(row.get("id")), row.get("sample", 0), number, start)
                task.advance()
        counts = "select count(*) from rows group by id order by count(*) desc limit 1"
        self._each = (self._table.execute(counts).fetchone() or (1,))[0]

    def _add(self, where: str, identity: str, sample: int, number: int, start: int) -> None:
        add = "insert or ignore into rows values (?, ?, ?, ?)"
        if not self._table.execute(add, (identity, sample, number, start)).rowcount:
            raise ScicotError(f"{where}: {identity!r} has come before; no row may come twice")
        self.rows += 1

    def in_order(self, asked: Iterable[str]) -> Iterator[bytes]:
        """The lines of these ids; ScicotError at the end where some were missing or not asked."""
        query = "select file, start from rows where id = ? order by sample"
        missing: list[str] = []
        lacking = written = 0
        streams = [file.open("rb") for file in self._files]
        try:
            for identity in asked:
                found = self._table.execute(query, (identity,)).fetchall()
                if len(found) < self._each:
                    lacking += 1
                    missing += [identity][: _NAMED - len(missing)]
                for number, start in found:
                    streams[number].seek(start)
                    yield streams[number].readline()
                    written += 1
        finally:
            for stream in streams:
                stream.close()
        if lacking:
            named = ", ".join(missing) + (", ..." if lacking > len(missing) else "")
            raise ScicotError(f"{lacking} questions are not in the parts, or not whole ({named})")
        if written < self.rows:
            raise ScicotError(
                f"{self.rows - written} rows of the parts answer no question of this file"
            )


def _located(file: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(FILE:LINE, where it starts, row) for each row."""
    starts: list[int] = []  # of the line read last

    def lines() -> Iterator[bytes]:
        start = 0
        with file.open("rb") as stream:
            for line in stream:
                starts[:] = [start]
                if not line.endswith(b"\n"):
                    raise InvalidRow(str(file), "its last line has no end; predict it again first")
                yield line
                start += len(line)

    for where, row in jsonl.decode_lines(lines(), str(file)):
        yield where, starts[0], row


def _maker(row: dict[str, Any]) -> Any:
    """What wrote a row: the same for all rows of one prediction."""
    return row["models"] if "models" in row else row.get("teacher")


def _check_states(files: Sequence[Path]) -> None:
    """ScicotError where a part is not finished, or was made with other settings than the first."""
    first: dict[str, Any] | None = None
    for file in files:
        state = read_state(state_path(file))
        if state is None:
            continue
        if not state.get("finished"):
            raise ScicotError(f"{file}: is not finished; the same predict command goes on with it")
        settings = {**state.get("settings", {}), "shard": None}
        first = first or settings
        if changed := differences(first, settings):
            raise ScicotError(
                f"{file}: was made with other settings than {files[0]} ({'; '.join(changed)})"
            )
