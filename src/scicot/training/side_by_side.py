"""Train several students in parallel, each in its own process, which uses one GPU or a share of the
CPU cores."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scicot import processes
from scicot.config import TrainSettings
from scicot.devices import cores, resolve_device
from scicot.errors import ScicotError, StoppedEarly
from scicot.reporting import Reporter, Task
from scicot.students.manifest import Manifest
from scicot.students.runs import Run
from scicot.training.fitting.compute import weights_of
from scicot.training.setup import Prepared
from scicot.training.spec import TrainingSpec

# A run shorter than this is not worth a process, which must first load torch and transformers.
_SHORT = 60.0  # seconds
_BYTES_A_WEIGHT = 20  # weight, gradient, two moments of AdamW (4 bytes each), and a reserve
_SPARE = 2 * 2**30  # bytes for libraries and activations
_POLL = 0.2  # seconds


def parallel_students(
    prepared: Prepared, students: int, seconds: float, settings: TrainSettings
) -> int:
    """Return the number of students to train in parallel, from 1 to `students`. The first of these
    rules that applies is used:

    1. In a multi-process run, train one student at a time.
    2. If `settings.jobs` is given, train that many in parallel.
    3. If `seconds`, the estimated duration of training one student, is less than _SHORT, train one
       student at a time.
    4. Otherwise train as many as fit in the free memory, up to two per GPU or one per CPU core.
    """
    if processes.count() > 1:
        return 1
    if settings.jobs is not None:
        return min(settings.jobs, students)
    if seconds < _SHORT:
        return 1
    need = _BYTES_A_WEIGHT * weights_of(prepared.model) + _SPARE
    if resolve_device(settings.device).type == "cuda":
        import torch

        free = [torch.cuda.mem_get_info(gpu)[0] for gpu in range(torch.cuda.device_count())]
        need += torch.cuda.max_memory_allocated()
        # More than two processes on one GPU slow each other down.
        return min(students, sum(min(2, int(memory // need)) for memory in free) or 1)
    import psutil

    fit = int(psutil.virtual_memory().available // need)
    return max(1, min(students, fit, cores()))


def train(todo: Sequence[TrainingSpec], parallel: int, reporter: Reporter) -> dict[Path, Manifest]:
    """Train the students, `parallel` at a time, and return their manifests by run directory.

    If the training of a student fails, no further student is started, and the running processes are
    awaited before the error is raised. If the user interrupts the command, all processes get
    SIGTERM, so that each saves a checkpoint and exits.
    """
    waiting, running = list(todo), dict[Path, _Student]()
    failed: ScicotError | None = None
    messages: queue.Queue[tuple[_Student, dict[str, Any]]] = queue.Queue()
    slots = list(range(parallel))
    with reporter.task(f"training {len(todo)} students") as task, reporter.stops_deferred():
        try:
            while running or (waiting and not failed):
                while waiting and slots and not failed:
                    spec, slot = waiting.pop(0), slots.pop(0)
                    running[spec.run] = _Student(spec, slot, parallel, messages)
                try:
                    student, message = messages.get(timeout=_POLL)
                except queue.Empty:
                    task.advance(0)
                    continue
                if "ended" in message:
                    del running[student.spec.run]
                    slots.append(student.slot)
                    failed = failed or student.failure(message["ended"])
                else:
                    student.handle(message, reporter, task)
        except KeyboardInterrupt:
            for student in running.values():
                student.stop()
            for student in running.values():
                student.wait()
            raise
    if failed:
        raise failed
    return {spec.run: Run.at(spec.run).manifest for spec in todo}


class _Student:
    """A worker process that trains one student. `slot`, from 0 to `parallel` - 1, selects the GPU
    of the process. Each message from the process is put into the queue `messages`, as (this object,
    message)."""

    def __init__(
        self,
        spec: TrainingSpec,
        slot: int,
        parallel: int,
        messages: queue.Queue[tuple[_Student, dict[str, Any]]],
    ) -> None:
        self.spec = spec
        self.slot = slot
        self._error = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scicot.training.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_share(slot, parallel, spec.settings)},
            process_group=0,  # Ctrl-C then reaches only this process, which passes it on
        )
        assert self._process.stdin is not None
        pickle.dump(spec, self._process.stdin)
        # not closed: the worker exits when this pipe closes, that is, when this process ends
        self._process.stdin.flush()
        threading.Thread(target=self._listen, args=(messages,), daemon=True).start()

    def handle(self, message: dict[str, Any], reporter: Reporter, task: Task) -> None:
        name = self.spec.run.name
        if "note" in message:
            reporter.note(f"{name}: {message['note']}")
        elif "warn" in message:
            reporter.warn(f"{name}: {message['warn']}")
        elif "error" in message:
            self._error = message["error"]
        else:
            task.advance(message["advance"], student=name, **message["figures"])

    def failure(self, code: int) -> ScicotError | None:
        """Return the error that the exit code `code` of the worker process stands for: None for 0,
        StoppedEarly for the exit code of StoppedEarly, and ScicotError for any other code."""
        if code == 0:
            return None
        message = self._error or (
            f"{self.spec.run}: the training process ended early (exit code {code}); run the same"
            " command again to resume"
        )
        return StoppedEarly(message) if code == StoppedEarly.exit_code else ScicotError(message)

    def stop(self) -> None:
        """Send SIGTERM to the process, so that it saves a checkpoint and exits."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait until the process has exited."""
        self._process.wait()

    def _listen(self, messages: queue.Queue[tuple[_Student, dict[str, Any]]]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                message = None
            if isinstance(message, dict):
                messages.put((self, message))
            else:  # of a library that writes to the descriptor itself
                with contextlib.suppress(Exception):  # stderr may be closed or replaced
                    sys.stderr.write(line.decode(errors="replace"))
        messages.put((self, {"ended": self._process.wait()}))


def _share(slot: int, parallel: int, settings: TrainSettings) -> dict[str, str]:
    """Return the environment variables that limit a worker process to one GPU
    (CUDA_VISIBLE_DEVICES) or to its share of the CPU cores (OMP_NUM_THREADS)."""
    if resolve_device(settings.device).type == "cuda":
        import torch

        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = visible.split(",") if visible else list(map(str, range(torch.cuda.device_count())))
        return {"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]}
    share = max(1, cores() // parallel)
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(share))}
