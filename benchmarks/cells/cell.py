"""Train and predict one cell, and write OUT/SET-SEED.SYSTEM.json; everything is resumable."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.cells.questions import prepare, rows
from benchmarks.cells.sets import CELL_SETS, data_folder, set_and_seed, stop
from benchmarks.cells.systems import SYSTEMS, Command, Experiment, Failed, Step, runs_of
from scicot.stop_request import Interrupted
from scicot.stop_request import stop as stop_request
from scicot.version import __version__

_PACKAGES = ("torch", "transformers", "tokenizers")
_TIME_OUT, _INTERRUPTED = 75, 130  # exit codes of a scicot command that was stopped


@dataclass(frozen=True)
class Options:
    """The options shared by all cells of one OUT/SET-SEED."""

    student: str | None = None
    rows: int | None = None  # number of training questions; None: all
    test_rows: int | None = None
    max_steps: int | None = None
    device: str = "auto"
    data: Path | None = None


class OutOfTime(Exception):
    """A system has used up its time limit. Running the same command again resumes it."""


def experiment_of(out: Path, name: str, options: Options) -> tuple[Experiment, dict[str, Any]]:
    """Prepare the question files of `name` ("SET-SEED") under `out`. Return an Experiment for these
    files, and the contents of about.json."""
    set_name, seed = set_and_seed(name)
    cell_set = CELL_SETS[set_name]
    student = options.student or ("" if cell_set.real else "scratch:tiny")
    if not student:
        stop(f"{name}: give --student DIR, a pretrained student (scratch:tiny only tries commands)")
    folder = out.resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        _check_config(folder, student, options)
        limits = options.rows, options.test_rows
        data = data_folder(options.data)
        about = prepare(folder / "questions", cell_set, seed, data, *limits)
    exp = Experiment(
        folder, cell_set, seed, student, about["sizes"], options.device, options.max_steps
    )
    return exp, about


def _check_config(folder: Path, student: str, options: Options) -> None:
    """Exit with an error if `folder` was begun with another student, number of questions or number
    of training steps."""
    config = {**asdict(options), "student": student}
    config = {name: config[name] for name in ("student", "rows", "test_rows", "max_steps")}
    file = folder / "config.json"
    if not file.exists():
        file.write_text(json.dumps(config))
        return
    earlier = json.loads(file.read_text())
    for name, value in config.items():
        if earlier.get(name) != value:
            option = "--" + name.replace("_", "-")
            stop(f"{folder}: was begun with {option} {earlier.get(name)}; name another OUT")


def run_cell(
    out: Path, name: str, system: str, options: Options, seconds: float | None = None
) -> Path:
    """Run one cell unless it is done; return its file. Raises OutOfTime after `seconds`, and Failed
    if a command ends with an error."""
    file = out / f"{name}.{system}.json"
    exp, about = experiment_of(out, name, options)
    if file.exists():
        return file
    spec = SYSTEMS[system]
    with _time_limit(seconds):
        steps = spec.steps(exp)
        trained = sum(_run_step(exp, step) for step in steps)
        predictions = {}
        for file_name in dict.fromkeys(["dev"] * (not spec.diagnostic) + [spec.question_file]):
            if exp.sizes[file_name]:
                predictions[file_name] = _predict(exp, system, file_name, spec.predict(exp))
        result = _result(exp, about, system, steps, predictions)
        result["training_seconds"] = round(trained, 1)
        _write(file, result)
    return file


def _write(file: Path, result: dict[str, Any]) -> None:
    file.with_suffix(".new").write_text(json.dumps(result) + "\n")
    file.with_suffix(".new").replace(file)


def _run_step(exp: Experiment, step: Step) -> float:
    """Run a step unless its command is already done; return the seconds of all its attempts."""
    file = exp.folder / "steps" / f"{step.name}.json"
    file.parent.mkdir(exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        record = json.loads(file.read_text()) if file.exists() else {"seconds": 0.0}
        # Another system, or an earlier run, may have done this step.
        if record.get("done") and record["command"] == _portable(exp, step.command):
            return float(record["seconds"])
        start = time.monotonic()
        try:
            _scicot(step.command)
            record["done"] = True
        finally:
            record["seconds"] += time.monotonic() - start
            record["command"] = _portable(exp, step.command)
            _write(file, record)
        return float(record["seconds"])


def _predict(exp: Experiment, system: str, file_name: str, models: Command) -> Step:
    """Run the step in which a system answers the questions of a file, and return this step."""
    out = exp.folder / "predictions" / f"{system}.{file_name}.jsonl"
    # Its time is a figure of the cell; a resumed prediction is timed in parts, which are added up.
    command = ["predict", exp.file(file_name), "-o", str(out), *models, "--device", exp.device]
    command += ["--seed", str(exp.seed)]
    step = Step(f"{system}.{file_name}", command)
    _run_step(exp, step)
    return step


def _scicot(command: Command) -> None:
    """Run a scicot command in this process: importing torch takes longer than some commands do."""
    from scicot_cli.app import app

    print(f"$ scicot {' '.join(command)}", file=sys.stderr, flush=True)
    code: Any = 0
    try:
        app([*command, "--quiet"])
    except SystemExit as end:
        code = end.code or 0
    finally:
        stopped, stop_request.pending = stop_request.pending, None
    if stopped is not None or code == _TIME_OUT:
        raise OutOfTime
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise Failed(f"scicot {command[0]} ended with exit code {code}")


@contextlib.contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Request a stop after this many seconds; training then saves a checkpoint."""

    def ask(*_: Any) -> None:
        stop_request.request(Interrupted())

    if seconds is None:
        yield
        return
    previous = signal.signal(signal.SIGALRM, ask)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except Interrupted:  # interrupted between two commands
        stop_request.pending = None
        raise OutOfTime from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _result(
    exp: Experiment,
    about: dict[str, Any],
    system: str,
    steps: Sequence[Step],
    predictions: dict[str, Step],
) -> dict[str, Any]:
    from scicot import EvaluateSettings, evaluate

    spec, name = SYSTEMS[system], exp.folder.name
    prediction = predictions[spec.question_file]
    evaluated = evaluate(_output(prediction), settings=EvaluateSettings(resamples=100)).systems[0]
    right = _right(exp, prediction)
    dev = _right(exp, predictions["dev"], "dev") if "dev" in predictions else ""
    metrics = [json.loads((run / "scicot.json").read_text())["metrics"] for run in runs_of(steps)]
    config = json.loads((exp.folder / "config.json").read_text())
    commands = [_portable(exp, step.command) for step in [*steps, *predictions.values()]]
    return {
        "set": name.rpartition("-")[0],
        "seed": exp.seed,
        "system": system,
        "student": _name(exp.student),
        **{key: config[key] for key in ("rows", "test_rows", "max_steps")},
        "sizes": exp.sizes,
        "chance": about["chance"],
        "accuracy": evaluated.accuracy,
        "test_sha256": about["test_sha256"],
        "right": right,
        "seen": about["seen"],
        "clusters": about["clusters"],
        "dev_right": dev,
        "training_tokens": sum(metric["training_tokens"] for metric in metrics),
        "prediction_seconds": round(_seconds(exp, prediction), 1),
        "cost": asdict(evaluated.cost) if evaluated.cost else None,
        "device": _device(exp.device),
        "versions": _versions(),
        "commands": commands,
    }


