"""Detect rows that give one question two gold answers, with little time and memory."""

from __future__ import annotations

import sqlite3
from sys import intern

from scicot.records import Question
from scicot.row_fields import RowProblem
from scicot.sources.seen import temporary_table

_IN_MEMORY = 1 << 18  # questions whose gold answers are in a dict, of about 25 MB
_SHOWN = 50  # characters shown of a question


class GoldConflict(RowProblem):
    """Raised if a row has another gold answer than an earlier row with the same question."""


class GoldConflicts:
    """Detects equal questions with different gold answers.

    A dict holds the gold answers of the first `_IN_MEMORY` questions, since a dict is much faster
    than SQLite. The gold answers of further questions are in a temporary SQLite database, whose
    memory is bounded.
    """

    def __init__(self) -> None:
        self._answers: dict[int, str] = {}  # by the hash of the question
        self._table: sqlite3.Connection | None = None

    def check(self, question: Question) -> None:
        """Record the gold answer of a question.

        Raises GoldConflict if an earlier row has another gold answer for the same id, text, context
        and choices. A row without a gold answer contradicts no other row.
        """
        answer = question.answer
        if answer is None:
            return
        # hash() differs between processes, but the hashes are never stored. The texts of choices
        # are hashed without their labels, which is faster.
        texts = [choice.text for choice in question.choices]
        key = hash((question.id, question.question, question.context, *texts))
        answers = self._answers
        if len(answers) < _IN_MEMORY:
            earlier = answers.setdefault(key, intern(answer))
        else:
            earlier = answers.get(key) or self._in_table(key, answer)
        # An earlier answer that is no label of this row is from a row with other labels.
        if earlier != answer and earlier in question.labels:
            raise GoldConflict(
                f"has the gold answer {answer!r}, but an earlier row has {earlier!r} for the same"
                f" question (id {question.id!r:.80}, {_beginning(question.question)!r}); correct"
                " one of the two rows, or give different ids to different questions"
            )

    def _in_table(self, key: int, answer: str) -> str:
        """If the database has no answer for `key`, store `answer`. Return the stored answer."""
        if self._table is None:
            self._table = temporary_table(
                "create table gold (question integer primary key, answer text)"
            )
        if self._table.execute("insert or ignore into gold values (?, ?)", (key, answer)).rowcount:
            return answer
        query = "select answer from gold where question = ?"
        found: str = self._table.execute(query, (key,)).fetchone()[0]
        return found


def _beginning(text: str) -> str:
    shown = " ".join(text[: 4 * _SHOWN].split())
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
