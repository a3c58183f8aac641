"""Detect rows that give one question two gold answers, with little memory."""

from __future__ import annotations

import re
import sqlite3

from scicot.records import Question
from scicot.row_fields import RowProblem

_CACHE_KIB = 16_384
_LAST_NUMBER = re.compile(r"[1-9][0-9]{0,17}(?=[^0-9]*\Z)")


class GoldConflicts:
    """The gold answers of the questions so far, each with the location of its row. To save memory,
    the location "arc.csv:17" is stored as the template "arc.csv:{}" and the number 17."""

    def __init__(self) -> None:
        # See seen.py for these settings.
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._table.execute("pragma journal_mode = off")
        self._table.execute(f"pragma cache_size = -{_CACHE_KIB}")
        self._table.execute(
            "create table gold (question integer primary key, answer text, template integer,"
            " number integer)"
        )
        self._table.execute("begin")
        self._templates: dict[tuple[str, str], int] = {}  # (before, after the number) -> index

    def check(self, where: str, question: Question) -> None:
        """Record the gold answer of a question. `where` is the location of its row.

        Raises RowProblem if an earlier row has another gold answer for the same id, text, context
        and choices. A row without a gold answer contradicts no other row.
        """
        if question.answer is None:
            return
        # hash() differs between processes, but the table is never stored.
        key = hash((question.id, question.question, question.context, question.choices))
        row = key, question.answer, *self._stored(where)
        if self._table.execute("insert or ignore into gold values (?, ?, ?, ?)", row).rowcount:
            return
        query = "select answer, template, number from gold where question = ?"
        answer, template, number = self._table.execute(query, (key,)).fetchone()
        if answer != question.answer:
            before, after = list(self._templates)[template]
            earlier = f"{before}{'' if number is None else number}{after}"
            raise RowProblem(
                f"has the gold answer {question.answer!r}, but {earlier} has {answer!r} for the"
                f" same question (id {question.id!r:.80}); correct one of the two rows"
            )

    def _stored(self, where: str) -> tuple[int, int | None]:
        found = _LAST_NUMBER.search(where)
        start, end = found.span() if found else (len(where), len(where))
        template = where[:start], where[end:]
        index = self._templates.setdefault(template, len(self._templates))
        return index, int(found[0]) if found else None
