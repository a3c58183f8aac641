"""`recorded:FILE`: a teacher that replays recorded replies, for examples, tests and existing data.

A row looks like this, where only "id" and "reply" are required:

    {"id": "q1", "reply": "Copper is a metal ...\\nAnswer: B", "stop_reason": "end_turn"}

Instead of the reply a row may have a "rationale", as in some data sets, and a "conclusion", which
is the answer:

    {"id": "q1", "rationale": "Copper is a metal ...", "conclusion": "B"}

In a CSV file or a spreadsheet, the names are those of the columns. Other names of the id and of the
rationale are given by --columns id=FIELD,rationale=FIELD.

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

from scicot.config import ReadingSettings
from scicot.errors import InvalidRow
from scicot.formats import Columns
from scicot.formats.columns import cells
from scicot.records import MAX_SAMPLE
from scicot.row_fields import Row
from scicot.sources import located_rows
from scicot.sources.seen import digest
from scicot.teachers.base import Reply, Request, TeacherError

_CACHE_KIB = 32_768
# Matches a text that ends with a complete sentence, with quotes or brackets after it.
_ENDS = re.compile(r"[.!?:。！？][\s\"'”’)\]*_`]*$")

# Columns of which one makes the first line of a CSV file its header.
_COLUMNS = ("id", "ID", "Id", "reply", "Reply", "rationale", "Rationale")
_RENAMED = ("reply", "rationale", "conclusion")  # also recognised in other capitals
_FIELDS_SHOWN = 6

_THOUGHTS = ("thinking", "reasoning_content", "reasoning")


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text(row: Mapping[str, Any]) -> str | None:
    """Return the reply of a row or, without a reply, its rationale. A conclusion such as B is
    appended to the rationale as "Answer: (B)". Return None if the row has neither a reply nor a
    rationale."""
    reply, rationale, conclusion = (row.get(name) for name in ("reply", "rationale", "conclusion"))
    # A blank cell of a table is no reply if its row has a rationale.
    if isinstance(reply, str) and (reply.strip() or not isinstance(rationale, str)):
        return reply
    if not isinstance(rationale, str):
        return None
    usable = isinstance(conclusion, str | int) and not isinstance(conclusion, bool)
    label = str(conclusion).strip() if usable else ""
    return f"{rationale.rstrip()}\n\nAnswer: ({label})" if label else rationale


def _was_kept(row: Mapping[str, Any]) -> bool:
    """Return True if a row has the fields of a row that generate-rationales kept."""
    # Such a file holds only complete replies. Truncated replies are written to
    # OUT.rejected.jsonl, with a "reason".
    return "request" in row and "rationale" in row and "reason" not in row


def _named(row: Row, roles: Mapping[str, str]) -> Row:
    """Return a row whose fields have the names that this teacher reads. `roles` maps the roles of
    --columns to the names of fields."""
    mapped = {role: row[name] for role, name in roles.items() if name in row}
    for own_name in _RENAMED:
        name = next((n for n in row if n.strip().casefold() == own_name), own_name)
        if own_name not in row and name in row:
            mapped.setdefault(own_name, row[name])
    return cells({**row, **mapped})


def _problem(row: Row) -> str:
    shown = ", ".join(f'"{name:.40}"' for name in list(row)[:_FIELDS_SHOWN])
    more = ", ..." if len(row) > _FIELDS_SHOWN else ""
    return (
        f'a recorded reply needs "id" and "reply" or "rationale" (found: {shown}{more});'
        " for fields with other names, give --columns id=FIELD,rationale=FIELD"
    )


class RecordedTeacher:
    """A teacher that looks up recorded replies by question id. The replies are kept in a temporary
    SQLite database, which stays in memory as long as it is small."""

    def __init__(self, file: str, columns: str = "") -> None:
        self.name = f"recorded:{Path(file).name}"
        self._file = file
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        run = self._table.execute
        run("pragma journal_mode = off")
        run(f"pragma cache_size = -{_CACHE_KIB}")
        run("create table replies (id integer, sample integer, content text)")
        run("begin")
        mapped = Columns.parse(columns)
        own_columns = mapped and mapped.only("id", "rationale")
        roles = own_columns.roles if own_columns else {}
        # located_rows reads only the names, by which it recognises the header of a table.
        header = ReadingSettings(f"choices={'+'.join([*_COLUMNS, *roles.values()])}")
        for where, original in located_rows(file, None, header):
            row = _named(original, roles)
            identity, text = row.get("id"), _text(row)
            if not isinstance(identity, str | int) or identity == "" or text is None:
                raise InvalidRow(where, _problem(original))
            usage = row.get("usage") or {}
            if not isinstance(usage, dict):
                raise InvalidRow(where, '"usage" must be an object')
            counts = {k: v for k, v in usage.items() if isinstance(v, int)}
            reason = row.get("stop_reason")
            if reason is not None and not isinstance(reason, str):
                raise InvalidRow(where, '"stop_reason" must be a string')
            final_text = _string(row.get("reply")) or _string(row.get("rationale"))
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
