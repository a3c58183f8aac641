"""The app: its commands, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scicot.errors import ScicotError, StoppedEarly
from scicot.processes import StoppedByAnother, count, rank
from scicot.version import __version__
from scicot_cli import console
from scicot_cli.evaluate import evaluate
from scicot_cli.generate_rationales import GenerateRationales, generate_rationales
from scicot_cli.launching import watch_launcher
from scicot_cli.merge import merge
from scicot_cli.predict import predict
from scicot_cli.train_answer import train_answer
from scicot_cli.train_rationale import train_rationale

BROKEN_PIPE = 128 + signal.SIGPIPE  # what a shell reports of a filter whose reader has gone


class _Terminated(KeyboardInterrupt):
    """SIGTERM or SIGUSR1, as batch systems send them. Not an Exception, or some library would take
    it for a trouble of its own."""


def _stopped(wish: KeyboardInterrupt) -> int:
    """Say what happened; the exit code that says it too."""
    terminated = isinstance(wish, _Terminated | StoppedByAnother)
    how = "terminated" if terminated else "interrupted"
    if rank() == 0:
        console.error(f"{how}; the same command goes on from here")
    return StoppedEarly.exit_code if terminated else 128 + signal.SIGINT


class _Commands(TyperGroup):
    """Commands in the order of the road, and errors told as the user's or left as ours."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ScicotError as error:
            # Of several processes all meet a user's mistake, and one tells of it.
            if rank() == 0 or error.of_one_process:
                console.error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as wish:
            raise typer.Exit(_stopped(wish)) from None
        except BrokenPipeError:
            # Nobody reads any more: that is the reader's right, and no error. Python would complain
            # once more when it flushes stdout at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG):
                console.error(f"{error.filename}: {error.strerror}")
                raise typer.Exit(ScicotError.exit_code) from None
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            console.error(f"{error.strerror}; make room, and the same command goes on from here")
            raise typer.Exit(StoppedEarly.exit_code) from None


app = typer.Typer(
    name="scicot",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug's traceback as Python prints it: no local variables
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
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
) -> None:
    """Distil a large language model's chain-of-thought into small students.

    The commands below, one after another, over JSONL files: a teacher explains questions, one
    student learns to write such rationales, another to answer with them. "-" is standard input or
    output. The same command again goes on where it stopped.

    Exit codes: 0 done; 1 an error you can mend; 2 usage; 3 done, but some rows met an error that
    asking again may mend; 75 stopped early, resumable; 130 interrupted, resumable.
    """
    command = ctx.invoked_subcommand or ""
    if count() > 1 and not command.startswith(("train-", "predict")):
        raise ScicotError(f"{command}: several processes cannot share it")


app.command("generate-rationales", cls=GenerateRationales)(generate_rationales)
app.command("train-rationale")(train_rationale)
app.command("train-answer")(train_answer)
app.command("predict")(predict)
app.command("merge")(merge)
app.command("evaluate")(evaluate)


def _on_signal(number: int, frame: FrameType | None) -> None:
    console.stop.ask(KeyboardInterrupt() if number == signal.SIGINT else _Terminated())


def main() -> None:
    """The `scicot` script."""
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, _on_signal)
    watch_launcher()
    try:
        app()
    except KeyboardInterrupt as wish:  # before a command has begun, or after its end
        sys.exit(_stopped(wish))
