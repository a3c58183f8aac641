"""Compare training a causal student with trl's SFTTrainer: completion-only loss, identical batches.

    python -m benchmarks.training sft STUDENT     needs trl, and OpenBookQA's rows (SCICOT_DATA)

Both trainers start from the same weights and are given the same rows in the same order. The loss is
the mean over the target tokens of a step. In each of several rounds, both trainers run in turn.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.training.material import DATA
from scicot.config import TrainSettings
from scicot.stages import Stage

ROWS, STEPS, ROUNDS = 16, 6, 3
FILE = "openbookqa_flant5xl.train.jsonl"


class Fixed:
    """The rows of each step, with a schedule's interface."""

    turns = 1

    def __init__(self, steps: list[list[dict[str, Any]]]) -> None:
        self._steps = steps
        self.steps = len(steps)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, item: int) -> list[dict[str, Any]]:
        rows = self._steps[item]
        targets = sum(len(row["labels"]) for row in rows)
        return [{**row, "share": 1 / targets} for row in rows]


def compare(student: str) -> None:
    """Print tokens per second of both, their ratio, and the difference of their losses."""
    rows = _rows(student)
    steps = [rows[n * ROWS : (n + 1) * ROWS] for n in range(STEPS)]
    tokens = sum(len(row["input_ids"]) + len(row["labels"]) for step in steps[1:] for row in step)
    trainers = {"scicot": _train_scicot, "trl": _train_trl}
    rates: dict[str, list[float]] = {name: [] for name in trainers}
    losses: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, train in trainers.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds, losses[name] = train(student, steps, Path(folder))
            rates[name].append(tokens / seconds)
    pairs = [scicot_rate / trl_rate for scicot_rate, trl_rate in zip(*rates.values(), strict=True)]
    loss_gap = max(abs(a - b) for a, b in zip(*losses.values(), strict=True))
    for name, speeds in rates.items():
        print(f"  {name:8} {statistics.median(speeds):8.1f} tokens/s, losses {losses[name]}")
    print(
        f"  scicot / trl: {statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f});"
        f" losses at most {loss_gap:.2g} apart"
    )


def _rows(student: str) -> list[dict[str, Any]]:
    """Return rows of about the same length, so that both trainers pad to the same lengths."""
    from scicot.models.pretrained import load_pretrained
    from scicot.models.prompt_format import make_format
    from scicot.reporting import LogReporter
    from scicot.training.data import Reader
    from scicot.training.examples import encode, examples_of

    settings = TrainSettings(answer_as="text")
    reader = Reader(Stage.ANSWER, settings, {"limit": ROWS * STEPS}, LogReporter())
    lessons = reader.read([str(DATA / FILE)])
    model, tokenizer = load_pretrained(student)
    form = make_format("plain", model, tokenizer)
    examples = [
        example
        for lesson in lessons
        for example in examples_of(lesson, Stage.ANSWER, answer_as="text")
    ]
    rows = encode(examples, form, 512, 256).rows
    return sorted(rows, key=lambda row: len(row["input_ids"]) + len(row["labels"]))


def _train_scicot(student: str, steps: Any, folder: Path) -> tuple[float, list[float]]:
    from scicot.models.pretrained import load_pretrained
    from scicot.training.fitting.trainer import make_trainer

    model, tokenizer = load_pretrained(student)
    settings = TrainSettings(
        learning_rate=1e-4, warmup_steps=1, precision="fp32", device="cpu", max_steps=len(steps)
    )
    schedule: Any = Fixed(steps)
    return _timed(make_trainer(model, tokenizer, schedule, folder, settings))


def _train_trl(student: str, steps: Any, folder: Path) -> tuple[float, list[float]]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found, unused-ignore]

    from scicot.models.pretrained import load_pretrained

    model, tokenizer = load_pretrained(student)
    model.set_attn_implementation("sdpa")
    rows = [
        {
            "input_ids": [*row["input_ids"], *row["labels"]],
            "completion_mask": [0] * len(row["input_ids"]) + [1] * len(row["labels"]),
        }
        for step in steps
        for row in step
    ]
    settings = SFTConfig(
        output_dir=str(folder), max_steps=len(steps), per_device_train_batch_size=ROWS,
        learning_rate=1e-4, warmup_steps=1, adam_beta2=0.98, weight_decay=0.0,
        optim="adamw_torch_fused", train_sampling_strategy="sequential", completion_only_loss=True,
        max_length=None, gradient_checkpointing=False, bf16=False, use_cpu=True, report_to="none",
        save_strategy="no", disable_tqdm=True, logging_steps=1, packing=False,
    )  # fmt: skip
    return _timed(
        SFTTrainer(
            model=model, args=settings, train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
    )  # fmt: skip


def _timed(trainer: Any) -> tuple[float, list[float]]:
    """Return the seconds of all steps but the first, and the loss of each step."""
    from transformers import TrainerCallback

    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            times.append(time.perf_counter())

    trainer.args.logging_steps = trainer.state.logging_steps = 1
    trainer.add_callback(Clock())
    trainer.train()
    losses = [round(row["loss"], 5) for row in trainer.state.log_history if "loss" in row]
    return times[-1] - times[0], losses
