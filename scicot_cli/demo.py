"""The command `scicot demo`: run the quickstart example from start to end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from scicot.errors import ScicotError
from scicot.training import scratch

# In a wheel the example is beside this file, in a checkout in examples/.
_FOLDERS = (
    Path(__file__).with_name("example"),
    Path(__file__).parents[1] / "examples",
)


def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            file_okay=False,
            help="Output folder. Give the same folder again to resume the demo. [default: "
            "scicot-demo/seed-SEED]",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the example world and of the students.")
    ] = 0,
    student: Annotated[
        str,
        typer.Option(
            "--student",
            metavar="ID|DIR|scratch:SIZE",
            help="Model to train, for example scratch:tiny-causal (decoder-only).",
        ),
    ] = "scratch:tiny",
) -> None:
    """Run all steps on a small example, in two minutes.

    It needs two free cores, no API key and no GPU. A script takes the place of the teacher and
    explains questions about an example world. Both stages and a direct baseline are trained, and
    the last table compares them. The commands are in examples/quickstart.sh.
    """
    example = next((example for example in _FOLDERS if (example / "quickstart.sh").exists()), None)
    bash = shutil.which("bash")
    if example is None or bash is None:
        lacks_bash = "cannot find bash on PATH; install it"
        lacks_example = "cannot find quickstart.sh of this package; reinstall scicot"
        raise ScicotError(f"demo: {lacks_bash if bash is None else lacks_example}")
    if student.startswith(scratch.PREFIX):
        scratch.size_of(student)  # otherwise each of the three trainings would report it
    out = folder or Path("scicot-demo") / f"seed-{seed}"
    variables = {"SCICOT_PYTHON": sys.executable, "PYTHON": sys.executable, "OUT": str(out)}
    variables |= {"SEED": str(seed), "STUDENT": student}
    with _interrupts_left_to_children():
        script = subprocess.run(
            [bash, str(example / "quickstart.sh")], env=os.environ | variables, check=False
        )
    if script.returncode:
        raise typer.Exit(script.returncode if script.returncode > 0 else 128 - script.returncode)


@contextmanager
def _interrupts_left_to_children() -> Iterator[None]:
    """Ignore Ctrl-C in this process, but not in its child processes, inside the `with` block."""
    # The terminal also sends Ctrl-C to the child processes. They save their work and report the
    # interruption, and this process waits for them.
    # A handler instead of SIG_IGN, which the child processes would inherit.
    previous = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
