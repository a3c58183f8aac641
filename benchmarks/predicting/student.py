"""Train a student of flan-t5-small's size on the example world. Takes 20 minutes on two cores.

The student learns to end its rationales with an end token, before the token limit.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.predicting.material import tokenizer
from benchmarks.training.material import flan_t5_small

STEPS = 1200


def train(folder: Path) -> None:
    """Write the run to FOLDER/run, and questions for it to FOLDER/world/test.jsonl."""
    import torch

    world, start, rationales = folder / "world", folder / "start", folder / "rationales.jsonl"
    make = "examples/make_world.py"
    _run(sys.executable, make, "--out", world, "--train", 4000, "--test", 320, "--seed", 0)
    if not start.exists():
        torch.manual_seed(0)
        model = flan_t5_small()
        # otherwise the loss starts at some hundreds
        model.lm_head.weight.data.mul_(model.config.d_model**-0.5)
        model.save_pretrained(start)
        tokenizer().save_pretrained(str(start))
    teacher = f"recorded:{world / 'train_replies.jsonl'}"
    scicot = (sys.executable, "-m", "scicot_cli")
    _run(
        *scicot,
        "generate-rationales",
        world / "train.jsonl",
        "-o",
        rationales,
        "--teacher",
        teacher,
    )
    rate, size = ("--learning-rate", 1e-3, "--warmup-steps", 60), ("--batch-size", 16)
    options = ("--student", start, "--max-steps", STEPS, *rate, *size)
    _run(*scicot, "train-rationale", rationales, "-o", folder / "run", *options)


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True)
