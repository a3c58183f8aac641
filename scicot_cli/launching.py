"""Run a command in several processes on one machine (--processes N), as torchrun does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from scicot import standard_input
from scicot.devices import cores, resolve_device
from scicot.errors import StoppedEarly, UsageError
from scicot.reporting import number_of
from scicot_cli.signals import Terminated

_POLL = 0.1  # seconds
_GRACE = 5.0  # seconds for rank 0 to print its error after another process has ended
# seconds until the remaining processes are killed; each row is a single write, so none is cut
_PATIENCE = 20.0
_LAUNCHER = "SCICOT_LAUNCHER"  # process id of the launcher; its processes end when it does


def launch(count: int, arguments: Sequence[str], device: str) -> int:
    """Run `scicot` with `arguments` in `count` processes, and wait for them. SIGINT and SIGTERM
    are forwarded to all processes. `device` is the value of --device.

    Returns one exit code for all processes. The first of these cases that applies decides:

    - Each process ended with exit code 0: return 0.
    - Some processes ended with other exit codes: return the code of the process with the lowest
      rank among them.
    - Some processes were killed by signals: return 128 plus the signal number of the process with
      the lowest rank among them.

    Raises UsageError if there are fewer GPUs than processes. Raises KeyboardInterrupt instead of
    returning, if this process received SIGINT or SIGTERM and one of the `count` processes was
    killed by a signal.
    """
    _check_gpus(count, device)
    port = _free_port()
    running = [_start(rank, count, arguments, port) for rank in range(count)]
    ending: float | None = None  # time at which the processes began to end
    terminating = False
    stop_request: KeyboardInterrupt | None = None
    while any(process.poll() is None for process in running):
        try:
            time.sleep(_POLL)
            if ending is None and any(process.poll() for process in running):
                ending = time.monotonic()
            late = 0.0 if ending is None else time.monotonic() - ending
            if late > _GRACE and not terminating:
                terminating = True
                _signal(running, signal.SIGTERM)
            # processes that wait for each other in a collective do not handle signals
            if late > _PATIENCE:
                _signal(running, signal.SIGKILL)
        except KeyboardInterrupt as raised:
            stop_request = raised
            interrupted = not isinstance(stop_request, Terminated)
            ending, terminating = time.monotonic(), True
            _signal(running, signal.SIGINT if interrupted else signal.SIGTERM)
    codes = [process.returncode for process in running if process.returncode]
    # killed before a process could report the request to stop
    if stop_request is not None and min(codes, default=0) < 0:
        raise stop_request
    exit_codes = [code for code in codes if code > 0] or [128 - code for code in codes]
    return exit_codes[0] if exit_codes else 0


def _check_gpus(count: int, device: str) -> None:
    if device == "cpu":
        return
    if resolve_device(device).type == "cuda":
        import torch

        gpus = torch.cuda.device_count()
        if gpus < count:
            available = number_of(gpus, "available GPU")
            raise UsageError(f"--processes {count}: only {available}; give at most {gpus}")


def watch_launcher() -> None:
    """If a launcher started this process, start a thread that ends this process, without clean-up,
    when the launcher ends."""
    launcher = int(os.environ.get(_LAUNCHER, "0"))
    if launcher:
        threading.Thread(target=_watch, args=(launcher,), daemon=True).start()


def _watch(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(_POLL)
    # The process has to end at once, because a new launcher may already have started a process that
    # does the same work. A signal might have no effect: the main thread handles no signals while it
    # waits in a collective operation.
    os._exit(StoppedEarly.exit_code)


def _start(rank: int, count: int, arguments: Sequence[str], port: int) -> subprocess.Popen[bytes]:
    variables = {
        "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count,
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, _LAUNCHER: os.getpid(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", max(1, cores() // count)),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "scicot_cli", *arguments],
        env={**os.environ, **{name: str(value) for name, value in variables.items()}},
        stdin=standard_input.stream() if rank == 0 else subprocess.DEVNULL,
        process_group=0,  # Ctrl-C then reaches only the launcher, which passes it on
    )


def _signal(running: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in running:
        if process.poll() is None:
            process.send_signal(number)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
