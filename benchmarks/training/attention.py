"""Measure which attention implementation trains faster on this machine."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training.material import ROWS, SelectedSteps, prepared
from benchmarks.training.measuring import timed
from scicot.config import TrainSettings
from scicot.stages import Stage

_ROUNDS, _STEPS = 5, 2


def compare() -> None:
    """Print the ratio of eager's speed to SDPA's on the same steps of stage 1, in fp32 and in
    bf16."""
    from scicot.training.fitting.trainer import make_trainer

    model, tokenizer, schedule = prepared(Stage.RATIONALE)
    rng = np.random.default_rng(0)
    for precision in ("fp32", "bf16"):
        ratios = []
        for _ in range(_ROUNDS):
            selected = SelectedSteps(schedule, rng.choice(schedule.steps, _STEPS, replace=False))
            rates = {}
            for attention in ("eager", "sdpa"):
                options: Any = {"precision": precision, "attention": attention}
                settings = TrainSettings(batch_size=ROWS, **options)
                with tempfile.TemporaryDirectory() as folder:
                    trainer = make_trainer(model, tokenizer, selected, Path(folder), settings)  # type: ignore[arg-type]
                    rates[attention] = timed(trainer)
            ratios.append(rates["eager"] / rates["sdpa"])
        print(
            f"  {precision}: eager {statistics.median(ratios):.2f} x sdpa"
            f" ({min(ratios):.2f} to {max(ratios):.2f})"
        )
