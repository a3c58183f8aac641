"""Other forms of a mutated input: gzip, and a table of its JSON rows."""

from __future__ import annotations

import csv
import gzip
import io
import json
from random import Random
from typing import Any, Literal


def gzipped(data: bytes, draw: Random) -> bytes:
    """Compress the input with gzip. Sometimes truncate or damage the result, or append bytes."""
    out = gzip.compress(data, compresslevel=1)
    match draw.randrange(8):
        case 0:
            return out[: draw.randrange(len(out) + 1)]
        case 1:
            at = draw.randrange(len(out))
            return out[:at] + bytes([draw.randrange(256)]) + out[at + 1 :]
        case 2:
            return out + draw.choice((b"x", b"\x00" * 10, out, out[:7]))
    return out


def as_table(data: bytes, draw: Random) -> bytes:
    """Turn JSON rows into a table with a random delimiter and quoting. Return other input
    unchanged."""
    try:
        rows = [json.loads(line) for line in data.split(b"\n") if line.strip()]
        names = list({name: None for row in rows for name in row})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return data
    stream = io.StringIO()
    dialects: tuple[Literal[0, 1, 2], ...] = (
        csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC,
    )  # fmt: skip
    quoting = draw.choice(dialects)
    end = draw.choice(("\n", "\n", "\r\n"))
    writer = csv.writer(stream, delimiter=draw.choice(",,;\t"), quoting=quoting, lineterminator=end)
    writer.writerow(names)
    for row in rows:
        if isinstance(row, dict):
            writer.writerow([_cell(row.get(name, "")) for name in names])
    text = stream.getvalue()
    if draw.random() < 0.2 and text:
        at = draw.randrange(len(text))
        text = (
            text[:at]
            + draw.choice(('"', ",", "\n", ";", "\t", "''", "\r", '""', "\x00"))
            + text[at:]
        )
    return text.encode("utf-8", "surrogatepass")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (ValueError, RecursionError):
        return "[]"
