"""The items that file readers yield: a row with its location, or an error."""

from __future__ import annotations

from scicot.errors import InvalidRow
from scicot.row_fields import Row

# What is wrong is handed on and not raised, because a generator that has raised cannot go on to
# the next row.
Entry = tuple[str, Row] | InvalidRow

# Said of a place whose bytes are none of UTF-8.
NOT_UTF8 = "not UTF-8 text (--encoding latin-1 or cp1252, for example, reads others)"

BOM = b"\xef\xbb\xbf"  # which some editors put before UTF-8
