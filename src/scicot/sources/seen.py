"""Detect repeated ids among millions of rows, with little memory."""

from __future__ import annotations

import hashlib
import sqlite3
from enum import Enum

_CACHE_KIB = 16_384


class Repeat(Enum):
    """The relation of a row to the earlier rows with its id."""

    NONE = 0  # the id is new
    PLAIN = 1  # an earlier row has the same id and content
    WITH_NEW_GOLD = 2  # the same, but only this row has a gold answer


class Seen:
    """Remembers each id with its content, to detect repeated ids. For example, the id is that of a
    question, and the content is the question's text. To save memory, only digests of the ids and
    contents are stored."""

    def __init__(self) -> None:
        self._table = temporary_table(
            "create table seen (id integer primary key, content integer, gold integer)"
        )

    def add(self, identity: str, content: str, *, gold: bool) -> Repeat:
        """Store `identity`, the id of a row, with the row's `content`. If the id was stored before,
        nothing changes. Return how the row is related to the earlier rows with this id. `gold` is
        True if the row has a gold answer.

        Raises ValueError if the id was stored before with other content.
        """
        row = digest(identity), digest(content), gold
        if self._table.execute("insert or ignore into seen values (?, ?, ?)", row).rowcount:
            return Repeat.NONE
        query = "select content, gold from seen where id = ?"
        earlier, earlier_gold = self._table.execute(query, row[:1]).fetchone()
        if earlier != row[1]:
            raise ValueError(identity)
        return Repeat.WITH_NEW_GOLD if gold and not earlier_gold else Repeat.PLAIN


def temporary_table(create: str) -> sqlite3.Connection:
    """Open a temporary database, and execute `create`, the SQL command that makes its table."""
    # check_same_thread is off because the garbage collector may close the connection in another
    # thread.
    # The name "" makes a temporary database, which SQLite keeps in memory while it is small.
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    connection.execute("pragma journal_mode = off")
    connection.execute(f"pragma cache_size = -{_CACHE_KIB}")
    connection.execute(create)
    connection.execute("begin")
    return connection


def digest(text: str) -> int:
    """Return a 63-bit digest of a text. With a million texts, the probability that two of them have
    the same digest is about 1 in 20 million."""
    hashed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed) >> 1
