"""Compare runs by the hash of their weights, since the directory of a run may be renamed.

An identity such as "answer@1f0c5e2b9a7d" is the name of a run's directory and the start of the
SHA-256 of its weights.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from scicot.row_fields import Row
from scicot.students.runs import Run

# One identity, with the " + " before it if several identities are joined.
_NAME = re.compile(r".*?@([0-9a-f]{12})(?= \+ |\Z)", re.DOTALL)
_NAMED = ("answer", "rationale", "engines")  # entries of the settings that hold identities


def recorded_in(state: Row) -> Collection[str]:
    """Return the identities of the runs that a state file of `predict` records. Return an empty
    collection if the state file records none."""
    engines = state.get("settings", {}).get("engines")
    return engines if isinstance(engines, dict) else ()


def with_recorded_name(run: Run, recorded: Collection[str]) -> Run:
    """Give a run the name that the earlier rows of a resumed output use for it.

    `recorded` are the identities in this output. If exactly one of them has the hash of the run,
    but another name than the run, the run has been renamed. In this case, return a copy of the run
    with the recorded identity. Otherwise, return the run unchanged.
    """
    _, _, digest = run.identity.rpartition("@")
    same = [identity for identity in recorded if digest and identity.endswith(f"@{digest}")]
    if len(same) != 1 or run.identity in recorded:
        return run
    return replace(run, recorded_identity=same[0])


def without_names(settings: Mapping[str, Any]) -> Row:
    """Return a copy of settings, or of the field "models" of a row, without the names of runs:
    {"answer": "answer@1f0c5e2b9a7d"} becomes {"answer": "@1f0c5e2b9a7d"}."""
    return {
        name: _without_names(value) if name in _NAMED else value for name, value in settings.items()
    }


def hash_only(identity: str) -> str:
    """Return the hashes in a string of one or several identities. Names and " + " are left out.

    answer@1f0c5e2b9a7d                -> @1f0c5e2b9a7d
    a@1f0c5e2b9a7d + b@77ab01c9de21    -> @1f0c5e2b9a7d@77ab01c9de21
    """
    return _NAME.sub(r"@\1", identity)


def _without_names(value: Any) -> Any:
    if isinstance(value, str):
        return hash_only(value)
    if isinstance(value, list):
        return list(map(_without_names, value))
    if isinstance(value, dict):
        return {hash_only(name): engine for name, engine in value.items()}
    return value
