"""Predict in both stages, compared with transformers' `generate` and plain CTranslate2.

The model has flan-t5-small's shape, and the questions are EntailmentBank's. In each of several
rounds, all engines run in turn. The reference is transformers' `generate` in fp32, for rationales
and for answers, with 16 questions at a time in file order. The reference runs on a subset of the
questions, which is enough because its batches take about equally long. Plain CTranslate2 means
CTranslate2's own `translate_batch` and `score_batch` in int8 on sorted inputs.
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
    encoded,
    endless,
    questions,
    random_texts,
    tokenizer,
    with_rationales,
)
from benchmarks.predicting.ways import REFERENCE, all_engines, default
from benchmarks.training.material import missing
from benchmarks.training.measuring import peak, weights_met

GOAL = "the default 6 x the reference and no slower than CTranslate2, fp32 1.7 x"
ROUNDS, SLOW_QUESTIONS = 3, 48
WRITTEN = 64  # tokens


def print_figures() -> None:
    """Print a table for random weights and rationales of 64 tokens; with GEMMA=DIR in the
    environment, also one for that causal model."""
    if missing():
        return
    if os.environ.get("GEMMA"):
        causal.measure(Path(os.environ["GEMMA"]))
    rationale_inputs = encoded(questions())
    answer_inputs = with_rationales(rationale_inputs, random_texts(QUESTIONS, WRITTEN))
    compare(endless(), tokenizer(), rationale_inputs, answer_inputs, WRITTEN, WRITTEN)


def compare(
    model: Any,
    words: Any,
    rationale_inputs: Inputs,
    answer_inputs: Inputs,
    rationale_tokens: float,
    max_tokens: int,
) -> None:
    """Print a table of all engines, with the questions per second that each answers in both stages.
    Rationales have `rationale_tokens` tokens on average, `max_tokens` at most; `words` is the
    tokenizer."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        engines = all_engines(model, words, Path(folder), max_tokens)
        writes, scores = default(model, words, Path(folder))
        rates: dict[str, list[float]] = {}
        peaks = {torch.float32: 0.0, torch.bfloat16: 0.0}
        for _ in range(ROUNDS):
            # The machine is shared, so its peak is the highest value measured.
            peaks = {dtype: max(highest, peak(dtype)) for dtype, highest in peaks.items()}
            for name, work in engines.items():
                # Every n-th question, to have all lengths in file order.
                step = len(rationale_inputs) // SLOW_QUESTIONS if name == REFERENCE else 1
                start = time.perf_counter()
                work(rationale_inputs[::step], answer_inputs[::step])
                rate = len(rationale_inputs[::step]) / (time.perf_counter() - start)
                rates.setdefault(name, []).append(rate)
    rationale_input_tokens, answer_input_tokens = (
        sum(map(len, inputs)) / len(inputs) for inputs in (rationale_inputs, answer_inputs)
    )
    print(
        f"  {len(rationale_inputs)} questions: {rationale_input_tokens:.0f} tokens"
        f" read, {rationale_tokens:.0f} written, {answer_input_tokens:.0f} read;"
        f" medians of {ROUNDS} (each):"
    )
    medians = {name: statistics.median(speeds) for name, speeds in rates.items()}
    for name, rate in medians.items():
        speeds_text = ", ".join(f"{speed:.2f}" for speed in rates[name])
        ratio = rate / medians[REFERENCE]
        print(f"    {name:20} {rate:6.2f} questions/s  {ratio:5.2f} x  ({speeds_text})")
    print(f"    the default here: {writes} to write, {scores} to score")
    needed = flops(model, rationale_input_tokens, rationale_tokens, answer_input_tokens)
    for name, dtype in (
        ("fp32", torch.float32),
        ("bf16", torch.bfloat16),
        ("int8", torch.bfloat16),
    ):
        dtype_name = str(dtype).removeprefix("torch.")
        share = medians[f"torch, {name}"] * needed / peaks[dtype]
        print(f"    torch, {name}: {share:.0%} of a bare matmul in {dtype_name}")


def flops(
    model: Any, rationale_input_tokens: float, rationale_tokens: float, answer_input_tokens: float
) -> float:
    """Return the FLOPs of one question in both stages: each token costs 2 for each weight that
    processes it. To score the choices, the decoder reads the start token and one label token per
    choice."""
    reading, writing = weights_met(model)
    scored = 1 + len(CHOICES[0])
    return float(
        2
        * (
            reading * (rationale_input_tokens + answer_input_tokens)
            + writing * (rationale_tokens + scored)
        )
    )
