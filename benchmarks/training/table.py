"""Compare scicot's training speed with three other ways of batching rows.

The model has flan-t5-small's shape and random weights. The rows are EntailmentBank's. Both stages
are measured. Methods (a) to (c) use a plain Seq2SeqTrainer in fp32:

- (a) every row padded to 512 input tokens and 512 target tokens (stage 2: 64), as in mm-cot
- (b) each batch padded to its longest row, not grouped by length, as in distilling-step-by-step
- (c) each batch padded to its longest row, and grouped by length by the Trainer
- scicot in fp32, and in bf16 on CPUs where bf16 is the default

Every round times each method once. A method runs the same few steps in every round; in order of
size, they are spread evenly over all its steps. Its speed is the number of tokens per second,
without padding, divided by the mean length of a row.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training.bare import (
    Padder,
    bare_trainer,
    grouped_by_trainer,
    padding,
    whole_batches,
)
from benchmarks.training.material import ROWS, SelectedSteps, missing, prepared
from benchmarks.training.measuring import flops, peak, timed
from scicot.config import TrainSettings
from scicot.stages import Stage
from scicot.training.plan.length_buckets import padded

GOAL = "stage 1 (stage 2): 3 (2.5) x (a), 1.6 x (b), 1.1 x (c)"
ROUNDS, STEPS = 3, 3  # steps of each round, after one that is not counted
# tokens of inputs and targets, padded as in mm-cot
FIXED = {Stage.RATIONALE: (512, 512), Stage.ANSWER: (512, 64)}
FIXED_ROWS = 4  # batch size for padding to a fixed length; larger batches are not faster per row


@dataclass
class BatchingMethod:
    """One way of batching, and its measured speeds."""

    name: str
    trainer: Callable[[Any], Any]  # makes a Trainer for steps, given by number
    sizes: list[int]  # padded tokens of each step
    padding: float
    rates: list[float] = field(default_factory=list)

    def time(self) -> None:
        """Time STEPS steps of different sizes. The smallest step runs first and is not counted."""
        order = np.argsort(self.sizes, kind="stable")
        spread = [order[(2 * n + 1) * len(order) // (2 * STEPS)] for n in range(STEPS)]
        self.rates.append(timed(self.trainer([order[0], *spread])))


def print_figures() -> None:
    """Print a table for each stage."""
    if missing():
        return
    import torch

    peaks = {dtype: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    for stage in (Stage.RATIONALE, Stage.ANSWER):
        with tempfile.TemporaryDirectory() as folder:
            table(stage, Path(folder), peaks)


def table(stage: Stage, folder: Path, peaks: dict[Any, float]) -> None:
    import torch

    model, tokenizer, schedule = prepared(stage)
    lengths = schedule.lengths
    mean = lengths.sum() / len(lengths)
    methods = list(all_methods(stage, model, tokenizer, schedule, folder))
    for _ in range(ROUNDS):
        for method in methods:
            method.time()
    print(
        f"  {stage} student, {len(lengths)} rows of {mean:.0f} tokens; rows/s, medians of {ROUNDS}:"
    )
    rates = {method.name: statistics.median(method.rates) / mean for method in methods}
    for method in methods:
        ratios = ", ".join(
            f"{rates[method.name] / rates[reference]:.2f} x {reference[:3]}"
            for reference in rates
            if method.name.startswith("scicot") and reference.startswith("(")
        )
        print(
            f"    {method.name:34} {rates[method.name]:6.2f}  padding"
            f" {method.padding:4.0%}  {ratios}"
        )
    for name, dtype in (("scicot, fp32", torch.float32), ("scicot, bf16", torch.bfloat16)):
        if name in rates:
            share = rates[name] * flops(model, lengths) / peaks[dtype]
            print(
                f"    {name}: {share:.0%} of the {peaks[dtype] / 1e9:.0f} GFLOP/s of a bare matmul"
            )


def all_methods(
    stage: Stage, model: Any, tokenizer: Any, schedule: Any, folder: Path
) -> Iterator[BatchingMethod]:
    import torch

    from scicot.devices import training_precision
    from scicot.training.fitting.trainer import make_trainer

    lengths = schedule.lengths
    rows = schedule.rows(range(len(lengths)))

    def trainer_method(name: str, batches: list[Any]) -> BatchingMethod:
        def trainer(step_numbers: Any) -> Any:
            picked = [rows[index] for number in step_numbers for index in batches[number]]
            return bare_trainer(model, tokenizer, picked, len(batches[0]), Padder(model), folder)

        sizes = [padded(lengths[batch]) for batch in batches]
        return BatchingMethod(name, trainer, sizes, padding(batches, lengths))

    def to_the_maximum(step_numbers: Any) -> Any:
        picked = [rows[index] for number in step_numbers for index in fours[number]]
        return bare_trainer(model, tokenizer, picked, FIXED_ROWS, Padder(model, fixed), folder)

    fixed = FIXED[stage]
    shuffled = np.random.default_rng(0).permutation(len(lengths))
    fours = whole_batches(shuffled, FIXED_ROWS)
    # all padded sizes are equal, so steps are ordered by their real tokens
    real = [int(lengths[batch].sum()) for batch in fours]
    wasted = 1 - float(lengths.sum()) / len(lengths) / sum(fixed)
    yield BatchingMethod("(a) padded to the maximum", to_the_maximum, real, wasted)
    yield trainer_method("(b) padded to the longest", whole_batches(shuffled, ROWS))
    grouped = grouped_by_trainer(lengths, ROWS)
    yield trainer_method("(c) Trainer's own groups", whole_batches(grouped, ROWS))

    def scicot_method(precision: str) -> BatchingMethod:
        def trainer(step_numbers: Any) -> Any:
            settings = TrainSettings(batch_size=ROWS, precision=precision)  # type: ignore[arg-type]
            selected: Any = SelectedSteps(schedule, step_numbers)
            return make_trainer(model, tokenizer, selected, folder, settings)

        return BatchingMethod(f"scicot, {precision}", trainer, sizes, schedule.padding)

    sizes = []
    for step in range(schedule.steps):
        items = [schedule[step * schedule.turns + turn] for turn in range(schedule.turns)]
        sizes.append(sum(padded(lengths_of(item)) for item in items))
    yield scicot_method("fp32")
    if training_precision("auto", torch.device("cpu"), 10**9) is torch.bfloat16:
        yield scicot_method("bf16")


def lengths_of(rows: list[dict[str, Any]]) -> Any:
    return np.array([(len(row["input_ids"]), len(row["labels"])) for row in rows])
