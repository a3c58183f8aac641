"""`recorded:FILE`: a teacher that replays recorded replies, for examples, tests and existing data.

A row looks like this, where only "id" and "reply" are required:

    {"id": "q1", "reply": "Copper is a metal ...\\nAnswer: B", "stop_reason": "end_turn"}

Instead of the reply a row may have a "rationale", as in some data sets, and a "conclusion", which
is the answer:

    {"id": "q1", "rationale": "Copper is a metal ...", "conclusion": "B"}

The thinking of a reasoning model may be in a separate field ("thinking", "reasoning_content" or
"reasoning") or in the reply as "<think>...</think>".

If several rows have the same id, they are the samples of one question, in the order of their field
"sample" or, without it, in file order. A reply without a "stop_reason" is treated as truncated if
it ends in the middle of a sentence. In an output file of generate-rationales, all replies without a
"stop_reason" are treated as complete.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scicot.errors import InvalidRow
from scicot.records import MAX_SAMPLE
from scicot.sources import located_rows
from scicot.sources.seen import digest
from scicot.teachers.base import Reply, Request, TeacherError

_CACHE_KIB = 32_768
# Matches a text that ends with a complete sentence, with quotes or brackets after it.
_ENDS = re.compile(r"[.!?:。！？][\s\"'”’)\]*_`]*$")

_THOUGHTS = ("thinking", "reasoning_content", "reasoning")


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text(row: Mapping[str, Any]) -> str | None:
    """Return the reply of a row or, without a reply, its rationale. A conclusion such as B is
    appended to the rationale as "Answer: (B)". Return None if the row has neither a reply nor a
    rationale."""
    reply, rationale, conclusion = (row.get(name) for name in ("reply", "rationale", "conclusion"))
    if isinstance(reply, str):
        return reply
    if not isinstance(rationale, str):
        return None
    usable = isinstance(conclusion, str | int) and not isinstance(conclusion, bool)
    label = str(conclusion).strip() if usable else ""
    return f"{rationale.rstrip()}\n\nAnswer: ({label})" if label else rationale


def _was_kept(row: Mapping[str, Any]) -> bool:
    """Return True if a row is from an output file of generate-rationales, judging by its fields."""
    # Such a file holds only complete replies. Truncated replies are written to
    # OUT.rejected.jsonl, with a "reason".
    return "request" in row and "rationale" in row and "reason" not in row


class RecordedTeacher:
    """A teacher that looks up recorded replies by question id. The replies are kept in a temporary
    SQLite database, which stays in memory as long as it is small."""

    def __init__(self, file: str) -> None:
        self.name = f"recorded:{Path(file).name}"
        self._file = file
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        run = self._table.execute
        run("pragma journal_mode = off")
        run(f"pragma cache_size = -{_CACHE_KIB}")
        run("create table replies (id integer, sample integer, content text)")
        run("begin")
        for where, row in located_rows(file):
            identity, text = row.get("id"), _text(row)
            if not isinstance(identity, str | int) or text is None:
                raise InvalidRow(where, 'a recorded reply needs "id" and "reply" or "rationale"')
            usage = row.get("usage") or {}
            if not isinstance(usage, dict):
                raise InvalidRow(where, '"usage" must be an object')
            counts = {k: v for k, v in usage.items() if isinstance(v, int)}
            reason = row.get("stop_reason")
            if reason is not None and not isinstance(reason, str):
                raise InvalidRow(where, '"stop_reason" must be a string')
            final_text = row["reply"] if isinstance(row.get("reply"), str) else row["rationale"]
            complete = _was_kept(row) or _ENDS.search(final_text)
            reason = reason or ("end_turn" if complete else "max_tokens")
            thinking = next(filter(None, map(_string, map(row.get, _THOUGHTS))), "")
            content = json.dumps([text, reason, counts, thinking, row.get("saw_answer") is True])
            sample = row.get("sample")
            sample = sample if type(sample) is int and 0 <= sample <= MAX_SAMPLE else None
            run("insert into replies values (?, ?, ?)", (digest(str(identity)), sample, content))
        run("create index by_id on replies (id)")

    async def ask(self, request: Request) -> Reply:
        key = digest(request.question_id)
        query = "select content from replies where id = ? order by sample, rowid limit 1 offset ?"
        found = self._table.execute(query, (key, request.sample)).fetchone()
        if found is None:
            count = "select count(*) from replies where id = ?"
            (reply_count,) = self._table.execute(count, (key,)).fetchone()
            raise TeacherError(
                f"{self._file} holds {reply_count} replies for {request.question_id!r},"
                f" none for sample {request.sample}"
            )
        text, reason, usage, thinking, saw_answer = json.loads(found[0])
        return Reply(text, reason, usage, thinking=thinking, saw_answer=saw_answer)

    async def close(self) -> None:
        self._table.close()
