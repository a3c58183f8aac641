"""`recorded:FILE` replays recorded replies: for examples, tests and other people's data.

One row, of which only "id" and "reply" are required:

    {"id": "q1", "reply": "Copper is a metal ...\\nAnswer: B", "stop_reason": "end_turn"}

Several rows with one id are its samples, in the order of the file.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from scicot import jsonl
from scicot.errors import InvalidRow, ScicotError
from scicot.teachers.base import Reply, Request, TeacherError


class RecordedTeacher:
    def __init__(self, file: str) -> None:
        self.name = f"recorded:{Path(file).name}"
        self._file = file
        self._replies: defaultdict[str, list[Reply]] = defaultdict(list)
        try:
            with Path(file).open("rb") as lines:
                for where, row in jsonl.decode_lines(lines, file):
                    identity, text = row.get("id"), row.get("reply")
                    if not isinstance(identity, str) or not isinstance(text, str):
                        raise InvalidRow(where, 'a recorded reply needs "id" and "reply" (strings)')
                    reply = Reply(text, row.get("stop_reason", "end_turn"), row.get("usage", {}))
                    self._replies[identity].append(reply)
        except OSError as error:
            raise ScicotError(f"--teacher recorded:{file}: {error.strerror}") from None

    async def ask(self, request: Request) -> Reply:
        replies = self._replies.get(request.question_id, [])
        if request.sample >= len(replies):
            raise TeacherError(
                f"{self._file} holds {len(replies)} replies for {request.question_id!r},"
                f" none for sample {request.sample}"
            )
        return replies[request.sample]

    async def close(self) -> None:
        pass
