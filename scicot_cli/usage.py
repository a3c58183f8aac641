"""Turn the parser's errors for invalid options into one-line messages, which replace Click's
own."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

import typer

# Base class of the parser's errors for invalid options and arguments.
ERRORS: type[Any] = typer.BadParameter.__bases__[0]
EXIT_CODE = 2
ARGUMENTS = "scicot.arguments"  # key of ctx.meta for the command's arguments

_CHOICES = re.compile(r"(?s).*'(.*)' is not one of (.*?)\.?")
_ALONE = re.compile(r"Option '(.*)' (requires an argument|does not take a value)\.?")
_WORDING = (
    (re.compile(r".*valid boolean.*"), "is neither true nor false"),
    (re.compile(r"(?s).*'(.*)' is a file\.?"), r"\1 is a file; name a folder"),
    (re.compile(r".*valid integer.*"), "is not a whole number"),
    (re.compile(r".*valid number.*"), "is not a number"),
    (re.compile(r".*greater than or equal to (\S+)"), r"must be at least \1"),
    (re.compile(r".*greater than (\S+)"), r"must be more than \1"),
    (re.compile(r".*less than or equal to (\S+)"), r"must be at most \1"),
    (re.compile(r".*less than (\S+)"), r"must be less than \1"),
)


def is_help(error: Any) -> bool:
    """Return True if Click raised this error to show the help, because no arguments were given."""
    return type(error).__name__ == "NoArgsIsHelpError"


def line_of(error: Any) -> str:
    """Return the one-line message for a parser error. It suggests the most similar valid value, if
    there is one, and names the settings file if the value came from --config."""
    return f"{_message(error)} ({_command(error.ctx)} --help)"


def empty_name(parameter: Any, context: Any) -> str:
    """Return the one-line error message for an empty file or folder name. Such a name often comes
    from a shell variable that is not set."""
    subject = _name(parameter)
    if parameter.name in (context.default_map or {}):
        subject = f"{context.params.get('config')}: {parameter.name}"
    return (
        f"{subject} is empty; it must be a name (is a shell variable not set?)"
        f" ({_command(context)} --help)"
    )


def _command(context: Any) -> str:
    path: str = context.command_path if context is not None else "scicot"
    return path.replace("python -m scicot_cli", "scicot")


def _message(error: Any) -> str:
    missing = type(error).__name__ == "MissingParameter"
    if missing and error.param is not None:
        return f"{_name(error.param)} is missing"
    if hasattr(error, "possibilities"):
        similar = get_close_matches(error.option_name, error.possibilities or [], n=1, cutoff=0.3)
        suggestion = f"; did you mean {similar[0]}?" if similar else ""
        return f"{error.option_name}: no such option{suggestion}"
    if getattr(error, "param", None) is not None:
        return _bad_value(error)
    extra = re.fullmatch(r"Got (unexpected) extra (arguments?)(?:\(s\))? \((.*)\)", error.message)
    if extra is not None:
        return f"{extra[3]}: {extra[1]} {extra[2]}"
    value_error = _ALONE.fullmatch(error.message)
    if value_error is not None:
        return f"{value_error[1]} {'needs a' if 'requires' in value_error[2] else 'takes no'} value"
    unknown = re.fullmatch(r"(?s)No such command '(.*?)'\.(?: Did you mean (.*)\?)?", error.message)
    if unknown is not None:
        suggestion = f"; did you mean {unknown[2].replace(chr(39), '')}?" if unknown[2] else ""
        return f"{unknown[1]}: no such command{suggestion}"
    return str(error.format_message()).rstrip(".")


def _bad_value(error: Any) -> str:
    parameter, context = error.param, error.ctx
    name = _name(parameter)
    defaults = (context.default_map if context is not None else None) or {}
    typed = _typed_value(
        parameter.opts, context.meta.get(ARGUMENTS, []) if context is not None else []
    )
    subject = name
    if typed is None and parameter.name in defaults:
        subject, typed = (
            f"{context.params.get('config')}: {parameter.name}",
            defaults[parameter.name],
        )
    setting = f"{subject} {typed}" if typed is not None else subject
    choices = _CHOICES.fullmatch(error.message)
    if choices is not None:
        values = re.findall(r"'([^']*)'", choices[2])
        similar = get_close_matches(choices[1], values, n=1)
        suggestion = f"; did you mean {similar[0]}?" if similar else ""
        return f"{subject} {choices[1]}: give {', '.join(values)}{suggestion}"
    for pattern, wording in _WORDING:
        match = pattern.fullmatch(error.message)
        if match is not None:
            return f"{setting}: {match.expand(wording)}"
    return f"{setting}: {error.message.removeprefix('Value error, ').rstrip('.')}"


def _name(parameter: Any) -> str:
    option: str = parameter.opts[0]
    return option if option.startswith("-") else parameter.metavar or option.upper()


def _typed_value(options: list[str], arguments: list[str]) -> str | None:
    """Return the value of an option as it was typed, or None if the option is not among the
    arguments. `options` are the spellings of the option."""
    # the last occurrence of an option counts
    for index, argument in reversed(list(enumerate(arguments))):
        option, equals, value = argument.partition("=")
        if option in options:
            return value if equals else next(iter(arguments[index + 1 : index + 2]), None)
    return None
