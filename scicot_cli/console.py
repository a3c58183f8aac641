"""Messages and progress on stderr: a progress bar on a terminal, otherwise a line at intervals.

rich is imported only when something is printed, so that `scicot --help` starts fast.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, TYPE_CHECKING

from scicot.errors import ScicotError
from scicot.processes import rank
from scicot.reporting import Reporter, Speed, Task
from scicot.stop_request import stop

if TYPE_CHECKING:
    from rich.progress import Progress

PLAIN_SECONDS = 10.0  # seconds between two lines of progress if stderr is no terminal
BAR_AFTER_SECONDS = 1.0  # seconds after which a task shows a progress bar
STARTING_SECONDS = 0.6  # seconds after which `starting` prints its message
SPEED_SECONDS = 60.0  # window in seconds over which speed is measured
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


_bars: list[Progress] = []  # active progress bars; messages are printed above them
_printed: list[bool] = []  # not empty once the command has printed something


def escape(text: str) -> str:
    """Return the text with its brackets escaped, so that rich prints them and does not read them as
    markup."""
    from rich import markup

    return markup.escape(text)


def error(message: str) -> None:
    _print(f"[bold red]error:[/] {escape(message)}")


def reporter(*, quiet: bool = False, verbose: bool = False) -> Reporter:
    """Return the reporter of a command. With `quiet`, it prints only warnings. Without `verbose`,
    the progress bars and warnings of libraries are turned off. In processes other than rank 0, it
    prints nothing."""
    if not verbose:
        # transformers and datasets read these variables on import. They hide their progress bars
        # and advice; scicot prints its own.
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        warnings.simplefilter("ignore")
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # hides its warning on import
    return _ConsoleReporter(quiet) if rank() == 0 else _Follower(quiet=True)


@contextmanager
def starting() -> Iterator[None]:
    """Return a context for importing torch and transformers, which takes some seconds. If nothing
    has been printed after STARTING_SECONDS, a message on the terminal says that they are being
    loaded."""

    def announce() -> None:
        if not _printed:
            _print("[dim]loading torch and transformers ...[/]")

    timer = threading.Timer(STARTING_SECONDS, announce)
    timer.daemon = True
    if sys.stderr is not None and sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def require_stdout() -> None:
    """Raise ScicotError if stdout is closed. A command whose result goes to stdout calls this
    before its work."""
    if sys.stdout is None:
        raise ScicotError("standard output is closed; write it to a file, as in > FILE")


def hint(command: str) -> None:
    """Print the command that the user will probably run next, if stderr is a terminal."""
    if sys.stderr is not None and sys.stderr.isatty() and rank() == 0:
        _print(f"[dim]next: {escape(command)}[/]")


class _ConsoleReporter:
    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def note(self, message: str) -> None:
        if not self._quiet:
            _print(escape(message))

    def warn(self, message: str) -> None:
        _print(f"[yellow]warning:[/] {escape(message)}")

    def stops_deferred(self) -> AbstractContextManager[None]:
        return stop.deferring()

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Task]:
        if self._quiet:
            yield _Silent()
        elif sys.stderr.isatty():
            from scicot_cli.progress_bar import progress_bar

            progress = progress_bar()
            # Work of less than a second needs no progress bar.
            timer = threading.Timer(BAR_AFTER_SECONDS, progress.start)
            timer.start()
            _bars.append(progress)
            try:
                yield _BarTask(progress, escape(visible(description)), total)
            finally:
                _bars.remove(progress)
                timer.cancel()
                timer.join()  # waits if the bar is just being started
                progress.stop()
        else:
            yield _PlainTask(description, total)


class _Follower(_ConsoleReporter):
    """The reporter of all ranks except 0: it prints nothing, since rank 0 reports."""

    def warn(self, message: str) -> None:
        pass


class _Silent:
    def advance(self, steps: int = 1, **figures: float | int | str) -> None:  # noqa: ARG002
        stop.check()


class _BarTask:
    def __init__(self, progress: Progress, description: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, figures="")

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        self._progress.update(self._task, advance=steps, figures=_figures(figures))
        stop.check()


class _PlainTask:
    """A task that prints its progress as a line, at most every PLAIN_SECONDS: steps done, total,
    speed, time left."""

    def __init__(self, description: str, total: int | None) -> None:
        self._description = description
        self._total = total
        self._done = 0
        self._last_line_at = time.monotonic()
        # The first call of `advance` may count the work of an earlier run, so the speed is measured
        # from there.
        self._speed = Speed(SPEED_SECONDS)

    def advance(self, steps: int = 1, **figures: float | int | str) -> None:
        stop.check()
        self._done += steps
        now = time.monotonic()
        self._speed.record(now, self._done)
        if now - self._last_line_at < PLAIN_SECONDS:
            return
        self._last_line_at = now
        out_of = f"/{self._total}" if self._total else ""
        figures_text = f", {_figures(figures)}" if figures else ""
        _print(escape(f"{self._description}: {self._done}{out_of}{self._pace()}{figures_text}"))

    def _pace(self) -> str:
        rate = self._speed.per_second
        if not rate:
            return ""
        left = max(self._total - self._done, 0) / rate if self._total else None
        return f", {self._speed}/s" + ("" if left is None else f", {_duration(left)} left")


def _figures(figures: dict[str, float | int | str]) -> str:
    def formatted(value: float | int | str) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return " ".join(f"{name} {formatted(value)}" for name, value in figures.items())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _print(markup: str) -> None:
    # A new console each time, since tests and redirections replace sys.stderr. soft_wrap keeps each
    # message on one line for programs that read it.
    from scicot_cli.rich_console import Console

    _printed[:] = [True]
    console = _bars[-1].console if _bars else Console(stderr=True, emoji=False)
    try:
        console.print(visible(markup), soft_wrap=True, highlight=False)
    except OSError:  # a full disk or a closed pipe is no reason to stop the work
        give_up(sys.stderr)


def give_up(stream: IO[str] | None) -> None:
    """Redirect `stream` (stdout or stderr) to /dev/null after writing to it has failed, so that
    Python's flush at exit does not fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # closed, or a replacement by a test
        return


def visible_lines(lines: list[str]) -> str:
    """Join lines into one text. Control characters, which lines from files may contain, are made
    visible (see `visible`)."""
    return "\n".join(map(visible, lines))


def visible(text: str) -> str:
    """Replace control characters, and characters that change the text direction, by visible symbols
    such as <U+202E>. Text from a file can then not control the terminal."""
    return _CONTROL.sub(_named, text)


def _named(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else f"<U+{code:04X}>"
