"""The same table for a student whose rationales end by themselves: trained for some minutes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.predicting.material import QUESTIONS, asked, behind, tokenizer
from benchmarks.predicting.table import compare
from benchmarks.training.material import flan_t5_small
from scicot.records import Question

_WORLD = Path(__file__).parents[2] / "examples" / "make_world.py"
_STEPS, _MOST = 150, 128  # of training; tokens


def measure() -> None:
    """Train flan-t5-small's shape on the example's world, then print the table for its test."""
    import torch

    from scicot.students.base import Decoding
    from scicot.students.engines.torch_engine import TorchEngine

    with tempfile.TemporaryDirectory() as name:
        model, questions = _trained(Path(name))
    first = asked(questions)
    engine = TorchEngine(model, torch.float32, batch_size=256)
    texts = [text for (text,) in engine.generate(first, [[None]] * len(first), Decoding(_MOST))]
    lengths = sorted(map(len, texts))
    told = ", ".join(f"{lengths[int(place * len(lengths))]}" for place in (0.1, 0.5, 0.9))
    print(f"  tokens of a rationale: {told} at the 10th, 50th and 90th percentile", flush=True)
    compare(model, first, behind(first, texts), sum(lengths) / len(lengths), _MOST)


def _trained(folder: Path) -> tuple[Any, list[Question]]:
    """A model that writes the tutor's rationales, and questions."""
    import torch

    from scicot import TrainSettings, generate_rationales, train_rationale
    from scicot.students.pretrained import load_pretrained

    sizes = ["--train", "2400", "--test", str(QUESTIONS)]
    subprocess.run([sys.executable, str(_WORLD), "--out", str(folder), *sizes], check=True)
    teacher = f"recorded:{folder / 'train_replies.jsonl'}"
    rows = folder / "rationales.jsonl"
    generate_rationales(folder / "train.jsonl", rows, teacher=teacher)
    torch.manual_seed(0)
    model = flan_t5_small()
    model.lm_head.weight.data.mul_(model.config.d_model**-0.5)  # or learning begins far away
    model.save_pretrained(folder / "student")
    tokenizer().save_pretrained(str(folder / "student"))
    settings = TrainSettings(
        max_steps=_STEPS, warmup_steps=10, batch_size=16, learning_rate=1e-3, dev_fraction=0,
        max_target_tokens=_MOST, device="cpu",
    )  # fmt: skip
    train_rationale(rows, folder / "run", student=str(folder / "student"), settings=settings)
    model, _ = load_pretrained(str(folder / "run"))
    asked_of = [json.loads(line) for line in (folder / "test.jsonl").open()]
    return model.eval(), [Question.from_row(row) for row in asked_of]
