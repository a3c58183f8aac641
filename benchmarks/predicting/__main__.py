"""`python -m benchmarks.predicting ends` and `exact`: what `make bench` has no time for."""

from __future__ import annotations

import sys

from benchmarks.predicting import ends, exact
from benchmarks.training.material import missing

MORE = {"ends": ends, "exact": exact}

if __name__ == "__main__":
    names = sys.argv[1:] or list(MORE)
    unknown = [name for name in names if name not in MORE]
    if unknown:
        sys.exit(f"no measurement {', '.join(unknown)}; there is {', '.join(MORE)}")
    for name in [] if missing() else names:
        print(f"{name}: {(MORE[name].__doc__ or '').splitlines()[0]}")
        MORE[name].measure()
