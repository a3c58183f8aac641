"""Read JSON files in these layouts:

{"id": "q1", "question": ...}                  JSON lines
[{"id": "q1", "question": ...}, ...]           an array, on one line or several
{"12195": {"question": ...}, ...}              rows by id (as in ScienceQA), on one line or several
{"samples": [{"input": ...}, ...], ...}        a list of rows inside an object (nested.py)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from scicot.errors import InvalidRow
from scicot.jsonl import decode, decode_lines
from scicot.sources import nested
from scicot.sources.entries import NOT_UTF8, Entry


def objects(
    first_line: bytes, head: list[bytes], lines: Iterator[bytes], name: str, notes: list[str]
) -> Iterator[Entry]:
    """Read a file that begins with "{": JSON lines, or a single JSON document on one or more lines.

    first_line: the first line that is not blank, without surrounding white space.
    head: the lines that were already read, unchanged: any blank lines, then the first line that is
        not blank.
    lines: yields the rest of the file.
    notes: if the document is an object with a list of rows, only the list is read, and a note about
        the other fields is appended to `notes` (see nested.rows_in).
    """
    try:
        value = decode(first_line.decode())
    except json.JSONDecodeError as error:
        if (
            error.pos < len(first_line.decode()) - 1
        ):  # invalid JSON, not merely an incomplete object
            return json_lines(chain(head, lines), name)
        return _document_or_lines(head, lines, name, notes)
    except ValueError:
        return json_lines(chain(head, lines), name)
    if is_keyed(value):
        return chain(_by_key(value, name), _surplus(lines, name, after=len(head)))
    new_notes: list[str] = []
    inner = nested.rows_in(value, name, new_notes)
    if inner is None:
        return json_lines(chain(head, lines), name)
    count = len(head)
    following = next((line for line in _read_on(head, lines) if line.strip()), b"")
    # one object per line, so JSON lines, whatever the first one contains
    if following.lstrip().startswith(b"{"):
        return json_lines(chain(head, lines), name)
    notes += new_notes
    return chain(inner, _surplus(chain(head[count:], lines), name, after=count))


def _read_on(head: list[bytes], lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield each line of `lines` and append it to `head`."""
    for line in lines:
        head.append(line)
        yield line


def _document_or_lines(
    head: list[bytes], lines: Iterator[bytes], name: str, notes: list[str]
) -> Iterator[Entry]:
    """Read a file whose first line begins a JSON object but does not end this object. If the next
    line begins a new row, the file is JSON lines, and its first line is broken. Otherwise the file
    is one document on several lines. The parameters are those of the function `objects`."""
    first_line = head[-1].strip()
    for line in lines:
        head.append(line)
        if line.strip():
            break
    if _starts_new_row(head[-1].strip(), first_line):
        return json_lines(chain(head, lines), name)
    return _document(b"".join([*head, *lines]), name, notes)


def _starts_new_row(line: bytes, first_line: bytes) -> bool:
    """Return True if a line begins a new row, False if it continues the incomplete object in
    `first_line`."""
    if not line.startswith(b"{"):
        return False
    if not first_line.endswith((b":", b"[")):
        return True  # inside an unfinished object, "{" can only follow a colon or a bracket
    try:
        return isinstance(decode(line.decode()), dict)
    except ValueError:
        return False


def _document(data: bytes, name: str, notes: list[str]) -> Iterator[Entry]:
    value = _decoded(data, name)
    if isinstance(value, InvalidRow):
        yield value
    elif is_keyed(value):
        yield from _by_key(value, name)
    elif (inner := nested.rows_in(value, name, notes)) is not None:
        yield from inner
    else:  # a single row on several lines
        yield f"{name}:1", value


def array(data: bytes, name: str) -> Iterator[Entry]:
    """Yield the rows of a JSON array, and an InvalidRow for each element that is not an object. If
    all elements are strings, or the document is not JSON, yield only one InvalidRow."""
    value = _decoded(data, name)
    if isinstance(value, InvalidRow):
        yield value
    elif value and all(isinstance(entry, str) for entry in value):
        yield InvalidRow(
            name,
            f"an array of {len(value)} strings: replies without their questions; "
            "give rows that hold question, choices and rationale",
        )
    else:
        for index, row in enumerate(value):
            where = f"{name}[{index}]"
            yield (where, row) if isinstance(row, dict) else InvalidRow(where, "not a JSON object")


def _decoded(data: bytes, name: str) -> Any:
    """Parse a JSON document. If the document is not JSON, an InvalidRow is returned, not raised."""
    try:
        return decode(data.decode("utf-8-sig").rstrip())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return InvalidRow(f"{name}:{line}", NOT_UTF8)
    except json.JSONDecodeError as error:
        problem = f"not JSON ({error.msg} at column {error.colno})"
        return InvalidRow(f"{name}:{error.lineno}", problem)
    except ValueError as error:
        return InvalidRow(name, f"not JSON ({error})")


def is_keyed(value: Any) -> bool:
    """Return True if a JSON value is an object whose keys are ids and whose values are question
    rows."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(row, Mapping) and _is_question(row) for row in value.values())
    )


def _is_question(row: Mapping[str, Any]) -> bool:
    return "question" in row or "Question" in row or "QUESTION" in row


def _by_key(value: Mapping[str, Any], name: str) -> Iterator[Entry]:
    for key, row in value.items():
        yield f"{name}[{json.dumps(key)}]", {"id": key, **row}


def _surplus(lines: Iterable[bytes], name: str, after: int) -> Iterator[Entry]:
    for number, line in enumerate(lines, start=after + 1):
        if line.strip():
            yield InvalidRow(f"{name}:{number}", "text after the end of the JSON object")


def json_lines(lines: Iterable[bytes], name: str, after: int = 0) -> Iterator[Entry]:
    """Yield the rows of JSON lines, and an InvalidRow for each line that is not a JSON object. Line
    numbers continue from `after`, the number of earlier lines."""
    decoded = decode_lines(lines, name, after)
    while True:
        try:
            yield next(decoded)
        except StopIteration:
            return
        except InvalidRow as error:
            not_utf8 = error.problem == "not UTF-8 text"
            yield InvalidRow(error.where, NOT_UTF8) if not_utf8 else error
