"""Experiment trackers that a training can report to, through transformers' callbacks."""

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
    """Raise ScicotError if a tracker is unknown or not installed."""
    for name in names:
        if name not in TRACKERS:
            near = get_close_matches(name, TRACKERS, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(
                f"--report-to {name}: no such tracker; there is {', '.join(TRACKERS)}{meant}"
            )
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--report-to {name}: not installed; pip install 'scicot[{name}]'")
