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
    """Raised for SIGINT, instead of a plain KeyboardInterrupt.

    A plain KeyboardInterrupt can pass through a call of `exec` with a string. The dataclasses
    module makes such calls, and so do imports of large libraries. `python -m` then kills itself
    with SIGINT at exit, even if the exception was handled, and the exit code is lost. Subclasses of
    KeyboardInterrupt do not have this effect.
    """


class StopRequest:
    """The request to stop this process, if there is one (`pending`). With `deferred`, a request is
    only stored, and check() raises it.

    A request that is raised at once is stored too, because Python discards exceptions that are
    raised in destructors. The next check() raises it again.
    """

    def __init__(self) -> None:
        self.pending: KeyboardInterrupt | None = None
        self.deferred = False
        self.open_outputs = 0  # files, pipes and run directories that the process is writing

    def request(self, interrupt: KeyboardInterrupt) -> None:
        """Store an interrupt, and raise it unless requests are deferred. A second request is always
        raised."""
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
