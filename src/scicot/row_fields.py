"""Read fields from a row, and check the types of their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from scicot.text import whole_characters

Row = dict[str, Any]
# types for isinstance; dict comes first, since its check is faster and nearly always succeeds
MAPPING = (dict, Mapping)


class RowProblem(ValueError):
    """An error in a row, raised by code that does not know the location of the row. Readers know
    the location and raise InvalidRow with the same message instead."""


def mapping_field(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name) or {}
    if not isinstance(value, MAPPING):
        raise RowProblem(f'"{name}" must be an object')
    return value


def string_field(row: Mapping[str, Any], name: str, default: str | None = None) -> str:
    if row.get(name) is None and default is not None:
        return default
    return checked_utf8(_string_value(row, name, blank=default is not None), f'"{name}"')


def model_text_field(row: Mapping[str, Any], name: str, *, blank: bool = False) -> str:
    """Return the field `name` of a row, which holds a text that a model wrote. Lone surrogates
    (halves of a character) are replaced by U+FFFD.

    Raises RowProblem if the field is missing, if it is not a string, or if it is blank and `blank`
    is False.
    """
    # A proxy that cut off a reply may have left half a character at its end. The rest of the reply
    # was paid for, so it is used.
    return whole_characters(_string_value(row, name, blank=blank))


def _string_value(row: Mapping[str, Any], name: str, *, blank: bool) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise RowProblem(not_a_text(name, value) if name in row else f'"{name}" is missing')
    if not blank and not value.strip():
        raise RowProblem(not_a_text(name, value))
    return value


def not_a_text(name: str, value: Any) -> str:
    """Return the error message for a field whose value is blank or not a string."""
    if isinstance(value, str):
        return f'"{name}" is empty'
    return f'"{name}" is {as_json(value)}; it must be a string'


def as_json(value: Any) -> str:
    """Return a value as JSON for a message, shortened to 40 characters."""
    return json.dumps(value, ensure_ascii=False, default=str)[:40]


def checked_utf8(text: str, description: str) -> str:
    """Return the text unchanged. Raises RowProblem if it cannot be encoded as UTF-8. `description`
    names the text in the error message."""
    # Tokenizers and servers need UTF-8.
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise RowProblem(
            f"{description} contains a lone surrogate, which UTF-8 cannot encode; remove it"
        ) from None
    return text
