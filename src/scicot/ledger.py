"""What a teacher's replies became: kept rows, rejected rows, and which requests are done.

Kept rows go to OUT, the others to OUT.rejected.jsonl with a "reason" and the raw reply, so that
nothing is dropped silently. A request is done when a row of either file says so; the digests that
remember it are small, so that a million of them fit in memory.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from scicot import jsonl
from scicot.errors import ScicotError
from scicot.outputs import Output, beside
from scicot.records import Question, Rationale, Row, content_id, normalized

# Reasons that speak of a missing reply, not of a bad one: worth asking again.
FAILED = ("error", "empty", "truncated", "refusal")


class Ledger:
    """The two files of rows and the memory of them. Made by `open_ledger`."""

    def __init__(self, output: Output, rejects: IO[bytes] | None) -> None:
        self._output = output
        self._rejects = rejects
        self._done: set[bytes] = set()
        self._texts: set[bytes] = set()
        self._questions: dict[str, bytes] = {}  # what was asked under each id
        self.kept = 0  # rows in OUT, of this run and earlier ones
        self.rejected: Counter[str] = Counter()  # rows beside it, by reason, likewise

    def is_done(self, row: Rationale) -> bool:
        """Whether this request has a row already.

        Raises ScicotError where the file explains another question under the same id: rows are
        joined by id, so the two must not stand in one file.
        """
        question = row.question
        if self._questions.get(question.id, _content(question)) != _content(question):
            raise ScicotError(
                f"question {question.id!r} is not the one that {self._output.name} explains under"
                " this id; give it another id, name another output, or start over with --force"
            )
        return _request_key(question.id, row.sample, row.request) in self._done

    def is_repeated(self, row: Rationale) -> bool:
        """Whether another sample of the same question was kept with the same words."""
        return _text_key(row.question.id, row.rationale) in self._texts

    def keep(self, row: Rationale) -> None:
        kept = row.to_row()
        self._output.write(kept)
        self._remember(kept, row.question)

    def reject(self, row: Rationale, reason: str, why: Row) -> None:
        rejected = {**row.to_row(), "reason": reason, **why}
        if self._rejects is not None:
            self._rejects.write(jsonl.encode(rejected))
            self._rejects.flush()
        self._remember(rejected, row.question)

    def recall(self, row: Row) -> None:
        """Take up a row that an earlier run wrote."""
        self._remember(row, Question.from_row(row))

    def _remember(self, row: Row, question: Question) -> None:
        self._questions[question.id] = _content(question)
        self._done.add(_request_key(row["id"], row["sample"], row.get("request")))
        if "reason" in row:
            self.rejected[row["reason"]] += 1
        else:
            self.kept += 1
            self._texts.add(_text_key(row["id"], row["rationale"]))


@contextmanager
def open_ledger(output: Output, *, retry_rejected: bool, force: bool) -> Iterator[Ledger]:
    """Learn what earlier runs left, and go on from there.

    `retry_rejected` forgets the rejected rows that hold no usable reply, so that they are asked
    again; `force` forgets them all. An output that is a stream has no file of rejected rows.
    """
    with ExitStack() as stack:
        rejects, before = None, []
        if output.path is not None:
            path = beside(output.path, "rejected.jsonl")
            before = [] if force else _rejected_before(path, retry_rejected)
            rejects = stack.enter_context(path.open("wb" if force else "ab"))
        ledger = Ledger(output, rejects)
        for _, row in output.existing():
            ledger.recall(row)
        for row in before:
            ledger.recall(row)
        yield ledger


def _rejected_before(path: Path, retry: bool) -> list[Row]:
    if not path.exists():
        return []
    jsonl.mend_last_line(path)
    with path.open("rb") as lines:
        rows = [row for _, row in jsonl.decode_lines(lines, str(path))]
    lasting = [row for row in rows if not (retry and row.get("reason") in FAILED)]
    if len(lasting) < len(rows):
        with jsonl.replacing(path) as stream:
            stream.writelines(jsonl.encode(row) for row in lasting)
    return lasting


def _content(question: Question) -> bytes:
    return _digest(content_id(question.question, question.context, question.choices))


def _request_key(identity: str, sample: int, request: str | None) -> bytes:
    return _digest(f"{request}\0{sample}\0{identity}")


def _text_key(identity: str, rationale: str) -> bytes:
    return _digest(f"{identity}\0{normalized(rationale)}")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
