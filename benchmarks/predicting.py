"""Prediction beside transformers' `generate` and bare CTranslate2: both stages, questions a second.

flan-t5-small's shape with random weights whose end token never comes, rationales of 64 tokens,
EntailmentBank, all ways in turn, some rounds of them. The reference, transformers' `generate` in
fp32, takes 16 questions at a time as they come, for the answer too. CTranslate2 is bare: its
`translate_batch` and `score_batch` in int8 on sorted inputs.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.training.material import DATA, flan_t5_small, missing
from benchmarks.training.measuring import peak, weights_met
from scicot.stages import Stage
from scicot.students.base import Decoding, Engine, Ids

GOAL = "the default 6 x the reference and no slower than CTranslate2, fp32 1.7 x"
ROUNDS, QUESTIONS, SLOW_QUESTIONS = 3, 500, 48  # of the reference as many, its batches being alike
WRITTEN = 64  # tokens
BATCH = 16

Pass = Callable[[list[Ids], list[Ids]], None]  # inputs of stage 1 and of stage 2
CHOICES = [[[letter, 1] for letter in (71, 272, 205, 309)]]  # A, B, C, D and the end


def more() -> None:
    """Print a table."""
    if missing():
        return
    import torch

    torch.manual_seed(0)
    model = flan_t5_small().eval()
    model.lm_head.weight.data[model.config.eos_token_id] = 0  # never the likeliest
    first, second = inputs()
    with tempfile.TemporaryDirectory() as folder:
        ways = list(all_ways(model, Path(folder)))
        rates: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, work, count in ways:
                start = time.perf_counter()
                work(first[:count], second[:count])
                rates.setdefault(name, []).append(count / (time.perf_counter() - start))
    medians = {name: statistics.median(own) for name, own in rates.items()}
    reference = medians[ways[0][0]]
    read, again = (sum(map(len, one)) / len(one) for one in (first, second))
    print(f"  {read:.0f} tokens read, {WRITTEN} written, {again:.0f} read; medians of {ROUNDS}:")
    for name, rate in medians.items():
        print(f"    {name:28} {rate:6.2f} questions/s  {rate / reference:5.2f} x")
    needed = flops(model, read, again)
    for name, kind in (("torch, fp32", torch.float32), ("torch, bf16", torch.bfloat16)):
        share = medians[name] * needed / peak(kind)
        print(f"    {name}: {share:.0%} of a bare matmul")


def inputs() -> tuple[list[Ids], list[Ids]]:
    """EntailmentBank's training questions for stage 1, and with rationales of 64 tokens for 2."""
    import random

    from transformers import T5Tokenizer

    from scicot import stages
    from scicot.formats import to_question_row
    from scicot.records import Question
    from scicot.students.texts import encode_inputs

    tokenizer = T5Tokenizer.from_pretrained(str(DATA / "t5_tokenizer"))
    rows = [json.loads(line) for line in (DATA / "entailmentbank.train.jsonl").open()]
    questions = [Question.from_row(to_question_row(row)) for row in rows]
    random.Random(0).shuffle(questions)
    questions = questions[:QUESTIONS]
    asked = [stages.rationale_input(question, Stage.RATIONALE) for question in questions]
    first = encode_inputs(asked, tokenizer, 512, Counter())
    dice = random.Random(1)
    written = [[dice.randrange(3, 32_000) for _ in range(WRITTEN)] for _ in questions]
    return first, [own[:-1] + text + own[-1:] for own, text in zip(first, written, strict=True)]


def all_ways(model: Any, folder: Path) -> Sequence[tuple[str, Pass, int]]:
    import torch

    from scicot.students.engines.torch_engine import TorchEngine

    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
    found = [("transformers, fp32", reference(model), SLOW_QUESTIONS)]
    for name, kind in kinds.items():
        engine = TorchEngine(model, kind, batch_size=256)
        found.append((f"torch, {name}", both(engine), QUESTIONS))
    try:
        bare = ctranslate2_of(model, folder)
    except ImportError:
        return found
    return [*found, ("ctranslate2, int8", both(bare), QUESTIONS)]


def both(engine: Engine) -> Pass:
    def work(first: list[Ids], second: list[Ids]) -> None:
        engine.generate(first, [[None]] * len(first), Decoding(WRITTEN))
        engine.score(second, CHOICES * len(second))

    return work


def reference(model: Any) -> Pass:
    import torch

    def generate(rows: list[Ids], most: int) -> None:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            ids = torch.zeros(len(part), max(map(len, part)), dtype=torch.long)
            for place, row in enumerate(part):
                ids[place, : len(row)] = torch.tensor(row)
            mask = (ids != 0).long()
            model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=most, do_sample=False)

    @torch.inference_mode()
    def work(first: list[Ids], second: list[Ids]) -> None:
        generate(first, WRITTEN)
        generate(second, 2)

    return work


def ctranslate2_of(model: Any, folder: Path) -> Engine:
    import ctranslate2  # noqa: F401
    from transformers import T5Tokenizer

    from scicot.students.engines.conversion import convert
    from scicot.students.engines.ctranslate2_engine import CTranslate2Engine

    model.save_pretrained(folder / "model")
    model.name_or_path = str(folder / "model")
    convert(model, T5Tokenizer.from_pretrained(str(DATA / "t5_tokenizer")), folder / "converted")
    return CTranslate2Engine(folder / "converted", 1, kind="int8", batch_tokens=None)


def flops(model: Any, read: float, again: float) -> float:
    """Of a question in both stages: 2 for each weight that a token meets."""
    reading, writing = weights_met(model)
    return float(2 * (reading * (read + again) + writing * (WRITTEN + 1 + len(CHOICES[0]))))
