"""The function `merge`: join the outputs of shards into the file that a single run would have
written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from scicot import jsonl, sources
from scicot.config import ReadingSettings
from scicot.errors import InvalidRow, ScicotError, UsageError
from scicot.outputs import (
    STDOUT,
    check_not_read,
    check_suffix,
    differences,
    locked,
    make_parent,
    read_state,
    state_path,
    write_finished,
)
from scicot.prediction import identities
from scicot.records import Prediction, Question, Rationale
from scicot.reporting import LogReporter, Reporter, Task, counted, number_of, some_of
from scicot.row_fields import Row, RowProblem

_IDS_SHOWN = 10  # ids listed in a message
_PART_SETTINGS = ("shard",)  # settings that only parts have


def merge(
    questions: str | os.PathLike[str],
    parts: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    reading: ReadingSettings | None = None,
    limit: int | None = None,
    skip_invalid: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> int:
    """Write the rows of all `parts`, unchanged, to `output` in the order of the questions. Return
    the number of rows.

    If the parts hold predictions, they must together have exactly one row for every question. If
    they hold rationales, they must have exactly one row for every sample of every question.

    Raises ScicotError, and writes nothing, in these cases:

    - A row is missing, is repeated, or belongs to no question in `questions`.
    - A question in a part differs from the question with the same id in `questions`.
    - A part is not finished.
    - The parts were made with different students or settings.
    """
    reporter = reporter or LogReporter()
    if os.fspath(output) == STDOUT:
        raise ScicotError("-o -: merge cannot write to standard output; name a file")
    check_suffix(Path(output))
    target, files = Path(output).resolve(), [Path(part) for part in parts]
    if not files:
        raise UsageError("no parts to merge; name the files that predict --shard wrote")
    for file in files:
        if not file.is_file():
            raise ScicotError(
                f"{file}: is missing or not a regular file; give files that predict --shard wrote"
            )
    if target.exists() and not target.is_file():
        raise ScicotError(f"{output}: exists and is not a regular file; choose another output")
    check_not_read([target], [os.fspath(questions), *map(os.fspath, files)])
    make_parent(target)
    with locked(target):
        if target.exists() and not force:
            raise ScicotError(
                f"{output}: exists; choose another output, or replace it with --force"
            )
        settings = _settings_of(files)
        rows = sources.questions(
            questions,
            reading=reading,
            limit=limit,
            skip_invalid=skip_invalid,
            uses_gold=False,
            reporter=reporter,
        )
        with reporter.task("reading the parts") as task, closing(_Parts(files)) as part_rows:
            part_rows.read(task)
            unique_questions = counted(sources.unique(rows, reporter), task)
            with jsonl.replacing(target) as stream:
                for line in part_rows.in_order(unique_questions):
                    stream.write(line)
                # Deleted before the rows are replaced: a kill in between must not leave an old
                # state beside new rows.
                state_path(target).unlink(missing_ok=True)
        if settings is not None:
            write_finished(
                target, "predict", settings, {"rows": part_rows.rows}, _provenance_of(files)
            )
    return part_rows.rows


class _Ids:
    """Counts questions, and keeps the ids of the first ones for a message."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, identity: str) -> None:
        self.count += 1
        self._first += [identity][: _IDS_SHOWN - len(self._first)]

    def __str__(self) -> str:
        return f"{number_of(self.count, 'question')} ({some_of(self._first)})"


