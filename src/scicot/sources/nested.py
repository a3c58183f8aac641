"""Read the rows inside one JSON document: a list of rows in an object, or a table stored by
columns.

{"data": [{"question": ...}, ...], "version": 1}            a list among other fields
{"eval": {...}, "samples": [{"input": ...}, ...]}           a log of Inspect
{"rows": [{"row_idx": 0, "row": {"question": ...}}]}        from the Hub's data set viewer
{"name": {"train": [{"question": ...}, ...]}}               ThoughtSource
{"question": {"0": "...", "1": "..."}, "A": {...}}          columns, as pandas writes them
{"question": ["...", "..."], "A": ["...", "..."]}           columns, as in `datasets`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scicot.errors import ScicotError
from scicot.formats.names import (
    ANSWERS,
    CHOICES,
    CONTEXTS,
    FURTHER_ANSWERS,
    QUESTIONS,
    QUESTIONS_BESIDE_CHOICES,
    plain_name,
)
from scicot.sources.binary import sample_of
from scicot.sources.entries import Entry

_QUESTION_NAMES = frozenset((*QUESTIONS, *QUESTIONS_BESIDE_CHOICES))
_TEXTS = frozenset((*CONTEXTS, "text", "document", "dialogue", "transcript", "content"))
_NAMES_SHOWN = 6
_WRAPPER_FIELDS = {"row", "row_idx"}


def rows_in(value: Any, name: str, notes: list[str]) -> Iterator[Entry] | None:
    """Return the rows inside the parsed JSON value `value`. Each row has a location that begins
    with `name`.

    - If `value` is a table stored by columns, return the rows of the table.
    - If `value` has one list of rows, return the rows of this list.
    - If `value` has several lists of rows, return the rows of the list called "samples". Raise
      ScicotError if there is no list called "samples".

    If `value` has fields besides the list, a note with their names is appended to `notes`, since
    these fields are not read. For a log of Inspect, no note is appended.

    Return None in these cases:

    - `value` is not an object, or contains no rows.
    - `value` is itself a question or a prediction.
    - `value` has a reading passage beside the list, as in QuALITY, and some rows have no passage.
      The questions in these rows are probably about the passage in `value`, which would be lost.
    """
    if not isinstance(value, Mapping):
        return None
    table = _columns(value)
    if table is not None:
        return iter([(f"{name}[{number}]", row) for number, row in enumerate(table)])
    if _is_question(value) or "prediction" in map(plain_name, value):
        return None
    found = dict(_row_lists(value))
    if not found:
        return None
    if len(found) > 1 and "samples" not in found:
        raise ScicotError(
            f"{name}: holds several lists of rows ({', '.join(list(found)[:6])}); split it into one"
            " file per list"
        )
    key = "samples" if "samples" in found else next(iter(found))
    if _has_context(value) and not all(map(_has_context, found[key])):
        return None
    is_log = "eval" in value and key == "samples"
    if not is_log:
        notes += _notes_on_other_fields(value, key, name)
    return iter(
        [
            (f"{name}[{key}][{number}]", sample_of(row) if is_log else _unwrapped(row))
            for number, row in enumerate(found[key])
        ]
    )


def _has_context(row: Mapping[str, Any]) -> bool:
    """Return True if an object has a field, such as "passage" or "text", that can be the context of
    questions."""
    return any(
        isinstance(text, str | list) and bool(text) and plain_name(name) in _TEXTS
        for name, text in row.items()
    )


def _notes_on_other_fields(value: Mapping[str, Any], key: str, name: str) -> list[str]:
    """Return [note], where the note names the fields of `value` that are not read. Return [] if
    there are no such fields.

    key: the path of the list that is read. For example, `key` is "data.train" and `value` is
        {"data": {"train": [...], "license": "MIT"}, "version": 1}. The note then names
        "data.license" and "version".
    name: the name of the file, with which the note begins.
    """
    names = [field for field in value if field != key]
    outer, dot, inner = key.partition(".")
    if key not in value and dot:
        beside = [f"{outer}.{field}" for field in value[outer] if field != inner]
        names = [*beside, *(field for field in value if field != outer)]
    if not names:
        return []
    shown = ", ".join(f'"{field[:40]}"' for field in names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return [f'{name}: the rows are read from "{key}"; ignored: {shown}{more}']


def _is_question(row: Mapping[str, Any]) -> bool:
    """Return True if an object is a question, False if it is anything else, such as a choice."""
    names = set(map(plain_name, row))
    if names & set(QUESTIONS):
        return True
    return bool(names & set(QUESTIONS_BESIDE_CHOICES)) and bool(
        names & {*CHOICES, *ANSWERS, *FURTHER_ANSWERS, "target", "label"}
    )


def _row_lists(value: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (name, rows) for each list of question rows in an object or in its inner objects. The
    name is "KEY", or "KEY.INNER" for a list in an inner object."""
    for key, inner in value.items():
        if isinstance(inner, list) and inner and all(isinstance(row, dict) for row in inner):
            if _is_question(_unwrapped(inner[0])):
                yield key, inner
        elif isinstance(inner, Mapping):
            for split, rows in inner.items():
                is_row_list = (
                    isinstance(rows, list) and rows and all(isinstance(r, dict) for r in rows)
                )
                if is_row_list and _is_question(rows[0]):
                    yield f"{key}.{split}", rows


def _unwrapped(row: dict[str, Any]) -> dict[str, Any]:
    inner = row.get("row")
    return inner if isinstance(inner, dict) and row.keys() >= _WRAPPER_FIELDS else row


def _columns(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of a table that is stored by columns; None if `value` is no such table."""
    columns = list(value.values())
    if len(columns) < 2 or not _is_question(value):
        return None
    question_column = next(
        column for name, column in value.items() if plain_name(name) in _QUESTION_NAMES
    )
    if all(isinstance(column, Mapping) for column in columns):
        keys = list(columns[0])
        same_keys = all(list(column) == keys for column in columns)
        if not same_keys or not keys or not all(key.isdigit() for key in keys):
            return None
        return [{name: column[key] for name, column in value.items()} for key in keys]
    if all(isinstance(column, list) for column in columns):
        if len({len(column) for column in columns}) != 1 or not _all_texts(question_column):
            return None
        return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return None


def _all_texts(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, str) for value in values)
