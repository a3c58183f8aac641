"""`python -m benchmarks.training loss`, `attention` or `sft STUDENT`: choices, and a rival."""

from __future__ import annotations

import sys

from benchmarks.training import attention, losses, sft
from benchmarks.training.material import missing

CHOICES = {"loss": losses, "attention": attention}

if __name__ == "__main__":
    names = sys.argv[1:] or list(CHOICES)
    if names[0] == "sft" and len(names) == 2:
        sft.compare(names[1])
        sys.exit()
    unknown = [name for name in names if name not in CHOICES]
    if unknown:
        sys.exit(
            f"no comparison {', '.join(unknown)}; there is {', '.join(CHOICES)} and sft STUDENT"
        )
    for name in [] if missing() else names:
        print(f"{name}: {(CHOICES[name].__doc__ or '').splitlines()[0]}")
        CHOICES[name].compare()
