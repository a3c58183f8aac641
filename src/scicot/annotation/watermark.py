"""Track the prefix of the input in which all questions are done. A resumed run skips this part."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scicot import sources
from scicot.annotation.index import VERSION, Index, mark_of
from scicot.annotation.ledger import INDEX, REJECTED, Ledger
from scicot.config import GenerateSettings
from scicot.outputs import beside
from scicot.records import Question

_KEY = "done through"
_STRIDE = 2000  # the number of questions in a stored prefix is a multiple of this number


class Watermark:
    """Tracks which questions were read and which are done. Records in the ledger the prefix of the
    input in which all questions are done."""

    def __init__(
        self, rows: sources.Rows[Question], ledger: Ledger, settings: GenerateSettings
    ) -> None:
        self._rows = rows
        self._ledger = ledger
        self._samples = settings.samples
        # Questions in progress, in input order: (number of the question, its unanswered requests).
        self._open: dict[str, tuple[int, int]] = {}
        # (questions read, position in the input)
        self._positions: deque[tuple[int, sources.Prefix]] = deque()
        self._read_count = 0  # questions read

    def add_question(self, identity: str, requests: int) -> None:
        """Record that the question with the id `identity` was read, and how many of its requests
        are still to be answered."""
        self._read_count += 1
        if requests:
            self._open[identity] = self._read_count, requests
        if self._read_count % _STRIDE == 0 and (position := self._rows.prefix()) is not None:
            self._positions.append((self._read_count, position))

    def answered(self, identity: str) -> None:
        """Record that the row for a request of this question was written."""
        number, remaining = self._open.get(identity, (0, 0))
        if remaining > 1:
            self._open[identity] = number, remaining - 1
        else:
            self._open.pop(identity, None)

    def remember(self) -> None:
        """Record in the ledger the prefix of the input in which all questions are done. Do nothing
        if this prefix is recorded already.

        The number of questions in the prefix is rounded down to a multiple of _STRIDE. For example,
        if the first 4,500 questions are done, the prefix has 4,000 questions.
        """
        first_open = next(iter(self._open.values()), (self._read_count + 1, 0))[0]
        position = None
        while self._positions and self._positions[0][0] < first_open:
            _, position = self._positions.popleft()
        if position is not None:
            self._ledger.put(_KEY, {"samples": self._samples, "place": asdict(position)})


def done_before(output: Path, settings: GenerateSettings) -> sources.Prefix | None:
    """Return the prefix of the input that earlier runs for `output` have finished.

    Returns None in these cases:
    - There is no index, the index has another version, or it stores no prefix.
    - The indexed part of the output files is missing or has changed.
    - --samples is larger than in the earlier runs.
    - Rejected requests are to be retried.
    """
    index = beside(output, INDEX)
    if settings.retry_rejected or not index.is_file():
        return None
    stored = Index.peek(index, ("version", "read", _KEY))
    if stored is None or stored["version"] != VERSION or not stored["read"] or not stored[_KEY]:
        return None
    files: list[Any] = [output, beside(output, REJECTED)]
    exist = all(file.is_file() for file in files)
    if not exist or stored["read"] != [
        mark_of(file, mark["bytes"]) for file, mark in zip(files, stored["read"], strict=True)
    ]:
        return None
    if settings.samples > stored[_KEY]["samples"]:
        return None
    return sources.Prefix(**stored[_KEY]["place"])
