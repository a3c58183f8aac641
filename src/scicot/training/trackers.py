"""Experiment trackers that a training run can report to, through transformers' callbacks."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from difflib import get_close_matches
from typing import get_args

from scicot.config import Tracker
from scicot.errors import UsageError

# Each name is that of the package and of the extra of scicot that installs it.
TRACKERS = get_args(Tracker)


def check(names: Sequence[str]) -> None:
    """Raise UsageError if a tracker is unknown or its package is not installed."""
    for name in names:
        if name not in TRACKERS:
            similar = get_close_matches(name, TRACKERS, n=1)
            suggestion = f"; did you mean {similar[0]}?" if similar else ""
            raise UsageError(
                f"--report-to {name}: no such tracker; choose one of {', '.join(TRACKERS)}"
                f"{suggestion}"
            )
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--report-to {name}: not installed; pip install 'scicot[{name}]'")
