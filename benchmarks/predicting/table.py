"""Predict in both stages, compared with transformers' `generate` and plain CTranslate2.

flan-t5-small's shape, EntailmentBank, all engines in turn, for several rounds. The reference is
transformers' `generate` in fp32, for rationales and for answers, with 16 questions at a time in
file order. It runs on a subset of the questions, which is enough because its batches take about
equally long. Plain CTranslate2 means its `translate_batch` and `score_batch` in int8 on sorted
inputs.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.predicting import causal
from benchmarks.predicting.material import (
    CHOICES,
    QUESTIONS,
    Inputs,
    asked,
    behind,
    endless,
    questions,
    random_texts,
    tokenizer,
)
from benchmarks.predicting.ways import REFERENCE, all_ways, default
from benchmarks.training.material import missing
from benchmarks.training.measuring import peak, weights_met

GOAL = "the default 6 x the reference and no slower than CTranslate2, fp32 1.7 x"
ROUNDS, SLOW_QUESTIONS = 3, 48
WRITTEN = 64  # tokens


def more() -> None:
    """Print a table for random weights and rationales of 64 tokens; with GEMMA=DIR in the
    environment, also one for that causal model."""
    if missing():
        return
    if os.environ.get("GEMMA"):
        causal.measure(Path(os.environ["GEMMA"]))
    first = asked(questions())
    second = behind(first, random_texts(QUESTIONS, WRITTEN))
    compare(endless(), tokenizer(), first, second, WRITTEN, WRITTEN)


def compare(
    model: Any, words: Any, first: Inputs, second: Inputs, written: float, most: int
) -> None:
    """Print a table of all engines: questions per second over inputs of both stages. Rationales
    have `written` tokens on average, `most` at most; `words` is the tokenizer."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        ways = all_ways(model, words, Path(folder), most)
        writes, scores = default(model, words, Path(folder))
        rates: dict[str, list[float]] = {}
        peaks = {torch.float32: 0.0, torch.bfloat16: 0.0}
        for _ in range(ROUNDS):
            # The machine is shared, so its peak is the highest value measured.
            peaks = {kind: max(highest, peak(kind)) for kind, highest in peaks.items()}
            for name, work in ways.items():
                # Every n-th question, to have all lengths in file order.
                step = len(first) // SLOW_QUESTIONS if name == REFERENCE else 1
                start = time.perf_counter()
                work(first[::step], second[::step])
                rate = len(first[::step]) / (time.perf_counter() - start)
                rates.setdefault(name, []).append(rate)
    read, again = (sum(map(len, inputs)) / len(inputs) for inputs in (first, second))
    print(
        f"  {len(first)} questions: {read:.0f} tokens read, {written:.0f} written, {again:.0f}"
        f" read; medians of {ROUNDS} (each):"
    )
    medians = {name: statistics.median(speeds) for name, speeds in rates.items()}
    for name, rate in medians.items():
        each = ", ".join(f"{speed:.2f}" for speed in rates[name])
        ratio = rate / medians[REFERENCE]
        print(f"    {name:20} {rate:6.2f} questions/s  {ratio:5.2f} x  ({each})")
    print(f"    the default here: {writes} to write, {scores} to score")
    needed = flops(model, read, written, again)
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("int8", torch.bfloat16)):
        dtype = str(kind).removeprefix("torch.")
        share = medians[f"torch, {name}"] * needed / peaks[kind]
        print(f"    torch, {name}: {share:.0%} of a bare matmul in {dtype}")


def flops(model: Any, read: float, written: float, again: float) -> float:
    """Return the FLOPs of one question in both stages: 2 for each token and each weight
    that processes it. To score the choices, the decoder reads the start token once and one label
    token per choice."""
    reading, writing = weights_met(model)
    scored = 1 + len(CHOICES[0])
    return float(2 * (reading * (read + again) + writing * (written + scored)))
