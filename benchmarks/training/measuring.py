"""Measure a Trainer's speed and the machine's peak matrix product throughput."""

from __future__ import annotations

import gc
import statistics
import time
from typing import Any


def timed(trainer: Any) -> float:
    """Return tokens per second, without padding, over all steps but the first."""
    from transformers import TrainerCallback

    times, tokens = [], [0]
    step = trainer.training_step

    def counted(model: Any, inputs: Any, *rest: Any) -> Any:
        real = inputs["attention_mask"].sum() + (inputs["labels"] != -100).sum()
        tokens[-1] += int(real)
        return step(model, inputs, *rest)

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            times.append(time.perf_counter())
            tokens.append(0)

    trainer.training_step = counted
    trainer.add_callback(Clock())
    trainer.train()
    rate = sum(tokens[1:]) / (times[-1] - times[0])
    del trainer
    gc.collect()  # a Trainer and its optimizer refer to each other
    return rate


def flops(model: Any, lengths: Any) -> float:
    """Return the FLOPs of a row of mean length, forward and backward: each token costs 6 for each
    weight that it passes through (Kaplan et al. 2020, table 1). The products of attention scores
    are not counted."""
    source, target = lengths.mean(axis=0)
    reading, writing = weights_met(model)
    return float(6 * (source * reading + target * writing))


def weights_met(model: Any) -> tuple[int, int]:
    """Return the number of weights that a token of the source passes through, and that a token of
    the target does."""

    def of(part: Any) -> int:
        return sum(
            parameter.numel() for name, parameter in part.named_parameters() if "embed" not in name
        )

    crossed = sum(
        parameter.numel()
        for name, parameter in model.decoder.named_parameters()
        if "EncDecAttention.k" in name or "EncDecAttention.v" in name
    )  # weights that process the input's tokens
    decoder_weights = of(model.decoder) - crossed + model.lm_head.weight.numel()
    return of(model.encoder) + crossed, decoder_weights


def peak(dtype: Any) -> float:
    """Measure the FLOP/s of a large matrix product."""
    import torch

    size = 2048
    left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - start)
    return float(2 * size**3 / statistics.median(times[2:]))
