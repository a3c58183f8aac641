"""The YAML file of --config: option names, each with one value or a flat list of values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scicot.errors import UsageError
from scicot.text import one_line, whole_characters

Scalar = str | bool
Value = Scalar | list[Scalar]

_LARGEST = 1 << 20  # bytes
_DEEPEST = 10  # levels of nesting; PyYAML takes quadratic time
_MOST_ALIASES = 20  # nested aliases can expand to any size


def read(path: Path) -> dict[str, Value | None]:
    """Return the values by name, numbers as they would be typed in a shell. Raises UsageError if
    the file cannot be read or contains anything else."""
    where = f"--config {path}"
    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{where}: not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}") from None
    if len(text) > _LARGEST:
        raise UsageError(f"{where}: is too large for a file of options")
    try:
        return _options(_loaded(text, where), where)
    except (ValueError, OverflowError) as error:  # invalid numbers and dates
        reason = (
            "a number has too many digits" if "digits" in str(error) else one_line(str(error), 200)
        )
        raise UsageError(f"{where}: not YAML ({reason})") from None


def _loaded(text: str, where: str) -> Any:
    import yaml

    try:
        level = aliases = 0
        for token in yaml.scan(text):  # refused before any values are built
            kind = type(token).__name__  # such as FlowSequenceStartToken
            level += kind.endswith("StartToken") - kind.endswith("EndToken")
            aliases += isinstance(token, yaml.AliasToken)
            if level > _DEEPEST or aliases > _MOST_ALIASES:
                raise UsageError(f"{where}: nested too deeply, or of too many aliases (*NAME)")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{where}: not YAML ({one_line(str(error), 200)})") from None


def _options(values: Any, where: str) -> dict[str, Value | None]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"{where}: must map option names to values")
    names = {name: str(_scalar(name, where)) for name in values}
    return {
        names[name]: None if value is None else _value(value, f"{where}: {names[name][:60]}")
        for name, value in values.items()
    }


def _value(value: Any, where: str) -> Value:
    if isinstance(value, list):  # flat, since an alias may make a list contain itself
        return [_scalar(one, where) for one in value]
    return value if isinstance(value, bool) else _scalar(value, where)


def _scalar(value: Any, where: str) -> Scalar:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = type(value).__name__
        raise UsageError(f"{where}: is a {kind}, not a text or a number; quote it for a text")
    text = str(value)
    if "\0" in text or whole_characters(text) != text:
        raise UsageError(f"{where}: holds a character that no option can have")
    return text
