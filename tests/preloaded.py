"""Run `scicot` in processes forked from a process that has already loaded torch and transformers.

Loading these takes 5 to 7 CPU seconds a command, which is most of what a recipe with tiny students
costs. Tests put a script `scicot` in front of PATH. The script sends its arguments, environment,
folder and standard streams to the forked process, forwards signals, and ends with the exit code. If
the script is killed, the forked process is killed too. How the real `scicot` starts is tested
elsewhere.
"""

import array
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

SHIM = """#!{python} -IS
import array, json, os, signal, socket, sys
end = socket.socket(socket.AF_UNIX)
end.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
streams = array.array("i", [0, 1, 2])
end.sendmsg([len(asked).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
end.sendall(asked)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, lambda number, _: end.sendall(bytes([number])))
sys.exit(end.recv(1)[0])
"""


def shim(folder: Path, address: Path) -> Path:
    """Make a folder with a script `scicot` that connects to the server's socket at `address`."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "scicot"
    script.write_text(SHIM.format(python=sys.executable, address=str(address)))
    script.chmod(0o755)
    return folder


def start_server(address: Path) -> "subprocess.Popen[bytes]":
    """Start a server, which ends with this process."""
    server = subprocess.Popen(
        [sys.executable, __file__, str(address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    assert server.stdout.read(1) == b"!"  # the server is ready
    return server


def _serve(address: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    _preload()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.write(1, b"!")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # child processes are not waited for
    while True:
        end, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _mind(end)
        end.close()


def _preload() -> None:
    import datasets  # noqa: F401
    import numpy  # noqa: F401
    import typer  # noqa: F401
    from transformers import (  # noqa: F401
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
        T5ForConditionalGeneration,
        Trainer,
    )


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(0)


def _mind(end: socket.socket) -> None:
    """Fork a process for the command from `end`, forward signals to it, and send its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    fds = array.array("i")
    head, ancillary, _, _ = end.recvmsg(8, socket.CMSG_LEN(3 * fds.itemsize))
    for _, _, data in ancillary:
        fds.frombytes(data)
    if not head:
        os._exit(1)
    asked = b""
    while len(asked) < int.from_bytes(head, "big"):
        part = end.recv(1 << 20)
        if not part:  # the requesting process was killed; whoever reads its pipes waits for us
            os._exit(1)
        asked += part
    arguments, folder, environment = json.loads(asked)
    child = os.fork()
    if child == 0:
        end.close()
        _run(arguments, folder, environment, fds)
    for fd in fds:
        os.close(fd)
    threading.Thread(target=_forward, args=(end, child), daemon=True).start()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    end.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _forward(end: socket.socket, child: int) -> None:
    while number := end.recv(1):
        os.kill(child, number[0])
    os.kill(child, signal.SIGKILL)  # the requesting process has ended


def _run(arguments: list[str], folder: str, environment: dict[str, str], fds: Any) -> None:
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["scicot", *arguments]
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    code: Any = 1
    try:
        from scicot_cli.main import main

        main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    _serve(sys.argv[1])
