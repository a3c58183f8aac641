"""The students and rows for the training benchmarks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scicot.config import TrainSettings
from scicot.stages import Stage

DATA = Path(os.environ.get("SCICOT_DATA", Path(__file__).parents[3] / "shared" / "data"))
ROWS = 32  # rows per step


def missing() -> bool:
    """Return True, and print that the benchmark is skipped, if the data set is not installed."""
    if (DATA / "entailmentbank.train.jsonl").exists():
        return False
    print(f"  skipped: no EntailmentBank in {DATA} (SCICOT_DATA names another folder)")
    return True


def flan_t5_small() -> Any:
    """Make a model of flan-t5-small's shape with random weights."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(  # type: ignore[call-arg]
        vocab_size=32128, d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
    )  # fmt: skip
    return T5ForConditionalGeneration(config)


def prepared(stage: Stage) -> tuple[Any, Any, Any]:
    """Return a model of flan-t5-small's shape, T5's tokenizer, and the schedule of EntailmentBank's
    training rows."""
    import torch
    from transformers import T5Tokenizer

    from scicot.models.prompt_format import Seq2Seq
    from scicot.reporting import LogReporter
    from scicot.training.data import Reader
    from scicot.training.plan.schedule import Schedule

    torch.manual_seed(0)
    tokenizer = T5Tokenizer.from_pretrained(str(DATA / "t5_tokenizer"))
    settings = TrainSettings(epochs=1, batch_size=ROWS, max_target_tokens=256)
    lessons = Reader(stage, settings, {}, LogReporter()).read(
        [str(DATA / "entailmentbank.train.jsonl")]
    )
    schedule = Schedule(lessons, stage, Seq2Seq(tokenizer, frozenset({1})), settings)
    return flan_t5_small(), tokenizer, schedule


class SelectedSteps:
    """Selected steps of a schedule, in the given order."""

    def __init__(self, schedule: Any, steps: Any) -> None:
        self._schedule = schedule
        self._chosen = steps
        self.steps = len(steps)

    def __len__(self) -> int:
        return int(self.steps * self.turns)

    def __getitem__(self, item: int) -> Any:
        step, turn = divmod(item, self.turns)
        return self._schedule[int(self._chosen[step]) * self.turns + turn]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._schedule, name)
