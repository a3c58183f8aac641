"""The engines that are compared: transformers', ours, and plain CTranslate2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.predicting.material import CHOICES, Inputs
from scicot.decoding.engine import Decoding, Engine
from scicot.decoding.engine_spec import EngineRequest, EngineSpec

BATCH = 16  # batch size of the reference

Pass = Callable[[Inputs, Inputs], None]  # processes the inputs of stage 1, then those of stage 2
REFERENCE, BARE = "transformers, fp32", "ctranslate2, int8"


def all_engines(model: Any, tokenizer: Any, folder: Path, max_tokens: int) -> dict[str, Pass]:
    """Return the engines by name; each generates at most `max_tokens` tokens, then scores four
    choices."""
    import torch

    from scicot.decoding.native_engine import NativeEngine

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
    engines = {REFERENCE: reference(model, max_tokens)}
    for name, dtype in dtypes.items():
        engines[f"torch, {name}"] = both_stages(
            NativeEngine(model, dtype, batch_size=256), max_tokens
        )
    try:
        ctranslate2 = ctranslate2_of(model, tokenizer, folder)
    except ImportError:
        return engines
    return {**engines, BARE: both_stages(ctranslate2, max_tokens)}


def default(model: Any, tokenizer: Any, folder: Path) -> tuple[EngineSpec, EngineSpec]:
    """Return the engines that `--engine auto` chooses on this machine to generate and to score."""
    from scicot.students.loading import choose_engine

    run = folder / "default"
    model.save_pretrained(run)
    tokenizer.save_pretrained(str(run))
    writes, scores = (
        choose_engine(run, EngineRequest(), writes=writes)[0] for writes in (True, False)
    )
    return writes, scores


def both_stages(engine: Engine, max_tokens: int) -> Pass:
    def work(rationale_inputs: Inputs, answer_inputs: Inputs) -> None:
        engine.generate(rationale_inputs, [[None]] * len(rationale_inputs), Decoding(max_tokens))
        engine.score(answer_inputs, CHOICES * len(answer_inputs))

    return work


def reference(model: Any, max_tokens: int) -> Pass:
    """Make the reference: transformers' `generate`, 16 questions at a time in file order, in both
    stages."""
    import torch

    def generate(rows: Sequence[list[int]], count: int) -> None:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            ids = torch.zeros(len(part), max(map(len, part)), dtype=torch.long)
            for index, row in enumerate(part):
                ids[index, : len(row)] = torch.tensor(row)
            mask = (ids != 0).long()
            model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=count, do_sample=False
            )

    @torch.inference_mode()
    def work(rationale_inputs: Inputs, answer_inputs: Inputs) -> None:
        generate(rationale_inputs, max_tokens)
        generate(answer_inputs, 2)

    return work


def ctranslate2_of(model: Any, tokenizer: Any, folder: Path) -> Engine:
    """Make plain CTranslate2: `translate_batch` and `score_batch` in int8 on sorted inputs."""
    import ctranslate2  # noqa: F401

    from scicot.decoding.conversion import convert
    from scicot.decoding.ctranslate2_engine import CTranslate2Engine

    model.save_pretrained(folder / "model")
    model.name_or_path = str(folder / "model")
    convert(model, tokenizer, folder / "converted")
    return CTranslate2Engine(folder / "converted", 1, precision="int8", batch_tokens=None)
