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

# One of several names that are joined by " + ", up to the hash.
_NAME = re.compile(r"[^@]*@([0-9a-f]{12})(?= \+ |\Z)")
_NAMED = ("answer", "rationale", "engines")  # entries of the settings that hold identities


def recorded_in(state: Row) -> Collection[str]:
    """Return the identities of the runs that a state file of `predict` records. Return an empty
    collection if the state file records none."""
    engines = state.get("settings", {}).get("engines")
    return engines if isinstance(engines, dict) else ()


def with_recorded_name(run: Run, recorded: Collection[str]) -> Run:
    """Return a run with the identity that an output records for its weights, so that a resumed
    output names the run as its earlier rows do. Return the run itself if its identity is recorded,
    or if no other identity, or several, have its hash."""
    _, _, digest = run.identity.rpartition("@")
    same = [identity for identity in recorded if digest and identity.endswith(f"@{digest}")]
    if len(same) != 1 or run.identity in recorded:
        return run
    return replace(run, recorded_identity=same[0])


def without_names(settings: Mapping[str, Any]) -> Row:
    """Return a copy of settings, or of the field "models" of a row, in which runs are given only by
    the hashes of their weights."""
    return {
        name: _without_names(value) if name in _NAMED else value for name, value in settings.items()
    }


def hash_only(identity: str) -> str:
    """Return the identity of a run without the name of its directory: "@1f0c5e2b9a7d" for
    "answer@1f0c5e2b9a7d". "a@1f0c5e2b9a7d + b@77ab01c9de21" gives "@1f0c5e2b9a7d@77ab01c9de21"."""
    return _NAME.sub(r"@\1", identity)


def _without_names(value: Any) -> Any:
    if isinstance(value, str):
        return hash_only(value)
    if isinstance(value, list):
        return list(map(_without_names, value))
    if isinstance(value, dict):
        return {hash_only(name): engine for name, engine in value.items()}
    return value
