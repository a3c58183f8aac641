"""The type of the items that file readers yield: a row with its location, or an error."""

from __future__ import annotations

from scicot.errors import InvalidRow
from scicot.row_fields import Row

# Errors are yielded and not raised, because a generator that has raised cannot continue with the
# next row.
Entry = tuple[str, Row] | InvalidRow

# The error message for bytes that are not UTF-8.
NOT_UTF8 = "not UTF-8 text; give its encoding, for example --encoding latin-1 or --encoding cp1252"

BOM = b"\xef\xbb\xbf"  # byte order mark, which some editors put before UTF-8
