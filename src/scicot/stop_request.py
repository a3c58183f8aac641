"""Store a request to stop the process, and raise it as an exception: at once, or at the end of a
step.

Signal handlers make requests, and progress reporters check for them between steps. This module
imports nothing, so that a command can handle signals before its libraries are loaded.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would delay the first signal handler
if TYPE_CHECKING:
    from types import TracebackType


class Interrupted(KeyboardInterrupt):
    """Raised for SIGINT, instead of a plain KeyboardInterrupt, so that the exit code is kept.

    If a plain KeyboardInterrupt passes through a call of `exec` with a string, `python -m` kills
    itself with SIGINT at exit, even if the exception was handled. The dataclasses module makes such
    calls, and so do imports of large libraries. A subclass of KeyboardInterrupt does not have this
    effect.
    """


class StopRequest:
    """Stores a request to stop this process in `pending`, and raises it as an exception. If
    `deferred` is True, the request is raised by the next check(), otherwise at once.

    A request that is raised at once is stored too, so that the next check() raises it again. This
    is needed because Python discards exceptions that are raised in a destructor.
    """

    def __init__(self) -> None:
        self.pending: KeyboardInterrupt | None = None
        self.deferred = False
        self.open_outputs = 0  # files, pipes and run directories that the process is writing

    def request(self, interrupt: KeyboardInterrupt) -> None:
        """Store an interrupt. Raise it at once if requests are not deferred, or if it is the second
        request."""
        repeated = self.pending is not None
        self.pending = interrupt
        if repeated or not self.deferred:
            raise interrupt

    def check(self) -> None:
        """Raise the stored request, if there is one."""
        if self.pending is not None:
            raise self.pending

    def deferring(self) -> _Deferring:
        """Return a context manager within which a request is only stored. The next check() raises
        it."""
        return _Deferring(self)


class _Deferring:
    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        self._before, self._stop.deferred = self._stop.deferred, True

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.deferred = self._before


stop = StopRequest()  # the request of this process
