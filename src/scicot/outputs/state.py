"""The state file of an output: how it was made, and whether it is finished."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scicot import jsonl
from scicot.config import Shard
from scicot.errors import ScicotError, UsageError
from scicot.outputs.files import beside, check_beside
from scicot.row_fields import Row


def state_path(path: Path) -> Path:
    return beside(path, "state.json")


def own_state(path: Path) -> Row | None:
    """Return the content of the state file of the output `path`, or None if there is no state file.
    Raises ScicotError if the state file cannot be read, or if a file that scicot keeps beside
    `path` is a symbolic link or of the wrong type (see `check_beside`)."""
    check_beside(path)
    return read_state(state_path(path))


def is_begun_with_force(path: Path) -> bool:
    """Return True if the output `path` was begun with --force and is not finished."""
    try:
        state = own_state(path) or {}
    except ScicotError:
        return False
    return state.get("forced") is True and state.get("finished") is False


def read_state(recorded: Path) -> Row | None:
    """Return the content of the state file at the path `recorded`, or None if there is no such
    file. Raises ScicotError if the file cannot be read."""
    try:
        state = jsonl.decode(recorded.read_bytes())
        if isinstance(state, dict) and isinstance(state.get("settings", {}), dict):
            return state
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        pass
    raise ScicotError(
        f"{recorded}: cannot be read, so the output that it describes cannot be continued;"
        " overwrite that output with --force"
    )


def missing_parts(files: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Yield a warning for each input file that has only a part of the rows, according to its state
    file. There are two cases:

    - The file is not finished.
    - The file is a shard of a prediction, and another shard is not in `files`.
    """
    predictions: dict[str, tuple[int, dict[int, Path]]] = {}  # number of shards, file of each shard
    for file in map(Path, files):
        state = _state_or_empty(file)
        if state.get("finished") is False:
            yield (
                f"{file}: is not finished, according to {state_path(file).name}; to finish it, run"
                f" the command that wrote it (scicot {state.get('command')}) again"
            )
        settings = state.get("settings", {})
        with suppress(UsageError):
            if state.get("command") == "predict" and isinstance(settings.get("shard"), str):
                shard = Shard.parse(settings["shard"])
                common = {**settings, "shard": shard.count}, list(state.get("inputs", {}).values())
                prediction = json.dumps(common, sort_keys=True)
                predictions.setdefault(prediction, (shard.count, {}))[1][shard.number] = file
    for count, shard_files in predictions.values():
        for number, file in shard_files.items() if len(shard_files) < count else ():
            yield (
                f"{file}: has only shard {number}/{count} of the questions, according to"
                f" {state_path(file).name}; join all shards with scicot merge or, if a job array"
                " made shards that you did not want, predict again with --shard 1/1 (and --force)"
            )


def _state_or_empty(file: Path) -> Row:
    """Return the content of the state file of an input file. Return {} if there is no readable
    state file."""
    if not file.is_file():
        return {}  # "-", a folder, a pattern, or a data set on the Hub
    try:
        return read_state(state_path(file)) or {}
    except ScicotError:
        return {}  # another program may have made a file with this name


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> list[str]:
    """List the settings that differ between `old` and `new`, each as "name: was OLD, is NEW".

    A setting that is missing from `old` or `new` is taken from `defaults`. If it is missing there
    too, its value is None.
    """
    # An output of an older scicot, which did not have a setting yet, can still be continued.
    old, new = {**(defaults or {}), **old}, {**(defaults or {}), **new}
    return [
        f"{name}: was {old.get(name)!r}, is {new.get(name)!r}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def check_same(path: Path, recorded: Path, state: Row, defaults: Mapping[str, Any] | None) -> None:
    old = read_state(recorded)
    if old is None:
        raise ScicotError(
            f"{path}: exists and has no {recorded.name} beside it, so it cannot be continued;"
            " --force overwrites it"
        )
    if old.get("command") != state["command"]:
        raise ScicotError(
            f"{path}: was made by scicot {old.get('command')}; choose another output,"
            " or overwrite it with --force"
        )
    changed = differences(old.get("settings", {}), state["settings"], defaults)
    if changed:
        raise ScicotError(
            f"{path}: was made with other settings ({'; '.join(changed)});"
            " choose another output, or overwrite it with --force"
        )


def write_state(path: Path, state: Row) -> None:
    jsonl.write_text(state_path(path), json.dumps(state, indent=1, ensure_ascii=False) + "\n")
