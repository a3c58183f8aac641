"""Training at the speed of the hardware: scicot beside three other ways to feed the same Trainer.

flan-t5-small's shape with random weights, EntailmentBank, both stages, one run: (a) every row
padded to 512 tokens of input and 512 (stage 2: 64) of target, as mm-cot has it; (b) batches padded
to their longest row, not grouped, as distilling-step-by-step has it; (c) a bare Seq2SeqTrainer with
its own grouping by length; and scicot, in fp32 like these and as it is by default. All compute
batches of their own order in turn, rounds of them, and are told in tokens that are no padding, over
tokens a row: so whose batches were drawn long gains nothing. `python -m benchmarks.training loss`
trains scratch:small in three of these ways instead, and prints the loss of questions held out.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scicot.config import TrainSettings
from scicot.stages import Stage

GOAL = "stage 1 (stage 2): 3 (2.5) x (a), 1.6 x (b), 1.1 x (c)"
DATA = Path(os.environ.get("SCICOT_DATA", Path(__file__).parents[2] / "shared" / "data"))
ROWS, ROUNDS, STEPS = 32, 3, 2  # rows a step; steps a round, of which the first is not counted
FIXED = {Stage.RATIONALE: (512, 512), Stage.ANSWER: (512, 64)}  # tokens, as mm-cot pads
FIXED_ROWS = 4  # at a time: as fast a row as with more


@dataclass
class Way:
    """One way of training: steps to time, and how its rows come to batches."""

    name: str
    steps: Callable[[np.random.Generator], Any]  # -> the Trainer of a round
    padding: float
    rates: list[float]


def more() -> None:
    """Print a table for each stage."""
    if not (DATA / "entailmentbank.train.jsonl").exists():
        print(f"  skipped: no EntailmentBank in {DATA} (SCICOT_DATA names another folder)")
        return
    import torch

    peaks = {kind: peak(kind) for kind in (torch.float32, torch.bfloat16)}
    for stage in (Stage.RATIONALE, Stage.ANSWER):
        with tempfile.TemporaryDirectory() as folder:
            table(stage, Path(folder), peaks)


def table(stage: Stage, folder: Path, peaks: dict[Any, float]) -> None:
    import torch

    model, tokenizer, schedule = prepared(stage)
    lengths = schedule.lengths
    mean = lengths.sum() / len(lengths)
    ways = list(all_ways(stage, model, tokenizer, schedule, folder))
    dice = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for way in ways:
            way.rates.append(timed(way.steps(dice)) / mean)
    print(
        f"  {stage} student, {len(lengths)} rows of {mean:.0f} tokens; rows/s, medians of {ROUNDS}:"
    )
    rates = {way.name: statistics.median(way.rates) for way in ways}
    for way in ways:
        ratios = ", ".join(
            f"{rates[way.name] / rates[other]:.2f} x {other[:3]}"
            for other in rates
            if way.name.startswith("scicot") and other.startswith("(")
        )
        print(f"    {way.name:34} {rates[way.name]:6.2f}  padding {way.padding:4.0%}  {ratios}")
    for name, kind in (("scicot, fp32", torch.float32), ("scicot, bf16", torch.bfloat16)):
        if name in rates:
            share = rates[name] * flops(model, lengths) / peaks[kind]
            print(
                f"    {name}: {share:.0%} of the {peaks[kind] / 1e9:.0f} GFLOP/s of a bare matmul"
            )


def prepared(stage: Stage) -> tuple[Any, Any, Any]:
    """flan-t5-small's shape, T5's tokenizer, and the schedule of EntailmentBank's training rows."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration, T5Tokenizer

    from scicot.reporting import LogReporter
    from scicot.training.plan.schedule import Schedule
    from scicot.training.rows import Reader

    torch.manual_seed(0)
    config = T5Config(  # type: ignore[call-arg]
        vocab_size=32128, d_model=512, d_kv=64, d_ff=1024, num_layers=8, num_heads=6,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False, decoder_start_token_id=0,
    )  # fmt: skip
    tokenizer = T5Tokenizer.from_pretrained(str(DATA / "t5_tokenizer"))
    settings = TrainSettings(epochs=1, batch_size=ROWS, max_target_tokens=256)
    lessons = Reader(stage, settings, {}, LogReporter()).read(
        [str(DATA / "entailmentbank.train.jsonl")]
    )
    schedule = Schedule(lessons, stage, tokenizer, settings)
    return T5ForConditionalGeneration(config), tokenizer, schedule


