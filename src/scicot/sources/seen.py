"""Detect repeated ids among millions of rows, with little memory."""

from __future__ import annotations

import hashlib
import sqlite3

_CACHE_KIB = 16_384


class Seen:
    """Stores pairs of an id and a content, to detect repeated ids. For example, the id is that of a
    question, and the content is the question's text. To save memory, only digests are stored."""

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
        """Store the id `identity` with `content`, and return True if the id is new.

        Return False if the id was stored before with the same content. Raises ValueError if the id
        was stored before with other content.
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
