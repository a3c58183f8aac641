"""`python -m benchmarks.training loss` and `attention`: choices that training makes, measured."""

from __future__ import annotations

import sys

from benchmarks.training import attention, losses
from benchmarks.training.material import missing

CHOICES = {"loss": losses, "attention": attention}

if __name__ == "__main__":
    names = sys.argv[1:] or list(CHOICES)
    unknown = [name for name in names if name not in CHOICES]
    if unknown:
        sys.exit(f"no comparison {', '.join(unknown)}; there is {', '.join(CHOICES)}")
    for name in [] if missing() else names:
        print(f"{name}: {(CHOICES[name].__doc__ or '').splitlines()[0]}")
        CHOICES[name].compare()
