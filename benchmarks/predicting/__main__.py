"""Prediction benchmarks that take too long for `make bench`.

python -m benchmarks.predicting exact [MODEL]             a causal model's directory
python -m benchmarks.predicting ends [RUN QUESTIONS]      default: those of the quickstart
python -m benchmarks.predicting alone [RUN QUESTIONS]     default: those of the quickstart
python -m benchmarks.predicting train FOLDER              a larger student for ends and alone
python -m benchmarks.predicting agree [FOLDER...]         default: the quickstart's folder
python -m benchmarks.predicting agree RUN QUESTIONS       a run and its questions
python -m benchmarks.predicting gpu                       needs a GPU
python -m benchmarks.predicting memory QUESTIONS ANSWER_RUN [RATIONALE_RUN]
python -m benchmarks.predicting parallel MODEL            a causal model's directory
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.predicting import agree, alone, ends, exact, gpu, memory, parallel, student
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
    elif name == "agree" and len(more) == 2 and Path(more[1]).is_file():
        agree.measure_run(Path(more[0]), Path(more[1]))
    elif name == "agree":
        agree.measure([Path(folder) for folder in more] or [QUICKSTART])
    elif name == "exact" and len(more) < 2:
        if not missing():
            exact.measure(*map(Path, more))
    elif name == "memory" and len(more) in (2, 3):
        memory.measure(*more)
    elif name == "parallel" and len(more) == 1:
        parallel.measure(Path(more[0]))
    elif name == "gpu" and not more:
        if not missing():
            gpu.measure()
    else:
        sys.exit(__doc__)
