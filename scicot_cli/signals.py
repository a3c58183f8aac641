"""Handle SIGINT (Ctrl-C), SIGTERM and SIGUSR1 during imports, while a command runs, and at exit.

- Before a command begins, a signal ends the process at once. It raises no exception, because a
  library that is being imported might catch the exception. No files are open at this time.
- While a command runs, a signal raises an exception, so that files and locks are closed.
- After a command, a signal ends the process at once, with the command's own exit code.

A command may also import modules while it runs. A signal raises no exception during such an import,
because an exception in C++ code that imports a module may abort the process. There are two cases:

- If the command runs in a single process and has not opened an output yet, the signal ends the
  process at once.
- Otherwise the exception is raised after the import, so that outputs are closed and parallel
  processes stop together.

This module is imported first, and imports next to nothing itself.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys

TYPE_CHECKING = False  # importing typing takes a third of the time until signals are handled
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

TERMINATED = 75  # equals errors.StoppedEarly; batch systems then run the command again
INTERRUPTED = 128 + 2
_NUMBERS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_LOOK_SECONDS = 0.05  # seconds between two checks whether an import has ended
_SHOW_CURSOR = b"\x1b[?25h"  # terminal code that shows the cursor, which a progress bar hides


class Terminated(KeyboardInterrupt):
    """Raised on SIGTERM or SIGUSR1, which batch systems send. It is not a subclass of Exception,
    because libraries might catch an Exception."""


def end_at_once() -> None:
    """Install signal handlers that end the process at once. They stay in effect until
    `command_begins` is called."""
    for number in _NUMBERS:
        signal.signal(number, _end)
    sys.unraisablehook = _unraisable
    # Registered first, so that it runs last. During shutdown Python restores the default signal
    # handlers, which would kill the process; an ignored signal stays ignored.
    atexit.register(_ignore)


def command_begins() -> None:
    """Make signals raise an exception from now on. Does nothing if `end_at_once` has not installed
    its handlers, as in tests."""
    _exchange(_end, _ask)


def command_ends() -> None:
    """Make signals end the process at once from now on. The exception of a signal that arrived
    during an import is dropped if it has not been raised yet."""
    if getattr(signal.getsignal(signal.SIGALRM), "__module__", "") == __name__:
        signal.setitimer(signal.ITIMER_REAL, 0)  # the timer of `_ask`, not one of a calling program
    _exchange(_ask, _end)


def _exchange(old: Any, new: Any) -> None:
    for number in _NUMBERS:
        if signal.getsignal(number) is old:
            signal.signal(number, new)


def end_with(code: int) -> None:
    """Make every later signal end the process with this exit code."""
    for number in _NUMBERS:
        signal.signal(number, lambda *_: os._exit(code))


def _ignore() -> None:
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def message(*, terminated: bool) -> str:
    """Return the message for a command that was stopped by a signal: `terminated` is True for
    SIGTERM and SIGUSR1, False for SIGINT."""
    verb = "terminated" if terminated else "interrupted"
    return f"{verb}; run the same command again to resume"


def _ask(number: int, frame: FrameType | None) -> None:
    # these modules were loaded after the command began
    from scicot.stop_request import Interrupted, stop

    # During an import an exception may abort the process, for example in the set-up of
    # torch.distributed, where C++ code imports a module.
    if not _importing(frame):
        stop.request(Interrupted() if number == signal.SIGINT else Terminated())
    elif not stop.open_outputs and os.environ.get("WORLD_SIZE", "1") == "1":
        _end(number, frame)
    else:
        signal.signal(signal.SIGALRM, lambda _, now: _ask(number, now))
        signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS)


def _importing(frame: FrameType | None) -> bool:
    """Return True if Python was importing a module when the signal arrived. `frame` is the frame
    that the signal interrupted."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _end(number: int, frame: FrameType | None) -> None:
    terminated = number != signal.SIGINT
    if os.environ.get("RANK", "0") == "0":  # only one of several processes prints the message
        try:  # os.write, because the signal may have interrupted a print
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)
            os.write(2, f"error: {message(terminated=terminated)}\n".encode())
        except OSError:
            pass
    os._exit(TERMINATED if terminated else INTERRUPTED)


def _unraisable(ignored: Any) -> None:
    """Report an exception that Python cannot pass on to a caller, such as an exception in a
    destructor (see sys.unraisablehook). Exceptions of signal handlers are not reported."""
    # `stop_request.stop` has stored the exception of a signal, and raises it later.
    if not isinstance(ignored.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
