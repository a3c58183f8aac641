"""Read the YAML file of --config, which gives values for options.

A file with sections is for several commands:

seed: 1                           for every command that has --seed
dev: [dev1.jsonl, dev2.jsonl]     the same as --dev dev1.jsonl --dev dev2.jsonl
columns: {question: Frage}        the same as --columns question=Frage
train-answer:                     a section, for scicot train-answer only
  epochs: 3

A file without sections is for one command. Each name in it must be an option of the command that is
run. A misspelt name, or an option of another command, is then an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from scicot.errors import UsageError
from scicot.text import one_line, whole_characters
from scicot_cli.commands import SUMMARIES

Scalar = str | bool
Value = Scalar | list[Scalar]
Values = dict[str, Value | None]

_LARGEST = 1 << 20  # bytes
_DEEPEST = 10  # levels of nesting; PyYAML takes quadratic time
_MOST_ALIASES = 20  # nested aliases can expand to any size


@dataclass(frozen=True)
class Settings:
    """The content of a settings file. Numbers are kept as text.

    - `shared`: the values outside sections, by option name.
    - `sections`: the values in each section, by the name of the command.
    """

    shared: Values = field(default_factory=dict)
    sections: dict[str, Values] = field(default_factory=dict)


def spelled(name: str) -> str:
    """Return the usual spelling of an option or command, without leading hyphens: "batch-size" for
    "batch_size" and for "--batch-size"."""
    return name.lstrip("-").replace("_", "-")


def read(path: Path) -> Settings:
    """Read a settings file. Raises UsageError if the file cannot be read, or if its content is not
    as described at the top of this module."""
    subject = f"--config {path}"
    try:
        with path.open("rb") as stream:
            text = stream.read(_LARGEST + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{subject}: not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{subject}: {error.strerror}") from None
    if len(text) > _LARGEST:
        raise UsageError(f"{subject}: larger than 1 MiB, too large for a settings file")
    try:
        return _settings(_loaded(text, subject), subject)
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
                raise UsageError(f"{subject}: nested too deeply, or too many aliases (*NAME)")
        root: Any = yaml.compose(text)
        _check_keys(root, subject)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{subject}: not YAML ({one_line(str(error), 200)})") from None


def _check_keys(root: Any, subject: str) -> None:
    """Raise UsageError if a mapping in `root` (a node of PyYAML, or None) has a key twice. The
    error message begins with `subject`."""
    # PyYAML would silently take the last value of the key.
    nodes = [root]
    checked = set()  # since an alias (*NAME) can make a mapping contain itself
    while nodes:
        node = nodes.pop()
        if type(node).__name__ != "MappingNode" or id(node) in checked:
            continue
        checked.add(id(node))
        names = set()
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in names:
                raise UsageError(f"{subject}:{line}: {name[:60]} is given twice; remove one")
            names.add(name)
            nodes.append(value)


def _settings(values: Any, subject: str) -> Settings:
    names = _names(values, subject)
    sections: dict[str, Values] = {}
    for key, name in names.items():
        command = spelled(name)
        if command in SUMMARIES:
            if command in sections:
                raise UsageError(f"{subject}: {name} is given twice; remove one")
            sections[command] = _options(values[key], f"{subject}: {name}")
    shared = {key: values[key] for key, name in names.items() if spelled(name) not in SUMMARIES}
    return Settings(_options(shared, subject), sections)


def _names(values: Any, subject: str) -> dict[Any, str]:
    """Return the keys of the mapping `values` as text, in a dict {key: key as text}. (A key in YAML
    may be a number.) An empty section (None) gives {}. Raises UsageError if `values` is not a
    mapping."""
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(f"{subject}: must map option names to values")
    return {key: str(_scalar(key, subject)) for key in values}


def _options(values: Any, subject: str) -> Values:
    return {
        name: None if values[key] is None else _value(name, values[key], subject)
        for key, name in _names(values, subject).items()
    }


def _value(name: str, value: Any, subject: str) -> Value:
    subject = f"{subject}: {name[:60]}"
    if isinstance(value, list):  # flat, since an alias may make a list contain itself
        return [_scalar(item, subject) for item in value]
    if isinstance(value, dict):
        if spelled(name) == "columns":
            return _columns(value, subject)
        similar = get_close_matches(spelled(name), SUMMARIES, n=1)
        suggestion = f"; did you mean {similar[0]}?" if similar else ""
        raise UsageError(f"{subject}: is a section, but no command has this name{suggestion}")
    return value if isinstance(value, bool) else _scalar(value, subject)


def _columns(roles: Mapping[Any, Any], subject: str) -> str:
    """Convert a mapping to the text of --columns. For example, {question: Frage, choices: [A, B]}
    becomes "question=Frage,choices=A+B"."""
    from scicot.formats.mapping import ROLES, Columns

    texts = {}
    for key, role in _names(roles, subject).items():
        fields = roles[key] if isinstance(roles[key], list) else [roles[key]]
        texts[role] = "+".join(str(_scalar(item, f"{subject}: {role[:60]}")) for item in fields)
    text = ",".join(f"{role}={fields}" for role, fields in texts.items())
    parsed = Columns.parse(text)
    # An unknown role after a known one would be read as a part of a field's name.
    if parsed is None or parsed.roles != {role: names.strip() for role, names in texts.items()}:
        raise UsageError(
            f"{subject}: not a valid mapping of roles to fields (--columns"
            f" {one_line(text, 200)!r}); the roles are {', '.join(ROLES)}"
        )
    return text


def _scalar(value: Any, subject: str) -> Scalar:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        type_name = type(value).__name__
        raise UsageError(
            f"{subject}: is a {type_name}, but must be a string or a number; quote it for a string"
        )
    text = str(value)
    if "\0" in text or whole_characters(text) != text:
        raise UsageError(f"{subject}: contains a NUL character or a lone surrogate; remove it")
    return text
