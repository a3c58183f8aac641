"""The options that several commands share, with their names, types and help texts. Their defaults
are in the settings classes of scicot.config."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from scicot.config import ReadingSettings
from scicot.errors import UsageError
from scicot_cli import completion, settings_file

_SHOWN = 60  # characters shown of an unknown option name


def _read_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Read the YAML file of --config, and make its values the defaults of this command's options.

    The command's own section overrides the values outside sections. The sections of other commands
    are ignored. In a file with sections, a name outside the sections may be an option of any
    command. Raises UsageError for the name `config`, and for any other name that is not an option
    of this command.
    """
    if path is None:
        return None
    settings = settings_file.read(path)
    own = settings.sections.get(ctx.info_name or "", {})
    subject = f"--config {path}"
    shared = settings.shared
    if settings.sections:
        shared = _without_other_commands(shared, ctx.command)
    ctx.default_map = {
        **_defaults(shared, ctx, subject),
        **_defaults(own, ctx, f"{subject}: {ctx.info_name}"),
    }
    return path


def _parameters(command: Any) -> dict[str, Any]:
    """Return a dict from option names to the parameters of a command, without --config. A parameter
    with several names has an entry for each name."""
    return {
        settings_file.spelled(name): parameter
        for parameter in command.params
        for name in [*parameter.opts, parameter.name or ""]
        if parameter.name not in ("config", None)
    }


def _positive_name(name: str, command: Any) -> str:
    """Return the first name of a pair of flags, given the second name: "answer-texts" for
    "answer-labels" (--answer-texts/--answer-labels). Return "" if `name` is not the second name of
    a pair of the command."""
    for parameter in command.params:
        if settings_file.spelled(name) in map(settings_file.spelled, parameter.secondary_opts):
            return str(parameter.opts[0]).removeprefix("--")
    return ""


def _without_other_commands(values: settings_file.Values, command: Any) -> settings_file.Values:
    """Return `values` without the options that another command has and `command` lacks. Names that
    are no option at all are kept, because `_defaults` must report them."""
    own = _parameters(command)
    unknown = [name for name in values if settings_file.spelled(name) not in own]
    if not unknown:
        return values
    # Only now, because it imports the modules of all commands.
    from scicot_cli.commands import Commands

    others = {name for other in Commands().values() for name in _parameters(other)}
    foreign = {name for name in unknown if settings_file.spelled(name) in others}
    return {name: value for name, value in values.items() if name not in foreign}


def _defaults(values: settings_file.Values, ctx: typer.Context, subject: str) -> dict[str, Any]:
    """Convert the values of a settings file, or of a section, to defaults of the command: a dict
    from parameter names to values. Raises UsageError for a name that is not an option of the
    command. The error message begins with `subject`."""
    parameters = _parameters(ctx.command)
    defaults: dict[str, Any] = {}
    seen: set[str] = set()
    for key, value in values.items():
        parameter = parameters.get(settings_file.spelled(key))
        if parameter is None:
            shortened = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..."
            positive = _positive_name(key, ctx.command)
            if positive:
                raise UsageError(
                    f"{subject}: instead of {shortened!r}, write {positive}: false (it means"
                    f" --{settings_file.spelled(key)})"
                )
            similar = get_close_matches(settings_file.spelled(key), parameters, n=1)
            suggestion = f"; did you mean {similar[0]}?" if similar else ""
            raise UsageError(
                f"{subject}: scicot {ctx.info_name} has no option {shortened!r}{suggestion}"
            )
        if parameter.name in seen:
            raise UsageError(f"{subject}: {key[:_SHOWN]} is given twice; remove one")
        seen.add(parameter.name)
        if value is not None:
            defaults[parameter.name] = _as_option(parameter, value)
    return defaults


def _as_option(parameter: Any, value: settings_file.Value) -> Any:
    """Convert a value of a settings file to the type that the parser expects for `parameter`:

    - a list, if the option may be repeated
    - the unchanged `value`, if the option is a flag
    - text, for any other option
    """
    if parameter.nargs == -1 or getattr(parameter, "multiple", False):
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):  # for options that take a list such as "1,2" as one value
        return ",".join(map(str, value))
    if parameter.name == "reveal_answer" and isinstance(value, bool):
        return "always" if value else "never"
    # Kept as text unless it is a flag: otherwise a number option would accept true as 1.
    return value if getattr(parameter, "is_flag", False) else str(value)


def overridden(ctx: typer.Context, first: str, second: str) -> str | None:
    """Return which of two options is overridden. Both were given, but they exclude each other.

    The command line overrides the --config file. So if one option is on the command line and the
    other in the file, the result is the option in the file. Otherwise the result is None.
    """
    sources = {name: ctx.get_parameter_source(name) for name in (first, second)}
    in_file = [n for n, source in sources.items() if source and source.name == "DEFAULT_MAP"]
    return in_file[0] if len(in_file) == 1 else None


def reading(
    ctx: typer.Context,
    columns: str,
    answer_index: int | None,
    encoding: str,
    answer_texts: bool | None,
) -> ReadingSettings:
    """Make the reading settings from the options --columns, --answer-index, --encoding and
    --answer-texts."""
    if answer_texts and answer_index is not None:
        in_file = overridden(ctx, "answer_index", "answer_texts")
        answer_index = None if in_file == "answer_index" else answer_index
        answer_texts = None if in_file == "answer_texts" else answer_texts
    base: Any = answer_index  # already validated by typer
    return ReadingSettings(columns, base, encoding, answer_texts)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.yaml",
        is_eager=True,
        callback=_read_config,
        help="YAML file with values for options. If several commands share the file, it may have a "
        "section for each of them. Options on the command line override it.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=1, help="Read only the first N rows of each file."),
]
Columns = Annotated[
    str,
    typer.Option(
        "--columns",
        metavar="ROLE=FIELD,...",
        help="Fields of the file that hold the parts of a row (roles), for example "
        "question=Frage,choices=A-D,answer=gold.label. Roles: question, choices, distractors "
        "(wrong choices), answer, context, id, rationale, prediction. Roles that you leave out "
        "are recognised automatically.",
        show_default=False,
    ),
]
AnswerIndex = Annotated[
    int | None,
    typer.Option(
        "--answer-index",
        metavar="0|1",
        min=0,
        max=1,
        help="Whether numeric gold answers, and numeric predictions in evaluate --questions, count "
        "the choices from 0 or from 1. Needed if the file does not show it.",
    ),
]
AnswerTexts = Annotated[
    bool | None,
    typer.Option(
        "--answer-texts/--answer-labels",
        help="How to read an answer that is the label of one choice and the text of another. "
        "--answer-texts: as a text, like all answers of the file, except in layouts whose answers "
        "are never texts. --answer-labels: as a label (with --answer-index, a number is an "
        "index). Also applies to predictions in evaluate --questions. [default: inferred from the "
        "other rows]",
        show_default=False,
    ),
]
Encoding = Annotated[
    str,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding of text files, for example latin-1, cp1252 or utf-16. Lines of JSON files "
        "that are valid UTF-8 are always read as UTF-8. [default: utf-8]",
        show_default=False,
    ),
]
SkipInvalid = Annotated[
    bool,
    typer.Option("--skip-invalid", help="Skip and count rows that cannot be read."),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Start over and replace existing output. If this is stopped, the same command"
        " continues.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and errors only.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also show messages of the underlying libraries.")
]
Seed = Annotated[int, typer.Option("--seed", help="Random seed.")]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        autocompletion=completion.devices,
        help="auto (CUDA if available, else the CPU), cpu or cuda.",
    ),
]
