"""Check the types of field values, and show values in messages."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any


def is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_text_or_number(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def number_as_text(value: Any) -> Any:
    """Convert a number to a string. Return other values unchanged."""
    return str(value) if is_number(value) else value


def are_strings(values: Iterable[Any]) -> bool:
    """Return True if the type of all values is str. This check is fast enough for each row of the
    largest files. It returns False for instances of subclasses of str."""
    return set(map(type, values)) == {str}


def shortened(value: Any) -> str:
    """Return a value as Python code, shortened for a one-line message."""
    return reprlib.repr(value)
