"""Read the fields of a row, and check their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scicot.text import whole_characters

Row = dict[str, Any]
# for isinstance; dict first, since that check is faster and nearly always matches
MAPPING = (dict, Mapping)


class RowProblem(ValueError):
    """An invalid row, without its location; readers that know the line raise InvalidRow from it."""


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
    """Read a text that a model wrote, with lone surrogates replaced by U+FFFD.

    A proxy may cut a reply within a character; the rest of the reply was paid for, so it is kept.
    Raises RowProblem if there is no text or, unless `blank` is allowed, an empty one.
    """
    return whole_characters(_string_value(row, name, blank=blank))


def _string_value(row: Mapping[str, Any], name: str, *, blank: bool) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise RowProblem(
            f'"{name}" is missing' if name not in row else f'"{name}" must be a string'
        )
    if not blank and not value.strip():
        raise RowProblem(f'"{name}" is empty')
    return value


def checked_utf8(text: str, description: str) -> str:
    """Return the text. Raises RowProblem if it cannot be encoded as UTF-8, as tokenizers and
    servers need."""
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise RowProblem(f"{description} holds half a character (a lone surrogate)") from None
    return text
