"""Run the measurements behind default settings of training, or a comparison with trl.

python -m benchmarks.training [loss] [attention]               default: both
python -m benchmarks.training sft STUDENT                      the comparison with trl
python -m benchmarks.training rates STUDENT FILE ROWS FOLDER   learning rates and warm-ups
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.training import attention, losses, rates, sft
from benchmarks.training.material import missing

CHOICES = {"loss": losses, "attention": attention}

if __name__ == "__main__":
    names = sys.argv[1:] or list(CHOICES)
    if names[0] == "sft" and len(names) == 2:
        sft.compare(names[1])
        sys.exit()
    if names[0] == "rates" and len(names) == 5:
        rates.compare(names[1], names[2], int(names[3]), Path(names[4]))
        sys.exit()
    unknown = [name for name in names if name not in CHOICES]
    if unknown:
        sys.exit(
            f"no comparison {', '.join(unknown)}; there is {', '.join(CHOICES)} sft STUDENT"
            " and rates STUDENT FILE ROWS FOLDER"
        )
    for name in [] if missing() else names:
        print(f"{name}: {(CHOICES[name].__doc__ or '').splitlines()[0]}")
        CHOICES[name].compare()
