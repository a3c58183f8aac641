"""Detect repeated ids among millions of rows, with little memory."""

from __future__ import annotations

import hashlib
import sqlite3

_CACHE_KIB = 16_384


class Seen:
    """The ids recorded so far, each with a digest of its content."""

    def __init__(self) -> None:
        # check_same_thread is off because the garbage collector may close the connection in another
        # thread.
        # The name "" makes a temporary database, which SQLite keeps in memory while it is small.
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._table.execute("pragma journal_mode = off")
        self._table.execute(f"pragma cache_size = -{_CACHE_KIB}")
        self._table.execute("create table seen (id integer primary key, content integer)")
        self._table.execute("begin")

    def is_new(self, identity: str, content: str) -> bool:
        """Record the id `identity` with `content`, and return True if the id is new.

        Return False if the id was recorded before with the same content. Raises ValueError if it
        was recorded with other content.
        """
        row = digest(identity), digest(content)
        if self._table.execute("insert or ignore into seen values (?, ?)", row).rowcount:
            return True
        query = "select content from seen where id = ?"
        (earlier,) = self._table.execute(query, row[:1]).fetchone()
        if earlier != row[1]:
            raise ValueError(identity)
        return False


def digest(text: str) -> int:
    """Return a 63-bit digest of a text. The probability that any two of a million texts have the
    same digest is 1 in 20 million."""
    hashed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed) >> 1
