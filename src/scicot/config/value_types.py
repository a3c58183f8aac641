"""Check the types of values against type hints.

The settings classes check all their fields with this module. The Python API checks its keywords
that are not fields of settings. A value of a wrong type thus gives an error message of one line.
Without the check, samples="3" would end in a traceback, and vote="no" would count as True.
"""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from scicot.config.checks import short
from scicot.errors import UsageError

_NAMES = {
    **{int: "an int", float: "a number", bool: "True or False", str: "a str"},
    os.PathLike: "a path",
}


def check_types(settings: Any) -> None:
    """Check the type of each field of a dataclass, and convert values as `typed` does. Raises
    UsageError for the first field with a wrong type."""
    for name, hint in typing.get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        converted = typed(name, value, hint)
        if converted is not value:
            object.__setattr__(settings, name, converted)  # the dataclass is frozen


def typed(name: str, value: Any, hint: Any) -> Any:
    """Return `value`, converted to the type `hint` if necessary. Raises UsageError, which names the
    keyword `name`, if `value` has a wrong type and cannot be converted.

    These values are converted:

    - a whole float to an int
    - 0 and 1 to a bool
    - a scalar of NumPy or PyTorch to the Python value
    - a torch.device to a str
    - for the hint `tuple[X, ...]`: any ordered iterable, such as a list, to a tuple, and a single X
      to a tuple of one element

    An int is also accepted as a float, and is returned unchanged. A bool is not accepted as a
    number. A str is never converted to a number.
    """
    try:
        return _converted(value, hint)
    except TypeError:
        expected = _described(hint)
        raise UsageError(f"{name} is {short(repr(value))}; it must be {expected}") from None


def _converted(value: Any, hint: Any) -> Any:
    """Return `value`, converted to the type `hint` if necessary (see `typed`). Raises TypeError if
    `value` has a wrong type and cannot be converted."""
    if getattr(value, "shape", None) == ():  # a scalar of NumPy or PyTorch
        value = value.item()
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _first(value, parts)
    if origin is typing.Literal:
        # The settings class itself refuses other values of the right type, with a suggestion.
        return _first(value, {type(part): None for part in parts})
    if origin is tuple:
        return _tuple(value, parts)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint is bool and isinstance(value, int) and value in (0, 1):
        return bool(value)
    if hint is str and type(value).__module__ == "torch":
        return str(value)  # torch.device("cuda")
    allowed = (int, float) if hint is float else origin or hint
    if not isinstance(value, allowed) or (isinstance(value, bool) and hint in (int, float)):
        raise TypeError
    return value


def _first(value: Any, hints: Iterable[Any]) -> Any:
    """Return `value`, converted to the first type in `hints` that accepts it. Raises TypeError if
    no type accepts it."""
    for hint in hints:
        try:
            return _converted(value, hint)
        except TypeError:
            continue
    raise TypeError


def _tuple(value: Any, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return `value`, converted to the type `tuple[*parts]`. Raises TypeError if this is
    impossible."""
    any_length = parts[-1] is Ellipsis
    if any_length:
        try:
            return (_converted(value, parts[0]),)  # by="meta.topic" is one field, not 10 letters
        except TypeError:
            pass
    # bytes, a set and a dict have no elements in an order that the user chose
    if not isinstance(value, Iterable) or isinstance(
        value, str | bytes | set | frozenset | Mapping
    ):
        raise TypeError
    elements = tuple(value)
    hints = parts[:1] * len(elements) if any_length else parts
    if len(hints) != len(elements):
        raise TypeError
    return tuple(map(_converted, elements, hints))


def _described(hint: Any) -> str:
    """Describe a type in words, such as "an int or None"."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_described, parts))
    if origin is typing.Literal:
        return " or ".join(map(repr, parts))
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return f"{_described(parts[0])}, or a list of such"
        return f"({', '.join(map(_described, parts))})"
    if hint is types.NoneType:
        return "None"
    named: type = origin or hint
    # the public classes of the settings are attributes of the package
    package = "scicot." if named.__module__.startswith("scicot.") else ""
    return _NAMES.get(named, f"a {package}{named.__name__}")
