"""Record each reply as a kept or a rejected row, and look up finished requests.

Kept rows go to the output, such as rationales.jsonl. All other rows go to
rationales.rejected.jsonl, with a "reason" and the raw reply, so that nothing is dropped silently. A
request is done if either file has a row for it, unless the request is marked for a retry (see
ledger_files.open_ledger). rationales.done.sqlite is an index of both files.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scicot import jsonl
from scicot.annotation.index import RETRYING, VERSION, Entry, Index, mark_of
from scicot.annotation.judging import names_gold_alone
from scicot.errors import InvalidRow, ScicotError
from scicot.formats.values import is_number
from scicot.outputs import Output
from scicot.records import Question, Rationale, content_id
from scicot.row_fields import Row, RowProblem
from scicot.sources.seen import digest
from scicot.text import whole_characters

REJECTED, INDEX = "rejected.jsonl", "done.sqlite"
COST = "cost_usd"  # key in a row's usage: the cost in dollars

_MAX_AMOUNT = 1e12  # tokens or dollars of one row; a larger number is an error
_COMMIT_SECONDS = 2.0
_RECENT = 10_000  # questions whose kept samples are held in memory if the output is a stream


@dataclass(frozen=True, slots=True)
class Attempt:
    """The recorded outcome of a request. `reason` is the reason why the reply was rejected, or None
    if the reply was kept. `offset` is the byte of the file at which the row begins. `retry` is True
    if the request will be sent again."""

    reason: str | None
    offset: int
    retry: bool


class Ledger:
    """The file of kept rows and the file of rejected rows of one output, with the index of both.
    Made by the functions of ledger_files.py."""

    def __init__(self, output: Output, rejects: jsonl.Appender | None, index: Index) -> None:
        self._output = output
        self._rejects = rejects
        self._index = index
        # Kept rationales by question, for an output that is a stream and cannot be read back.
        self._recent: dict[str, list[str]] = {}
        self._committed = time.monotonic()
        self.kept = 0  # rows in OUT, written by this run and earlier ones
        # rejected rows by reason, written by this run and earlier ones
        self.rejected: Counter[str] = Counter()
        self.spent = 0.0  # dollars spent on kept and rejected rows
        self.replies = 0  # rows with output tokens, indexed since the ledger was opened
        self.output_tokens = 0  # output tokens of these rows
        self.named = 0  # kept rows whose rationale names the gold choice and no other
        self._stale = 0  # rejected rows that a later row has replaced
        self._indexed_bytes = [0, 0]  # indexed bytes of OUT, and of the rejected rows

    def attempts(self, question: Question) -> dict[tuple[int, bool], Attempt]:
        """Return the recorded outcomes of a question's requests, by (sample, revealed). `revealed`
        is True if the request showed the gold answer.

        Raises ScicotError if the files hold another question under this id, or this question with
        another gold answer. The recorded outcomes are then not valid for `question`.
        """
        rows = self._index.of(question.id)
        if rows:
            content_digest = digest(_content(question))
            if any(content != content_digest for _, _, content, *_ in rows):
                raise ScicotError(
                    f"question {question.id!r}: {self._output.name} has another question or gold"
                    " answer under this id; change the id, or use another -o or --force"
                )
        return {
            (sample, seen): Attempt(reason, offset, retry)
            for sample, seen, _, reason, offset, retry in rows
        }

    def other_samples(self, row: Rationale) -> list[str]:
        """Return the kept rationales of the other samples of the row's question."""
        if self._output.path is None:
            return self._recent.get(row.question.id, [])
        attempts = self.attempts(row.question).values()
        kept = [attempt for attempt in attempts if attempt.reason is None]
        if not kept:
            return []
        with self._output.path.open("rb") as stream:
            texts = []
            for attempt in kept:
                stream.seek(attempt.offset)
                texts.append(str(jsonl.decode(stream.readline())["rationale"]))
        return texts

    @property
    def answered(self) -> int:
        """The number of rows that have a reply, kept or rejected."""
        return self.kept + self.rejected.total() - self.rejected["error"]

    def keep(self, row: Rationale, *, named: bool) -> None:
        """Write a row to OUT and enter it in the index. `named` is True if its rationale names the
        gold choice and no other."""
        offset = self._output.write(row.to_row())
        self._indexed_bytes[0] = self._output.end
        if self._output.path is None:
            self._recent.setdefault(row.question.id, []).append(row.rationale)
            if len(self._recent) > _RECENT:
                self._recent.pop(next(iter(self._recent)))
        self._enter(row, None, offset, named)

    def reject(self, row: Rationale, reason: str, fields: Row) -> None:
        offset = 0
        if self._rejects is not None:
            offset = self._rejects.write(jsonl.encode({**row.to_row(), "reason": reason, **fields}))
            self._indexed_bytes[1] = self._rejects.end
        self._enter(row, reason, offset, named=False)

    def put(self, name: str, value: Any) -> None:
        """Store a JSON value under a name in the index, for the next run. It is lost if the index
        is deleted."""
        self._index.put(name, value)

    def commit(self) -> None:
        """Commit the index, so that the next run need not read the rows written so far."""
        if self._output.path is not None and self._rejects is not None:
            files = (self._output.path, self._rejects.path)
            self._index.put("read", list(map(mark_of, files, self._indexed_bytes)))
            self._index.put("stale", self._stale)
            self._index.put("spent", self.spent)
        self._index.commit()
        self._committed = time.monotonic()

    def retry_also(self, reasons: tuple[str, ...]) -> None:
        """Set the retry mark of each request that was rejected for one of these reasons. Retry
        marks that were set before are kept."""
        self._index.retry_also(reasons)

    def finish_retry(self) -> None:
        """Record that the retry is complete. The next run with --retry-rejected then begins a new
        retry."""
        self._index.put(RETRYING, False)

    def open(self, *, retry: tuple[str, ...]) -> None:
        """Load the index and the counts of earlier runs, and mark requests for retry:

        - If `retry` is empty, no request is marked.
        - Otherwise, if an earlier run was stopped during a retry, the requests that the earlier run
          did not finish stay marked.
        - Otherwise the requests that were rejected for a reason in `retry` are marked.
        """
        if self._output.path is not None and self._rejects is not None:
            self.catch_up(self._output.path, self._rejects.path)
            if self._stale:
                self._compact(self._rejects)
        if not (retry and self._index.get(RETRYING)):
            self._index.retry(retry)
        self._index.put(RETRYING, bool(retry))
        self._count()
        self.commit()

    def _count(self) -> None:
        counts = self._index.counts()
        self.kept = counts.pop(None, 0)
        self.rejected = Counter({str(reason): count for reason, count in counts.items()})
        self.named = self._index.named()

    def catch_up(self, *files: Path) -> None:
        """Index the rows of these files that were written since the index was last committed. If
        the index does not match the files, rebuild it."""
        marks = self._index.get("read") if self._index.get("version") == VERSION else None
        sizes = [mark["bytes"] for mark in marks or () if mark]
        if len(sizes) == len(files) and marks == list(map(mark_of, files, sizes)):
            self._indexed_bytes = sizes
            self._stale = self._index.get("stale") or 0
            self.spent = self._index.get("spent") or 0.0
            try:
                self._enter_from(*files)
            except InvalidRow:
                pass  # read again from the first line, which reports the error with its location
            else:
                return
        self._index.clear()
        self._index.put("version", VERSION)
        self._indexed_bytes, self._stale, self.spent = [0] * len(files), 0, 0.0
        self._enter_from(*files)

    def _enter_from(self, *files: Path) -> None:
        for index, file in enumerate(files):
            self._enter_all(file, index)

    def _enter_all(self, file: Path, index: int) -> None:
        for located in jsonl.rows_from(file, self._indexed_bytes[index]):
            reason = located.row.get("reason")
            if reason is not None and not isinstance(reason, str):
                raise InvalidRow(located.where, '"reason" must be a string')
            try:
                # A rejected row may lack the rationale that a rationale row requires.
                text = located.row.get("rationale") or "(none)"
                row = Rationale.from_row({**located.row, "rationale": text})
            except RowProblem as problem:
                raise InvalidRow(located.where, str(problem)) from None
            self._indexed_bytes[index] = located.end
            self._enter(row, reason, located.begin, reason is None and names_gold_alone(row))

    def _enter(self, row: Rationale, reason: str | None, offset: int, named: bool) -> None:
        question = row.question
        previous = self._index.reason(question.id, row.sample, revealed=row.saw_answer)
        if previous is None and reason is not None:  # a rejected row does not replace a kept one
            self._stale += 1
            return
        if isinstance(previous, str):
            self._stale += 1
            self.rejected[previous] -= 1
        cost = _number(row.usage.get(COST))
        content = _content(question)
        reason = None if reason is None else whole_characters(reason)
        self._index.add(
            Entry(question.id, content, row.sample, row.saw_answer, reason, offset, cost, named)
        )
        self._count_one(reason, cost, named, int(_number(row.usage.get("output_tokens"))))
        if time.monotonic() - self._committed > _COMMIT_SECONDS:
            self.commit()

    def _count_one(self, reason: str | None, cost: float, named: bool, tokens: int) -> None:
        self.spent += cost
        self.named += named
        self.replies += tokens > 0
        self.output_tokens += tokens
        if reason is None:
            self.kept += 1
        else:
            self.rejected[reason] += 1

    def _compact(self, rejects: jsonl.Appender) -> None:
        """Rewrite the file of rejected rows. A row is removed if its request has a later row, kept
        or rejected."""
        offsets = self._index.rejected_offsets()
        offset = next(offsets, None)
        with rejects.replacing() as stream:
            for located in jsonl.rows_from(rejects.path, 0):
                if located.begin == offset:
                    stream.write(jsonl.encode(located.row))
                    offset = next(offsets, None)
        self._stale = self._indexed_bytes[1] = 0
        self._index.forget_rejected()
        spent = self.spent  # includes the dollars spent on rows that are removed
        self._enter_all(rejects.path, 1)
        self._index.restore_marks()
        self.spent = spent
        self._count()

    def close(self) -> None:
        if self._stale and self._rejects is not None:
            self._compact(self._rejects)
        self.commit()


def _number(value: Any) -> float:
    """Convert a value of a row to a float. Return 0 if the value is not a number from 0 to
    _MAX_AMOUNT."""
    # A user may have edited the row.
    valid = is_number(value) and 0 <= value <= _MAX_AMOUNT
    return float(value) if valid else 0.0


def _content(question: Question) -> str:
    content = content_id(question.question, question.context, question.choices)
    return f"{content}\0{question.answer}"
