"""Measure whether prompt-lookup drafts speed up questions that arrive one by one."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from unittest.mock import patch

from benchmarks.predicting.ends import inputs_of
from scicot.decoding.engine import Decoding

_MOST, _QUESTIONS, _ROUNDS = 128, 30, 3


def measure(run: Path, questions: Path) -> None:
    """Print tokens per second of a run of train-rationale, with drafts and without."""
    import torch

    from scicot.decoding.native_engine import NativeEngine
    from scicot.decoding.prompt_lookup import PromptLookup

    model, _, inputs = inputs_of(run, questions)
    for dtype in (torch.float32, torch.bfloat16):
        engine = NativeEngine(model.eval(), dtype, batch_size=256)

        def rate(engine: NativeEngine = engine) -> float:
            start, tokens = time.perf_counter(), 0
            for source in inputs[:_QUESTIONS]:
                ((text,),) = engine.generate([source], [[None]], Decoding(_MOST))
                tokens += len(text)
            return tokens / (time.perf_counter() - start)

        drafted, undrafted = [], []
        for _ in range(_ROUNDS):
            drafted.append(rate())
            with patch.object(PromptLookup, "next", return_value=[]):
                undrafted.append(rate())
        gained = statistics.median(drafted) / statistics.median(undrafted)
        dtype_name = str(dtype).removeprefix("torch.")
        print(
            f"  {dtype_name}: {statistics.median(drafted):.0f} tokens/s with drafts,"
            f" {statistics.median(undrafted):.0f} without, {gained:.2f} x"
        )
