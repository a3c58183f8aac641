"""Shell completion of option values, and its installation for bash, zsh and fish.

`scicot --install-completion zsh` installs completion for zsh, whichever shell runs the command.
Without the name of a shell, completion is installed for the shell that runs the command.

Zsh and fish use Typer's scripts. Bash needs another script, because bash splits words at colons:
`scratch:t` would reach the program as three words.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import typer

from scicot.errors import ScicotError, UsageError

SHELLS = ("bash", "zsh", "fish")
OPTIONS = ("--install-completion", "--show-completion")
RUNNING = "running"  # value that stands for the shell that runs the command
NAME, VARIABLE = "scicot", "_SCICOT_COMPLETE"
_MAX_DEPTH, _MAX_RUNS = 3, 200  # depth of the folders to search, and number of runs to offer

# The words before the cursor are split at white space, but bash completes only the part after the
# last colon, so the part before it is removed from each completion. After a value that ends in a
# colon or slash no space is added, since the user will continue it.
BASH = """\
_scicot_completion() {
    local IFS=$' \\t\\n' line=${COMP_LINE:0:COMP_POINT} words current prefix
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[${#words[@]}-1]}
    IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="$line" COMP_CWORD=$(( ${#words[@]} - 1 )) \\
                   _SCICOT_COMPLETE=complete_bash "$1" ) )
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        prefix=${current%"${current##*:}"}
        COMPREPLY=( "${COMPREPLY[@]#"$prefix"}" )
    fi
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:/] ]] && compopt -o nospace
    return 0
}

complete -o default -F _scicot_completion scicot
"""


def _typer_completion() -> Any:
    """Import typer.completion, register Typer's classes for the shells, and return the module."""
    # Imported here and not at the top of the file, so that commands start fast.
    module = importlib.import_module("typer.completion")
    module.completion_init()  # registers the classes
    return module


def register_shells() -> None:
    """If a shell has started this program to complete a command line, register Typer's completion
    class of each shell."""
    if VARIABLE in os.environ:
        _typer_completion()


def script(shell: str) -> str:
    """Return the completion script of a shell."""
    if shell == "bash":
        return BASH.strip()
    return str(
        _typer_completion().get_completion_script(
            prog_name=NAME, complete_var=VARIABLE, shell=shell
        )
    )


def install(shell: str) -> Path:
    """Write the completion script of a shell to the home directory, and return the script's
    path."""
    if shell != "bash":
        script_path: Path = _typer_completion().install(
            shell=shell, prog_name=NAME, complete_var=VARIABLE
        )[1]
        return script_path
    path, bashrc = Path.home() / ".bash_completions" / f"{NAME}.sh", Path.home() / ".bashrc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(BASH)
    line = f"source '{path}'"
    existing = bashrc.read_text("utf-8", errors="surrogateescape") if bashrc.is_file() else ""
    if line not in existing.splitlines():
        with bashrc.open("a", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(f"{'' if not existing or existing.endswith(chr(10)) else chr(10)}{line}\n")
    return path


def _shell_of(option: str, value: str) -> str:
    """Return the name of the shell that `value` selects: the running shell if `value` is RUNNING,
    else `value` itself. Raises UsageError about `option` if that shell is not supported."""
    if value == RUNNING:
        value = _typer_completion()._get_shell_name() or ""
        if value not in SHELLS:
            raise UsageError(f"{option}: cannot detect the running shell; give bash, zsh or fish")
    if value not in SHELLS:
        raise UsageError(f"{option} {value}: give {', '.join(SHELLS)}")
    return value


def _install(ctx: typer.Context, value: str | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    shell = _shell_of(OPTIONS[0], value)
    try:
        path = install(shell)
    except OSError as error:
        raise ScicotError(f"{OPTIONS[0]}: {error.filename}: {error.strerror}") from None
    typer.echo(f"{path}: completion for {shell} installed; open a new shell to use it")
    raise typer.Exit


def _show(ctx: typer.Context, value: str | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    typer.echo(script(_shell_of(OPTIONS[1], value)))
    raise typer.Exit


def _option(
    name: str, callback: Callable[[typer.Context, str | None], None], help_text: str
) -> Any:
    return typer.Option(
        name,
        metavar="[SHELL]",
        callback=callback,
        is_eager=True,
        autocompletion=lambda: list(SHELLS),
        help=help_text,
    )


INSTALL = _option(
    OPTIONS[0],
    _install,
    "Install completion for bash, zsh or fish. [default: the running shell]",
)
SHOW = _option(OPTIONS[1], _show, "Print the completion script instead of installing it.")


def with_default_shell(arguments: list[str]) -> list[str]:
    """Return a copy of the command line `arguments` with a value for each option of OPTIONS that
    has none.

    The value is "running", which stands for the shell that runs the command: "--show-completion"
    becomes "--show-completion=running". Options with a value, such as "--show-completion zsh", are
    unchanged.
    """
    return [
        f"{word}={RUNNING}"
        if word in OPTIONS and (not following or following.startswith("-"))
        else word
        # the option may have no value
        for word, following in zip(arguments, [*arguments[1:], ""], strict=False)
    ]


# Functions that complete the values of options. Typer calls each with the part typed so far.


def _starting_with(values: Iterable[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete


devices = _starting_with(("auto", "cpu", "cuda"))


def training_precisions(incomplete: str) -> list[str]:
    """Complete --precision of the training commands: return its values that begin with
    `incomplete`."""
    from scicot.config import Precision

    return _starting_with(get_args(Precision))(incomplete)


def predicting_precisions(incomplete: str) -> list[str]:
    """Complete --precision of predict: return its values that begin with `incomplete`."""
    from scicot.config import EnginePrecision

    return _starting_with(get_args(EnginePrecision))(incomplete)


def students(incomplete: str) -> list[str]:
    """Return the values of --student that begin with `incomplete`: scratch:SIZE for each size of an
    untrained student, and the paths of runs."""
    from scicot.training.scratch import ALL_SIZES, PREFIX

    # Runs are valid values, because a trained student can be trained further.
    return [*_starting_with([PREFIX + size for size in ALL_SIZES])(incomplete), *runs(incomplete)]


def teachers(incomplete: str) -> list[str]:
    """Return the values of --teacher that begin with `incomplete`: kinds of teachers, models with
    known prices, and files of recorded replies."""
    from scicot.teachers.prices import PRICES

    kind, colon, name = incomplete.partition(":")
    if colon and kind == "recorded":
        return [f"recorded:{file}" for file in _files(name)]
    models = [f"anthropic:{model}" for model in PRICES]
    return _starting_with([*models, "openai:", "hf:", "recorded:"])(incomplete)


def runs(incomplete: str) -> list[str]:
    """Return the runs whose path begins with `incomplete`: folders with a scicot.json, searched in
    the folder typed so far and a few levels below it."""
    parent = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
    found = (f"{parent}{name}" for name in _runs_below(Path(parent or "."), _MAX_DEPTH))
    return list(islice((name for name in found if name.startswith(incomplete)), _MAX_RUNS))


def _runs_below(folder: Path, depth: int) -> Iterator[str]:
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return
    for name in entries:
        if (folder / name / "scicot.json").exists():
            yield name
        elif depth > 1 and not name.startswith("."):
            yield from (f"{name}/{run}" for run in _runs_below(folder / name, depth - 1))


def _files(incomplete: str) -> list[str]:
    parent = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
    try:
        entries = sorted(os.scandir(parent or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    names = [f"{parent}{entry.name}{'/' if entry.is_dir() else ''}" for entry in entries]
    return [name for name in names if name.startswith(incomplete)]