def all_ways(
    stage: Stage, model: Any, tokenizer: Any, schedule: Any, folder: Path
) -> Iterator[Way]:
    import torch

    from scicot.devices import training_precision
    from scicot.training.fitting.trainer import make_trainer

    lengths = schedule.lengths
    rows = schedule.rows(range(len(lengths)))

    def bare(batches: list[Any], collate: Any) -> Callable[[np.random.Generator], Any]:
        def steps(dice: np.random.Generator) -> Any:
            chosen = [batches[n] for n in dice.choice(len(batches), STEPS, replace=False)]
            picked = [rows[place] for batch in chosen for place in batch]
            # Accelerate changes the model that it is given: each Trainer has one of its own.
            return bare_trainer(deepcopy(model), tokenizer, picked, len(chosen[0]), collate, folder)

        return steps

    fixed, longest = FIXED[stage], Padder(model)
    in_turn = np.random.default_rng(0).permutation(len(lengths))
    fours = np.array_split(in_turn, len(lengths) // FIXED_ROWS)
    full = [batch[:FIXED_ROWS] for batch in fours]
    yield Way("(a) padded to the maximum", bare(full, Padder(model, fixed)),
              1 - float(lengths.sum()) / len(lengths) / sum(fixed), [])  # fmt: skip
    random = whole_batches(in_turn)
    yield Way("(b) padded to the longest", bare(random, longest), padding(random, lengths), [])
    grouped = whole_batches(grouped_by_trainer(lengths))
    yield Way("(c) Trainer's own groups", bare(grouped, longest), padding(grouped, lengths), [])

    def ours(precision: str) -> Callable[[np.random.Generator], Any]:
        def steps(dice: np.random.Generator) -> Any:
            settings = TrainSettings(batch_size=ROWS, precision=precision)  # type: ignore[arg-type]
            some = Some(schedule, dice.choice(schedule.steps, STEPS, replace=False))
            return make_trainer(deepcopy(model), tokenizer, some, folder, settings)  # type: ignore[arg-type]

        return steps

    yield Way("scicot, fp32", ours("fp32"), schedule.padding, [])
    if training_precision("auto", torch.device("cpu"), 10**9) is torch.bfloat16:
        yield Way("scicot, bf16", ours("bf16"), schedule.padding, [])


class Some:
    """Some steps of a schedule, in the order given."""

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


class Padder:
    """Collates rows for a bare Trainer: to their longest, or all to the same lengths."""

    def __init__(self, model: Any, fixed: tuple[int, int] | None = None) -> None:
        self._model = model
        self._fixed = fixed

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        lengths = self._fixed or [max(len(row[k]) for row in rows) for k in ("input_ids", "labels")]
        batch = torch.zeros((len(rows), lengths[0]), dtype=torch.long)
        labels = torch.full((len(rows), lengths[1]), -100)
        for place, row in enumerate(rows):
            source, target = row["input_ids"][: lengths[0]], row["labels"][: lengths[1]]
            batch[place, : len(source)] = torch.tensor(source)
            labels[place, : len(target)] = torch.tensor(target)
        return {"input_ids": batch, "attention_mask": (batch != 0).long(), "labels": labels}


def bare_trainer(
    model: Any, tokenizer: Any, rows: list[Any], size: int, collate: Any, folder: Path, **more: Any
) -> Any:
    from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments
    from transformers.trainer_callback import PrinterCallback

    model.set_attn_implementation("sdpa")  # as it comes
    arguments = Seq2SeqTrainingArguments(
        **{
            "output_dir": str(folder), "max_steps": len(rows) // size, "use_cpu": True,
            "per_device_train_batch_size": size, "train_sampling_strategy": "sequential",
            "remove_unused_columns": False, "save_strategy": "no", "report_to": "none",
            "disable_tqdm": True, "adam_beta2": 0.98, "learning_rate": 3e-4,
            **more,
        }
    )  # fmt: skip
    trainer = Seq2SeqTrainer(
        model=model, args=arguments, train_dataset=rows, data_collator=collate,
        processing_class=tokenizer,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def timed(trainer: Any) -> float:
    """Tokens a second that are no padding, over all steps but the first."""
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
    gc.collect()  # a Trainer and its optimizer hold one another
    return rate


def whole_batches(order: Any) -> list[Any]:
    return [order[start : start + ROWS] for start in range(0, len(order) - ROWS + 1, ROWS)]


def grouped_by_trainer(lengths: Any) -> Any:
    from transformers.trainer_pt_utils import LengthGroupedSampler

    return np.array(list(LengthGroupedSampler(ROWS, lengths=lengths.sum(axis=1).tolist())))


def padding(batches: list[Any], lengths: Any) -> float:
    from scicot.training.plan.batching import padded

    real = sum(lengths[batch].sum() for batch in batches)
    return 1 - float(real) / sum(padded(lengths[batch]) for batch in batches)


def flops(model: Any, lengths: Any) -> float:
    """Of a row, forward and backward: 6 for each weight that a token meets (Kaplan et al. 2020,
    table 1), attention's own products not counted."""

    def of(part: Any) -> int:
        return sum(one.numel() for name, one in part.named_parameters() if "embed" not in name)

    source, target = lengths.mean(axis=0)
    crossed = sum(
        one.numel()
        for name, one in model.decoder.named_parameters()
        if "EncDecAttention.k" in name or "EncDecAttention.v" in name
    )  # meet the input's tokens
    written = of(model.decoder) - crossed + model.lm_head.weight.numel()
    return float(6 * (source * (of(model.encoder) + crossed) + target * written))


def peak(kind: Any) -> float:
    """FLOP/s of a large matrix product."""
    import torch

    size = 2048
    one, other = torch.randn(size, size, dtype=kind), torch.randn(size, size, dtype=kind)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        one @ other
        times.append(time.perf_counter() - start)
    return float(2 * size**3 / statistics.median(times[2:]))


def compare_losses() -> None:
    """Print the dev loss of scratch:small after the same rows in three ways, for three seeds."""
    from transformers import set_seed

    from scicot.reporting import LogReporter
    from scicot.training.dev import Dev
    from scicot.training.fitting.trainer import make_trainer
    from scicot.training.plan.schedule import Schedule
    from scicot.training.rows import Reader
    from scicot.training.scratch import build_scratch

    settings = TrainSettings(epochs=6, batch_size=ROWS, learning_rate=1e-3, device="cpu")
    stage, dev_file = Stage.RATIONALE, str(DATA / "entailmentbank.dev.jsonl")
    reader = Reader(stage, settings, {}, LogReporter())
    lessons = reader.read([str(DATA / "entailmentbank.train.jsonl")])
    dev = Dev(reader.read([dev_file])[:100], stage, settings)
    found: dict[str, list[float]] = {}
    for seed in range(3):
        own = replace(settings, seed=seed)
        for way in ("in turn", "Trainer's own groups", "scicot, fp32", "scicot, bf16"):
            set_seed(seed)
            texts = [lesson.question.question + " " + lesson.rationale for lesson in lessons]
            model, tokenizer = build_scratch("scratch:small", texts)
            schedule = Schedule(lessons, stage, tokenizer, own)
            lengths = schedule.lengths
            with tempfile.TemporaryDirectory() as folder:
                if way.startswith("scicot"):
                    half: Any = way.removeprefix("scicot, ")
                    trainer: Any = make_trainer(
                        model, tokenizer, schedule, Path(folder), replace(own, precision=half)
                    )
                else:
                    dice = np.random.default_rng(seed)
                    orders = [
                        grouped_by_trainer(lengths)
                        if way.startswith("Trainer")
                        else dice.permutation(len(lengths))
                        for _ in range(int(settings.epochs))
                    ]
                    order = np.concatenate(orders)[: schedule.steps * ROWS]
                    rows = schedule.rows(range(len(lengths)))
                    trainer = bare_trainer(
                        model, tokenizer, [rows[place] for place in order], ROWS, Padder(model),
                        Path(folder), learning_rate=1e-3, warmup_steps=100, seed=seed,
                    )  # fmt: skip
                trainer.train()
            found.setdefault(way, []).append(dev.measure(model, tokenizer)["dev_loss"])
    for way, losses in found.items():
        spread = ", ".join(f"{loss:.3f}" for loss in losses)
        print(f"  {way:22} dev loss {statistics.mean(losses):.3f} nats a token ({spread})")


if __name__ == "__main__":
    compare_losses() if sys.argv[1:] == ["loss"] else more()
