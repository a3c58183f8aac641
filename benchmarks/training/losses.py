"""Compare dev losses of training with and without batches of similar length, and with bf16."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training.bare import Padder, bare_trainer, grouped_by_trainer
from benchmarks.training.material import DATA, ROWS
from scicot.config import TrainSettings
from scicot.stages import Stage

_RATE = 2e-3


def compare() -> None:
    """Print the dev losses of scratch:tiny for each way of training, for three seeds. All ways
    train on the same number of rows."""
    from transformers import set_seed

    from scicot.models.prompt_format import Seq2Seq
    from scicot.reporting import LogReporter
    from scicot.training.data import Reader
    from scicot.training.dev_set import DevSet
    from scicot.training.fitting.trainer import make_trainer
    from scicot.training.plan.schedule import Schedule
    from scicot.training.scratch import build_scratch

    # Texts are truncated; otherwise it would take an hour.
    settings = TrainSettings(
        epochs=4, batch_size=ROWS, learning_rate=_RATE, max_source_tokens=128, max_target_tokens=64,
        device="cpu",
    )  # fmt: skip
    stage, dev_file = Stage.RATIONALE, str(DATA / "entailmentbank.dev.jsonl")
    reader = Reader(stage, settings, {}, LogReporter())
    lessons = reader.read([str(DATA / "entailmentbank.train.jsonl")])
    dev = DevSet(reader.read([dev_file])[:100], stage, settings)
    losses_by_method: dict[str, list[float]] = {}
    for seed in range(3):
        seeded = replace(settings, seed=seed)
        for method in ("in turn", "Trainer's own groups", "scicot, fp32", "scicot, bf16"):
            set_seed(seed)
            texts = [lesson.question.question + " " + lesson.rationale for lesson in lessons]
            model, tokenizer = build_scratch("scratch:tiny", texts)
            schedule = Schedule(lessons, stage, Seq2Seq(tokenizer, frozenset({1})), seeded)
            lengths = schedule.lengths
            with tempfile.TemporaryDirectory() as folder:
                if method.startswith("scicot"):
                    precision: Any = method.removeprefix("scicot, ")
                    trainer: Any = make_trainer(
                        model,
                        tokenizer,
                        schedule,
                        Path(folder),
                        replace(seeded, precision=precision),
                    )
                else:
                    rng = np.random.default_rng(seed)
                    orders = [
                        grouped_by_trainer(lengths, ROWS)
                        if method.startswith("Trainer")
                        else rng.permutation(len(lengths))
                        for _ in range(int(settings.filled().epochs or 1))
                    ]
                    order = np.concatenate(orders)[: schedule.steps * ROWS]
                    rows = schedule.rows(range(len(lengths)))
                    trainer = bare_trainer(
                        model, tokenizer, [rows[index] for index in order], ROWS, Padder(model),
                        Path(folder), learning_rate=_RATE, warmup_steps=100, seed=seed,
                    )  # fmt: skip
                trainer.train()
            losses_by_method.setdefault(method, []).append(
                dev.measure(model, Seq2Seq(tokenizer, frozenset({1})))["dev_loss"]
            )
    for method, losses in losses_by_method.items():
        spread = ", ".join(f"{loss:.3f}" for loss in losses)
        print(f"  {method:22} dev loss {statistics.mean(losses):.3f} nats a token ({spread})")
