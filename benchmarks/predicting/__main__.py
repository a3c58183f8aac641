"""What `make bench` has no time for.

python -m benchmarks.predicting exact
python -m benchmarks.predicting ends [RUN QUESTIONS]      of the quickstart, if none are named
python -m benchmarks.predicting agree [FOLDER...]         of the quickstart, likewise
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.predicting import agree, ends, exact
from benchmarks.training.material import missing

QUICKSTART = Path("quickstart/seed-0")

if __name__ == "__main__":
    name, *more = sys.argv[1:] or [""]
    if name == "ends" and len(more) in (0, 2):
        run, questions = more or (QUICKSTART / "runs/rationale", QUICKSTART / "world/test.jsonl")
        ends.measure(Path(run), Path(questions))
    elif name == "agree":
        agree.measure([Path(folder) for folder in more] or [QUICKSTART])
    elif name == "exact" and not more:
        if not missing():
            exact.measure()
    else:
        sys.exit(__doc__)