class _Parts:
    """An index of the rows in all parts: for each row, its file and byte offset. The index is a
    SQLite table on disk, because there may be millions of rows."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.rows = 0
        self._rows_each = 0
        self._files = files
        self._open: tuple[int, IO[bytes]] | None = None
        self._table = sqlite3.connect("", isolation_level=None)
        self._table.execute("pragma journal_mode = off")
        self._table.execute(
            "create table rows (id blob, sample integer, file integer, start integer,"
            " primary key (id, sample)) without rowid"
        )
        self._table.execute("begin")

    def read(self, task: Task) -> None:
        """Index the rows of all parts. Raises ScicotError if two rows have the same question and
        sample number, or were made by different students or settings."""
        first: tuple[str, Any] | None = None
        for file_index, file in enumerate(self._files):
            for location, start, row in _located(file):
                maker, sample = _maker_and_sample(location, row)
                first = first or (location, maker)
                if maker != first[1]:
                    raise ScicotError(
                        f"{location}: was not made with the students and settings of {first[0]}"
                    )
                self._add(location, row, sample, file_index, start)
                task.advance()
        max_sample = self._table.execute("select max(sample) from rows").fetchone()[0]
        self._rows_each = 1 + (max_sample or 0)

    def close(self) -> None:
        self._table.close()
        if self._open is not None:
            self._open[1].close()

    def _add(self, location: str, row: Row, sample: int, file_index: int, start: int) -> None:
        insert = "insert or ignore into rows values (?, ?, ?, ?)"
        if not self._table.execute(insert, (_key(row["id"]), sample, file_index, start)).rowcount:
            raise ScicotError(
                f"{location}: duplicate row for {row['id']!r}; was a part given twice?"
            )
        self.rows += 1

    def in_order(self, questions: Iterable[Question]) -> Iterator[bytes]:
        """Yield the rows of these questions as lines, in the order of the questions.

        Raises ScicotError after the last line if rows are missing for a question, or if the part
        files have rows of other questions.
        """
        query = "select file, start from rows where id = ? order by sample"
        missing, incomplete = _Ids(), _Ids()
        written = 0
        for question in questions:
            found = self._table.execute(query, (_key(question.id),)).fetchall()
            if not found:
                missing.add(question.id)
            elif len(found) != self._rows_each:
                incomplete.add(question.id)
            for file_index, start in found:
                line = self._line(file_index, start)
                self._check_same(question, file_index, line)
                yield line
                written += 1
        if missing.count:
            raise ScicotError(f"the parts have no answer to {missing}; was a part left out?")
        if incomplete.count:
            raise ScicotError(
                f"the parts have fewer than {self._rows_each} rows (one per sample) for"
                f" {incomplete}; is a part incomplete?"
            )
        if written < self.rows:
            raise ScicotError(
                f"the parts have {number_of(self.rows - written, 'row')} for questions that are not"
                " in the question file; is it the file that was predicted?"
            )

    def _line(self, file_index: int, start: int) -> bytes:
        # Files are opened one at a time: there may be more parts than files may be open.
        if self._open is None or self._open[0] != file_index:
            if self._open is not None:
                self._open[1].close()
            self._open = file_index, self._files[file_index].open("rb")
        self._open[1].seek(start)
        return self._open[1].readline()

    def _check_same(self, question: Question, file_index: int, line: bytes) -> None:
        answered = Question.from_row(jsonl.decode(line))
        same = ("question", "choices", "context", "answer")
        for name in same:
            if getattr(question, name) != getattr(answered, name):
                raise ScicotError(
                    f"{self._files[file_index]}: {question.id!r} has another {name!r} than in the"
                    " question file; is it the file that was predicted?"
                )


def _key(identity: str) -> bytes:
    return identity.encode("utf-8", "surrogatepass")


def _located(file: Path) -> Iterator[tuple[str, int, Row]]:
    """Yield (FILE:LINE, byte offset of the line, row) for each row of a file."""
    starts: list[int] = []  # byte offset of the last line read

    def lines() -> Iterator[bytes]:
        start = 0
        with file.open("rb") as stream:
            for line in stream:
                starts[:] = [start]
                if not line.endswith(b"\n"):
                    raise InvalidRow(
                        str(file),
                        "its last line is incomplete; run its predict command again first",
                    )
                yield line
                start += len(line)

    for location, row in jsonl.decode_lines(lines(), str(file)):
        yield location, starts[0], row


def _maker_and_sample(location: str, row: Row) -> tuple[Any, int]:
    """Return who made a row, and the row's sample number.

    - For a prediction: its "models" (without "weights") and 0.
    - For a rationale: its "teacher" and its "sample".

    A run is named by its hash only: "@1f0c5e2b9a7d" for "answer@1f0c5e2b9a7d". Raises InvalidRow
    for a row that is neither a prediction nor a rationale.
    """
    try:
        prediction = Prediction.from_row(row) if "prediction" in row else Rationale.from_row(row)
    except RowProblem as problem:
        raise InvalidRow(location, f"not a row written by predict: {problem}") from None
    if isinstance(prediction, Prediction):
        # "weights" are the numbers of parameters, which rows of earlier versions do not record.
        # Names are removed because a run may be renamed after some of the parts were made.
        models = {name: value for name, value in prediction.models.items() if name != "weights"}
        return identities.without_names(models), 0
    return identities.hash_only(prediction.teacher or ""), prediction.sample


def _provenance_of(parts: Sequence[Path]) -> Row:
    """Return {"students": ...} from the first part whose state file has the entry "students", or {}
    if no state file has this entry."""
    for part in parts:
        state = read_state(state_path(part)) or {}
        if "students" in state:  # the same in all parts, except for names of renamed runs
            return {"students": state["students"]}
    return {}


def _settings_of(files: Sequence[Path]) -> Row | None:
    """Return the settings recorded in the state files of the parts, without "shard" and "window".
    Parts without a state file are ignored. Returns None if no part has a state file.

    Raises ScicotError if a part is not finished, or if the settings of two parts differ.
    """
    common: Row | None = None
    first = files[0]  # the first part that has a state file
    for file in files:
        state = read_state(state_path(file))
        if state is None:
            continue
        if not state.get("finished"):
            raise ScicotError(f"{file}: is not finished; run its predict command again first")
        recorded = state.get("settings")
        settings = {k: v for k, v in dict(recorded or {}).items() if k not in _PART_SETTINGS}
        if common is None:
            first, common = file, settings
        if differences(*map(identities.without_names, (common, settings))):
            changed = "; ".join(differences(common, settings))
            raise ScicotError(f"{file}: was made with other settings than {first} ({changed})")
    return common and {name: value for name, value in common.items() if name != "window"}
