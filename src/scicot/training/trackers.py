"""Where a training may be followed while it runs, through transformers' own callbacks."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import get_args

from scicot.config import Tracker
from scicot.errors import ScicotError

# Each is the name of its package, and of our extra that installs it.
TRACKERS = get_args(Tracker)


def check(names: Sequence[str]) -> None:
    """ScicotError where a tracker is unknown or not installed."""
    for name in names:
        if name not in TRACKERS:
            raise ScicotError(
                f"--report-to {name}: no such tracker; there is {', '.join(TRACKERS)}"
            )
        if importlib.util.find_spec(name) is None:
            raise ScicotError(f"--report-to {name}: not installed; pip install 'scicot[{name}]'")
