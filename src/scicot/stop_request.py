"""Stop the process with an exception, which is raised at once or between two steps of the work.

Signal handlers request a stop. Progress reporters call `StopRequest.check` between two steps. This
module imports nothing, so that a command can handle signals before its libraries are loaded.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would delay the first signal handler
if TYPE_CHECKING:
    from types import TracebackType


class Interrupted(KeyboardInterrupt):
    """Raised for SIGINT. A plain KeyboardInterrupt is not raised, because it could change the exit
    code of the command."""

    # If a plain KeyboardInterrupt passes through a call of `exec` with a string, `python -m` kills
    # itself with SIGINT at exit, even if the exception was handled. The dataclasses module makes
    # such calls, and so do imports of large libraries. A subclass does not have this effect.


class StopRequest:
    """Stops this process with an exception.

    A signal handler calls `request`, which raises the exception. If `deferred` is True, `request`
    only stores the exception, and the next call of `check` raises it.
    """

    def __init__(self) -> None:
        self.pending: KeyboardInterrupt | None = None  # the stored exception
        self.deferred = False
        self.open_outputs = 0  # files, pipes and run directories that the process is writing

    def request(self, interrupt: KeyboardInterrupt) -> None:
        """Store the exception `interrupt`. Raise it at once if `deferred` is False, or if an
        exception was stored before."""
        repeated = self.pending is not None
        # Stored even if it is raised at once: Python discards exceptions that are raised in a
        # destructor, so the next check() raises it again.
        self.pending = interrupt
        if repeated or not self.deferred:
            raise interrupt

    def check(self) -> None:
        """Raise the stored exception, if there is one."""
        if self.pending is not None:
            raise self.pending

    def deferring(self) -> _Deferring:
        """Return a context manager. `deferred` is True during the block, and has its earlier value
        again after the block."""
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
