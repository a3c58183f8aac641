"""Measure the memory that `predict` needs beyond its imports, in multiples of the fp32 weights.

    python -m benchmarks.predicting memory QUESTIONS ANSWER_RUN [RATIONALE_RUN]

Prints a line for each precision. Each precision is measured in a process of its own, on Linux.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PRECISIONS = ("fp32", "bf16")
NEW_TOKENS = 48
MEASURED = """
import sys
from pathlib import Path
import torch, transformers
import scicot.decoding.native_engine, scicot.prediction
from scicot import PredictSettings, predict

def mebibytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024

precision, tokens, questions, out, answer, *rationale = sys.argv[1:]
imports = mebibytes("VmRSS")
settings = PredictSettings(precision=precision, device="cpu", max_new_tokens=int(tokens))
predict(questions, out, answer_model=answer, settings=settings,
        **({"rationale_model": rationale[0]} if rationale else {}))
print(mebibytes("VmHWM") - imports)
"""


def measure(questions: str, *runs: str) -> None:
    """Print the peak memory of answering the file `questions`. `runs` are an answer run and,
    optionally, a rationale run."""
    weights = sum(file.stat().st_size for run in runs for file in Path(run).glob("*.safetensors"))
    for precision in PRECISIONS:
        with tempfile.TemporaryDirectory() as folder:
            out = str(Path(folder) / "out.jsonl")
            arguments = [precision, str(NEW_TOKENS), questions, out, *runs]
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, *arguments],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        taken = float(done.stdout.splitlines()[-1]) * 2**20
        print(f"{precision}: {taken / 1e6:,.0f} MB, {taken / weights:.2f} times the weights")
