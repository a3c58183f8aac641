"""The entry point of the `scicot` script. It sets up signals and standard input before the large
imports. These imports can take several seconds, and a signal may arrive in this time."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys

from scicot_cli import signals


def main() -> None:
    """Run the command that the process arguments name, and exit with its exit code."""
    signals.end_at_once()
    from scicot import standard_input

    _fill_closed()  # first, or the reserved standard input would become a closed descriptor 1 or 2
    standard_input.reserve()
    from scicot_cli.app import run

    code = run()
    signals.end_with(code)
    if code and os.environ.get("WORLD_SIZE", "1") != "1":
        _exit_without_destructors(code)
    sys.exit(code)


def _exit_without_destructors(code: int) -> None:
    """Exit with exit code `code`, without running the destructors of C++ libraries."""
    # A process that fails or is stopped may leave the process group of torch.distributed open. The
    # destructors of the group's threads would then abort the process.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _fill_closed() -> None:
    """Open /dev/null in place of a closed stdout or stderr. Otherwise the next file that is opened
    would get the same descriptor, and libraries would write their output to that file."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        if stream is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:  # standard input is closed too
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)  # for child processes
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
