"""Compare the native engine with transformers for a causal model: rationales, then text answers.

The reference is transformers in fp32. It generates rationales with `generate`, 16 questions at a
time in file order. It scores choices 16 at a time: each choice is a row of the batch, after its
question. The reference runs on a subset of the questions, which is enough because its batches take
about equally long. "The default" is the engine that `--engine auto` chooses on this machine.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.predicting.material import Inputs, questions, with_rationales
from benchmarks.predicting.ways import BATCH
from scicot import stages
from scicot.decoding.engine import Decoding, Ids
from scicot.stages import Stage

GOAL = "writing: fp32 2 x the reference, the default 5 x; scoring: fp32 2 x"
QUESTIONS, SLOW_QUESTIONS, ROUNDS, WRITTEN = 256, 32, 3, 64

Targets = list[list[Ids]]
Work = Callable[[], int]  # returns the number of questions processed


def measure(directory: Path) -> None:
    """Print questions per second of each engine and stage, and their ratios to the reference."""
    writing, scoring = functions_to_time(directory)
    print(f"  {directory.name}: {GOAL}")
    for task, engines in (("writing", writing), ("scoring", scoring)):
        rates: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, work in engines.items():
                start = time.perf_counter()
                done = work()
                rates.setdefault(name, []).append(done / (time.perf_counter() - start))
        for name, speeds in rates.items():
            ratios = [
                rate / reference
                for rate, reference in zip(speeds, rates["transformers"], strict=True)
            ]
            speeds_text = ", ".join(f"{rate:.2f}" for rate in speeds)
            print(
                f"    {task}, {name:22} {statistics.median(speeds):7.2f} questions/s "
                f" {statistics.median(ratios):5.2f} x  ({speeds_text})",
                flush=True,
            )


def functions_to_time(directory: Path) -> tuple[dict[str, Work], dict[str, Work]]:
    """Return the functions to time, by engine, in two dicts: for generating rationales, and for
    scoring the choices given these rationales."""
    import torch

    from scicot.decoding.engine_spec import EngineRequest
    from scicot.decoding.native_engine import NativeEngine
    from scicot.models.pretrained import load_pretrained
    from scicot.models.prompt_format import make_format
    from scicot.models.truncation import encode_inputs
    from scicot.students.loading import choose_engine

    model, tokenizer = load_pretrained(str(directory))
    model = model.eval()
    form = make_format("auto", model, tokenizer)
    question_rows = questions(QUESTIONS)
    inputs = [stages.rationale_input(question, Stage.RATIONALE) for question in question_rows]
    rationale_inputs = encode_inputs(inputs, form, 512, Counter())
    answers = [
        form.targets([choice.text for choice in question.choices], "answer")
        for question in question_rows
    ]
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
    engines = {"torch in fp32": NativeEngine(model, torch.float32, batch_size=256)}
    for writes in (True, False):
        spec, _ = choose_engine(directory, EngineRequest(device="cpu"), writes=writes)
        print(f"  the default to {'write' if writes else 'score'} here: {spec}", flush=True)
        if str(spec) not in engines:
            engines[str(spec)] = NativeEngine(model, dtypes[spec.precision], batch_size=256)
    greedy: list[list[int | None]] = [[None]] * len(rationale_inputs)
    texts = engines["torch in fp32"].generate(rationale_inputs, greedy, Decoding(WRITTEN))
    answer_inputs = with_rationales(rationale_inputs, [text for (text,) in texts])

    def write(engine: NativeEngine) -> Work:
        return lambda: len(engine.generate(rationale_inputs, greedy, Decoding(WRITTEN)))

    def score(engine: NativeEngine) -> Work:
        return lambda: len(engine.score(answer_inputs, answers))

    subset = slice(None, None, max(1, len(rationale_inputs) // SLOW_QUESTIONS))
    writing: dict[str, Work] = {"transformers": lambda: generate(model, rationale_inputs[subset])}
    scoring: dict[str, Work] = {
        "transformers": lambda: one_row_a_choice(model, answer_inputs[subset], answers[subset])
    }
    writing |= {name: write(engine) for name, engine in engines.items()}
    scoring |= {name: score(engine) for name, engine in engines.items()}
    return writing, scoring


def generate(model: Any, rows: Inputs) -> int:
    """Generate with transformers' `generate`; return the number of rows."""
    import torch

    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            ids, mask = _padded(rows[start : start + BATCH], left=True)
            model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=WRITTEN, do_sample=False,
                pad_token_id=0,
            )  # fmt: skip
    return len(rows)


def one_row_a_choice(model: Any, sources: Inputs, targets: Targets) -> int:
    """Compute log p of each target given its source; return the number of sources. A row of the
    batch is a source followed by one of its targets."""
    import torch

    pairs = [
        (source, target)
        for source, source_targets in zip(sources, targets, strict=True)
        for target in source_targets
    ]
    with torch.inference_mode():
        for start in range(0, len(pairs), BATCH):
            part = pairs[start : start + BATCH]
            ids, mask = _padded([source + target for source, target in part], left=False)
            logits = model(input_ids=ids, attention_mask=mask).logits
            for row, (source, target) in zip(logits, part, strict=True):
                log_p = row[len(source) - 1 : len(source) + len(target) - 1].log_softmax(-1)
                log_p.gather(1, torch.tensor(target)[:, None]).tolist()
    return len(sources)


def _padded(rows: Sequence[Ids], *, left: bool) -> tuple[Any, Any]:
    import torch

    width = max(map(len, rows))
    ids, mask = (torch.zeros(len(rows), width, dtype=torch.long) for _ in range(2))
    for index, row in enumerate(rows):
        span = slice(width - len(row), width) if left else slice(len(row))
        ids[index, span], mask[index, span] = torch.tensor(row), 1
    return ids, mask
