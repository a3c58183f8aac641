"""Read the YAML file of --config: option names, each with one value or a flat list of values."""

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
    """Return the values in a settings file, by option name. Numbers are returned as text. Raises
    UsageError if the file cannot be read or does not have the form that this module describes."""
    subject = f"--config {path}"
    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{subject}: not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{subject}: {error.strerror}") from None
    if len(text) > _LARGEST:
        raise UsageError(f"{subject}: is too large for a file of options")
    try:
        return _options(_loaded(text, subject), subject)
    except (ValueError, OverflowError) as error:  # invalid numbers and dates
        reason = (
            "a number has too many digits" if "digits" in str(error) else one_line(str(error), 200)
        )
        raise UsageError(f"{subject}: not YAML ({reason})") from None


def _loaded(text: str, subject: str) -> Any:
    import yaml

    try:
        level = aliases = 0
        for token in yaml.scan(text):  # refused before any values are built
            token_type = type(token).__name__  # such as FlowSequenceStartToken
            level += token_type.endswith("StartToken") - token_type.endswith("EndToken")
            aliases += isinstance(token, yaml.AliasToken)
            if level > _DEEPEST or aliases > _MOST_ALIASES:
                raise UsageError(f"{subject}: nested too deeply, or of too many aliases (*NAME)")
        _check_keys(yaml.compose(text), subject)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{subject}: not YAML ({one_line(str(error), 200)})") from None


def _check_keys(root: Any, subject: str) -> None:
    """Raise UsageError if the mapping `root` (a node of PyYAML, or None) has a key twice. The error
    message begins with `subject`."""
    # PyYAML would silently take the last value of the key.
    keys = [key for key, _ in root.value] if type(root).__name__ == "MappingNode" else []
    seen = set()
    for key in keys:
        name = str(key.value)
        if name in seen:
            line = key.start_mark.line + 1
            raise UsageError(f"{subject}:{line}: gives {name[:60]} a second time; leave one out")
        seen.add(name)


def _options(values: Any, subject: str) -> dict[str, Value | None]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"{subject}: must map option names to values")
    names = {name: str(_scalar(name, subject)) for name in values}
    return {
        names[name]: None if value is None else _value(value, f"{subject}: {names[name][:60]}")
        for name, value in values.items()
    }


def _value(value: Any, subject: str) -> Value:
    if isinstance(value, list):  # flat, since an alias may make a list contain itself
        return [_scalar(item, subject) for item in value]
    return value if isinstance(value, bool) else _scalar(value, subject)


def _scalar(value: Any, subject: str) -> Scalar:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        type_name = type(value).__name__
        raise UsageError(
            f"{subject}: is a {type_name}, not a text or a number; quote it for a text"
        )
    text = str(value)
    if "\0" in text or whole_characters(text) != text:
        raise UsageError(f"{subject}: holds a character that no option can have")
    return text
