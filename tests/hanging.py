"""Ends a test that hangs, and repeats it once in a new worker process.

In `make test` each worker of pytest-xdist has a timer that needs neither Python's lock nor signals:
after LIMIT seconds in one test, the timer writes the stack of every thread and ends the worker. The
stacks are printed. pytest-xdist starts a new worker, which repeats the test that hung and runs the
remaining tests of the worker that ended. A test that hangs a second time fails. Only the first two
tests that hang in a run are repeated; a third one fails at once.
"""

import faulthandler
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped, unused-ignore]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped, unused-ignore]

LIMIT = 400.0  # seconds; the longest test takes a tenth of it
_REPEATED = "hung"  # outcome of a test that is repeated
_REPEATS = 2  # tests repeated in a run; the Makefile allows as many new workers


class Worker:
    """Hooks of a worker process."""

    def __init__(self, stacks: IO[str]) -> None:
        self._stacks = stacks

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, Any]:
        faulthandler.dump_traceback_later(LIMIT, file=self._stacks, exit=True)
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()


class Scheduling(LoadFileScheduling):  # type: ignore[misc, unused-ignore]
    """xdist's scheduling by files, but without waiting forever after a worker has ended."""

    def remove_node(self, node: WorkerController) -> str | None:
        # xdist would assign the worker's finished files again, although no test of them is left.
        files = self.assigned_work[node]
        for name in [name for name, tests in files.items() if all(tests.values())]:
            del files[name]
        hung: str | None = super().remove_node(node)
        return hung

    def _reschedule(self, node: WorkerController) -> None:
        # A worker starts a test only if another test follows or if it is to finish. xdist assigns a
        # single file, which may have only one test left.
        super()._reschedule(node)
        while (
            self.workqueue
            and not node.shutting_down
            and self._pending_of(self.assigned_work[node]) < 2
        ):
            self._assign_work_unit(node)


class Controller:
    """Hooks of the process that starts the workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder = tempfile.TemporaryDirectory(prefix="scicot-stacks-")
        self._hung: set[str] = set()  # ids of the tests that hung once

    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["stacks"] = str(Path(self._folder.name, node.gateway.id))

    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        stacks = Path(report.node.workerinput["stacks"]).read_text()
        if not stacks:  # it crashed by itself
            return
        report.longrepr = f"{crashitem} took more than {LIMIT:.0f} s\n{stacks}"
        if crashitem not in self._hung and len(self._hung) < _REPEATS:
            self._hung.add(crashitem)
            report.outcome = _REPEATED
            terminal = self._config.pluginmanager.getplugin("terminalreporter")
            terminal.write_line(f"\nrepeated in a new process: {report.longrepr}")

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None

    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        return ("hung", "H", "HUNG") if report.outcome == _REPEATED else None

    def pytest_unconfigure(self) -> None:
        self._folder.cleanup()


def watch(config: pytest.Config) -> None:
    """Register the hooks of this process. A run without workers has no limit."""
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        stacks = Path(worker["stacks"]).open("w")  # noqa: SIM115  (open until the worker ends)
        config.pluginmanager.register(Worker(stacks))
    elif config.getoption("numprocesses", None):
        config.pluginmanager.register(Controller(config))
