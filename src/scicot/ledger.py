"""What a teacher's replies became: kept rows, rejected rows, and which requests are done.

Kept rows go to OUT, the others to OUT.rejected.jsonl with a "reason" and the raw reply, so that
nothing is dropped silently. A request is done when a row of either file says so; the digests that
remember it are small, so that a million of them fit in memory.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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
        self._retried: dict[bytes, str] = {}  # reasons of the rows that are to be asked again
        self.kept = 0  # rows in OUT, of this run and earlier ones
        self.rejected: Counter[str] = Counter()  # rows beside it, by reason, likewise

    def is_done(self, row: Rationale) -> bool:
        """Whether this request has a row already.

        Raises ScicotError where the file explains another question, or one with another gold
        answer, under the same id: rows are joined by id and judged by that answer.
        """
        question = row.question
        if self._questions.get(question.id, _content(question)) != _content(question):
            raise ScicotError(
                f"question {question.id!r} (or its answer) is not what {self._output.name} holds"
                " under this id; give it another id, name another output, or use --force"
            )
        return _request_key(question.id, row.sample, row.request) in self._done

    def is_repeated(self, row: Rationale) -> bool:
        """Whether another sample of the same question was kept with the same words."""
        return _text_key(row.question.id, row.rationale) in self._texts

    def keep(self, row: Rationale) -> None:
        kept = row.to_row()
        self._output.write(kept)
        self.recall(kept)

    def reject(self, row: Rationale, reason: str, why: Row) -> None:
        rejected = {**row.to_row(), "reason": reason, **why}
        if self._rejects is not None:
            self._rejects.write(jsonl.encode(rejected))
            self._rejects.flush()
        self.recall(rejected)

    def recall(self, row: Row, *, retry: bool = False) -> None:
        """Take up a row of this run or an earlier one; with `retry`, to be asked once more."""
        question = Question.from_row(row)
        self._questions[question.id] = _content(question)
        key = _key_of(row)
        if key in self._retried:
            self.rejected[self._retried.pop(key)] -= 1
        if retry:
            self._retried[key] = row["reason"]
        else:
            self._done.add(key)
        if "reason" in row:
            self.rejected[row["reason"]] += 1
        else:
            self.kept += 1
            self._texts.add(_text_key(row["id"], row["rationale"]))


@contextmanager
def open_ledger(output: Output, *, retry_rejected: bool, force: bool) -> Iterator[Ledger]:
    """Learn what earlier runs left, and go on from there.

    `retry_rejected` asks the rejected rows that hold no usable reply again; they stay in the file
    until another row has taken their place. `force` begins the file of rejected rows anew. An
    output that is a stream has none.
    """
    if output.path is None:
        yield Ledger(output, None)
        return
    path = beside(output.path, "rejected.jsonl")
    path.open("wb" if force else "ab").close()
    jsonl.mend_last_line(path)
    kept = {_key_of(row) for _, row in output.existing()}
    rejected = _compacted(path, kept)
    with path.open("ab") as rejects:
        ledger = Ledger(output, rejects)
        for _, row in output.existing():
            ledger.recall(row)
        for row in rejected:
            ledger.recall(row, retry=retry_rejected and row["reason"] in FAILED)
        try:
            yield ledger
        finally:
            if retry_rejected:
                _compacted(path, {_key_of(row) for _, row in output.existing()})


def _compacted(path: Path, kept: set[bytes]) -> list[Row]:
    """The rejected rows, without those that a later row of the same request has replaced."""
    with path.open("rb") as lines:
        rows = [row for _, row in jsonl.decode_lines(lines, str(path))]
    last = {_key_of(row): row for row in rows}
    lasting = [row for key, row in last.items() if key not in kept]
    if len(lasting) < len(rows):
        with jsonl.replacing(path) as stream:
            stream.writelines(jsonl.encode(row) for row in lasting)
    return lasting


def _key_of(row: Row) -> bytes:
    return _request_key(row["id"], row.get("sample", 0), row.get("request"))


def _content(question: Question) -> bytes:
    asked = content_id(question.question, question.context, question.choices)
    return _digest(f"{asked}\0{question.answer}")


def _request_key(identity: str, sample: int, request: str | None) -> bytes:
    return _digest(f"{request}\0{sample}\0{identity}")


def _text_key(identity: str, rationale: str) -> bytes:
    return _digest(f"{identity}\0{normalized(rationale)}")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
