"""`recorded:FILE` replays recorded replies: for examples, tests and other people's data.

One row, of which only "id" and "reply" are required:

    {"id": "q1", "reply": "Copper is a metal ...\\nAnswer: B", "stop_reason": "end_turn"}

Several rows with one id are its samples, in the order of the file.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from scicot.errors import InvalidRow
from scicot.sources import located_rows
from scicot.teachers.base import Reply, Request, TeacherError


class RecordedTeacher:
    def __init__(self, file: str) -> None:
        self.name = f"recorded:{Path(file).name}"
        self._file = file
        self._replies: defaultdict[str, list[Reply]] = defaultdict(list)
        for where, row in located_rows(file):
            identity, text = row.get("id"), row.get("reply")
            if not isinstance(identity, str | int) or not isinstance(text, str):
                raise InvalidRow(where, 'a recorded reply needs "id" and "reply"')
            usage = row.get("usage") or {}
            counts = {k: v for k, v in usage.items() if isinstance(v, int)}
            reply = Reply(text, row.get("stop_reason") or "end_turn", counts)
            self._replies[str(identity)].append(reply)

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