def _versions() -> dict[str, str]:
    """Return the versions of scicot and of its main packages."""
    versions = {package: importlib.metadata.version(package) for package in _PACKAGES}
    # A checkout that is not installed has no metadata of scicot.
    return {"scicot": __version__, **versions}


def _right(exp: Experiment, step: Step, file_name: str = "test") -> str:
    """Return a character for each question of the file: 1 for right, 0 for wrong, - if not
    predicted."""
    correct = {row["id"]: row["prediction"] == row["answer"] for row in rows(_output(step))}
    questions = rows(Path(exp.file(file_name)))
    return "".join(
        "-" if row["id"] not in correct else str(int(correct[row["id"]])) for row in questions
    )


def _output(step: Step) -> Path:
    return Path(step.command[step.command.index("-o") + 1])


def _seconds(exp: Experiment, step: Step) -> float:
    """Return the wall-clock seconds of a prediction step, including the loading of students."""
    return float(json.loads((exp.folder / "steps" / f"{step.name}.json").read_text())["seconds"])


def _portable(exp: Experiment, command: Command) -> str:
    """Return the command as text, with placeholders for the folders of this machine."""
    names = {str(exp.folder): f"OUT/{exp.folder.name}"}
    if not exp.fresh:
        names[exp.student] = _name(exp.student)
    text = " ".join(command)
    for name, placeholder in names.items():
        text = text.replace(name, placeholder)
    return text


def _name(student: str) -> str:
    return student if student.startswith("scratch:") else Path(student).resolve().name


def _device(device: str) -> str:
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} cores, {platform.machine()}"


def run_cells(
    out: Path,
    name: str,
    systems: Sequence[str],
    options: Options,
    scale: float | None = None,
) -> int:
    """Run these systems one after another; a failure or a time-out does not affect the others.
    `scale` multiplies each system's time limit. Returns the exit code."""
    for system in systems:
        if system not in SYSTEMS:
            stop(f"{system}: no such system; there is {', '.join(SYSTEMS)}")
    failed = 0
    for system in systems:
        start = time.monotonic()
        limit = None if scale is None else scale * SYSTEMS[system].seconds
        problem = "done"
        try:
            run_cell(out, name, system, options, limit)
        except OutOfTime:
            problem = (
                f"stopped after {limit:.0f} s; the same command goes on" if limit else "stopped"
            )
        except Failed as error:
            problem = str(error)
        failed += problem != "done"
        print(f"{name} {system}: {problem}, {time.monotonic() - start:.0f} s", flush=True)
    return 1 if failed else 0
