"""What can go wrong that the user can mend, each with the exit code the command line ends with.

Anything else that is raised is a bug of ours and shows its traceback.
"""

from __future__ import annotations


class ScicotError(Exception):
    """A mistake the user can mend. The message is one line: what, where, what to do."""

    exit_code = 1
    of_one_process = False  # of several that share a command, which otherwise all meet it


class InvalidRow(ScicotError):
    """A row that cannot be read. `where` is FILE:LINE, or FILE where a line makes no sense."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class StoppedEarly(ScicotError):
    """Work stopped before its end and can be resumed with the same command."""

    exit_code = 75  # EX_TEMPFAIL: what batch systems take as "run me again"
