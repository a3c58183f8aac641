"""The same table for a student whose rationales end by themselves: trained for some minutes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.predicting.material import asked, behind, questions, tokenizer
from benchmarks.predicting.table import compare
from benchmarks.training.material import DATA, flan_t5_small

_STEPS, _MOST = 120, 128  # of training; tokens


def measure() -> None:
    """Train flan-t5-small's shape on EntailmentBank, then print the table."""
    import torch

    from scicot import TrainSettings, train_rationale
    from scicot.students.base import Decoding
    from scicot.students.engines.torch_engine import TorchEngine
    from scicot.students.pretrained import load_pretrained

    torch.manual_seed(0)
    settings = TrainSettings(
        max_steps=_STEPS, warmup_steps=10, batch_size=16, learning_rate=1e-3, dev_fraction=0,
        max_target_tokens=_MOST, device="cpu",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flan_t5_small().save_pretrained(folder / "student")
        tokenizer().save_pretrained(str(folder / "student"))
        rows, student = DATA / "entailmentbank.train.jsonl", str(folder / "student")
        train_rationale(rows, folder / "run", student=student, settings=settings)
        model, _ = load_pretrained(str(folder / "run"))
    model.eval()
    first = asked(questions())
    engine = TorchEngine(model, torch.float32, batch_size=256)
    texts = [text for (text,) in engine.generate(first, [[None]] * len(first), Decoding(_MOST))]
    lengths = sorted(map(len, texts))
    places = (0.1, 0.5, 0.9)
    told = ", ".join(f"{lengths[int(place * len(lengths))]}" for place in places)
    print(f"  tokens of a rationale: {told} at the 10th, 50th and 90th percentile")
    compare(model, first, behind(first, texts), sum(lengths) / len(lengths), _MOST)
