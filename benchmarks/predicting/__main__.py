"""What `make bench` has no time for.

python -m benchmarks.predicting exact
python -m benchmarks.predicting ends [RUN QUESTIONS]      of the quickstart, if none are named
python -m benchmarks.predicting alone [RUN QUESTIONS]     likewise
python -m benchmarks.predicting train FOLDER              a larger student, for both
python -m benchmarks.predicting agree [FOLDER...]         of the quickstart, likewise
python -m benchmarks.predicting gpu                       where there is one
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.predicting import agree, alone, ends, exact, gpu, student
from benchmarks.training.material import missing

QUICKSTART = Path("quickstart/seed-0")

if __name__ == "__main__":
    name, *more = sys.argv[1:] or [""]
    if name in ("ends", "alone") and len(more) in (0, 2):
        run, questions = more or (QUICKSTART / "runs/rationale", QUICKSTART / "world/test.jsonl")
        {"ends": ends, "alone": alone}[name].measure(Path(run), Path(questions))
    elif name == "train" and len(more) == 1:
        if not missing():
            student.train(Path(more[0]))
    elif name == "agree":
        agree.measure([Path(folder) for folder in more] or [QUICKSTART])
    elif name in ("exact", "gpu") and not more:
        if not missing():
            {"exact": exact, "gpu": gpu}[name].measure()
    else:
        sys.exit(__doc__)
