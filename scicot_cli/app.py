"""The Typer app `scicot` with its commands. It converts errors to one-line messages and exit
codes."""

from __future__ import annotations

import errno
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scicot.errors import ScicotError, StoppedEarly, no_room
from scicot.processes import StoppedByAnother, count, rank
from scicot.stop_request import stop
from scicot.version import __version__
from scicot_cli import completion, console, signals, usage
from scicot_cli.commands import SUMMARIES, Commands
from scicot_cli.launching import watch_launcher

WIDEST = 140  # maximum number of terminal columns that the help uses
# exit code that a shell reports for a command whose output pipe was closed
BROKEN_PIPE = 128 + signal.SIGPIPE
# commands that write their output at once or not at all, so there is nothing to resume
_NOT_RESUMED = ("check", "evaluate", "merge")


class _Commands(TyperGroup):
    """The group of all commands. It lists them in the order of the pipeline. A user error ends the
    program with a one-line message and an exit code; a bug keeps its traceback."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = Commands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands in the help, without importing the commands' modules."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))

    def main(self, *arguments: Any, **options: Any) -> Any:
        completion.register_shells()
        try:
            try:
                return super().main(*arguments, **options)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()  # otherwise Python would only print a warning at exit
        except OSError as error:  # --help and --version write to stdout too
            code = _system_error_code(error, resumable=False)
            if code is None:
                raise
            sys.exit(code)

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().make_context(*arguments, **options)
        except (usage.ERRORS, ScicotError) as error:
            code = _exit_code(error, None)
            if code is None:
                raise
            raise typer.Exit(code) from None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, completion.with_default_shell(args))

    def invoke(self, ctx: Any) -> None:
        signals.command_begins()
        try:
            super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BaseException as error:
            code = _exit_code(error, ctx.invoked_subcommand)
            if code is None:
                raise
            raise typer.Exit(code) from None
        finally:
            signals.command_ends()


def _exit_code(error: BaseException, command: str | None) -> int | None:
    """Print a one-line message for the exception that ended a command, and return the exit code.
    For a bug, print nothing and return None. `command` is the name of the command, None if the name
    is not known."""
    if stop.pending is not None:
        # Libraries turn an interrupt during their import into errors of their own.
        return _stopped(stop.pending)
    if isinstance(error, KeyboardInterrupt):
        return _stopped(error)
    if isinstance(error, usage.ERRORS) and not usage.is_help(error):
        if rank() == 0:
            console.error(usage.line_of(error))
        return usage.EXIT_CODE
    if isinstance(error, ScicotError):
        # A user error occurs in all processes of a command, so only rank 0 prints it.
        if rank() == 0 or error.of_one_process:
            console.error(str(error))
        return error.exit_code
    return _system_error_code(error, resumable=command not in _NOT_RESUMED)


def _stopped(interrupt: KeyboardInterrupt) -> int:
    terminated = isinstance(interrupt, signals.Terminated | StoppedByAnother)
    if rank() == 0:
        console.error(signals.message(terminated=terminated))
    return signals.TERMINATED if terminated else signals.INTERRUPTED


def _system_error_code(error: BaseException, *, resumable: bool) -> int | None:
    """Print a one-line message for an error of the system, such as missing file permissions, a full
    disk or a lack of memory, and return the exit code. Return None for any other exception.

    Nothing is printed for a closed output pipe. If `resumable` is True, the message for a full disk
    says that the same command continues where it stopped.
    """
    if isinstance(error, BrokenPipeError):
        # The reader of a pipe, such as head, may close it early; that is no error.
        console.give_up(sys.stdout)
        return BROKEN_PIPE
    if isinstance(error, OSError) and error.errno in (
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
    ):
        name = "" if error.filename is None else f"{error.filename}: "
        console.error(f"{name}{error.strerror}")
        return ScicotError.exit_code
    if _is_out_of_memory(error):
        console.error(
            "not enough memory; use a smaller model, smaller batches, or a machine with more memory"
        )
        return ScicotError.exit_code
    reason = no_room(error)
    if reason is None:
        return None
    console.give_up(sys.stdout)
    again = "run the same command again" + (" to resume" if resumable else "")
    console.error(f"{reason}; free disk space, or raise the quota or file size limit, then {again}")
    return StoppedEarly.exit_code


def _is_out_of_memory(error: BaseException) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from scicot.out_of_memory import is_out_of_memory

    return is_out_of_memory(error)


app = typer.Typer(
    name="scicot",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # Python's own traceback for bugs, without local variables
    rich_markup_mode=None,
    add_completion=False,  # completion.py defines these options
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"scicot {__version__}")
        raise typer.Exit


@app.callback()
def scicot(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    install_completion: Annotated[str | None, completion.INSTALL] = None,
    show_completion: Annotated[str | None, completion.SHOW] = None,
) -> None:
    """Distil a large language model's chain-of-thought into small students.

    A teacher writes rationales (explanations) for questions. One student learns to write
    rationales, another to answer with them. The commands are listed in the order of their use,
    except demo, which comes first. They read JSONL, CSV, XLSX or Parquet files and write JSONL; "-"
    is standard input or output. Run a command again to continue after a stop.

    Exit codes: 0 done; 1 an error to fix (in the data, the account or the settings), or an
    accuracy that is too low (evaluate --min-accuracy, --fail-if-worse-than); 2 a wrong option; 3
    done, but some requests failed (try --retry-rejected); 75 stopped early; 130 interrupted. After
    75 and 130 the same command continues.
    """
    command = ctx.invoked_subcommand or ""
    if count() > 1 and not command.startswith(("train-", "predict")):
        raise ScicotError(
            f"{command}: cannot run in several processes (WORLD_SIZE is {count()}); start it"
            " without torchrun or accelerate launch"
        )


def run() -> int:
    """Run the command that sys.argv gives, and return its exit code. Exceptions that indicate a bug
    are not caught."""
    watch_launcher()
    if sys.stdout is not None:
        # Names of files and texts of rows may contain characters that UTF-8 cannot encode.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        return end.code or 0
    return 0
