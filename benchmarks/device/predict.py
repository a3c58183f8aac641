"""Measure tokens per second of prediction, compared with transformers' `generate`."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.device.figures import MODELS, SMOKE, Figures, device, peak, random_ids, settle

SOURCE, WRITTEN = (16, 8) if SMOKE else (96, 64)  # tokens of a source, and tokens to generate
SIZES = (4,) if SMOKE else (256, 1024)  # batch sizes in sequences
REFERENCE = 4 if SMOKE else 64


def measure(figures: Figures) -> bool:
    """Measure both families in bf16: generating texts, and scoring four choices of four tokens."""
    import torch

    from scicot.decoding.engine import Decoding

    bf16 = peak(torch.bfloat16)
    figures.add(peak_bf16_tflops=round(bf16 / 1e12, 2), source_tokens=SOURCE, tokens=WRITTEN)
    for name, build in MODELS.items():
        torch.manual_seed(0)
        model = build().eval().to(device())
        weights = sum(parameter.numel() for parameter in model.parameters())
        result: dict[str, Any] = {"weights": weights, "generate": _reference(model)}
        figures.add(**{name: result})
        for size in SIZES:
            engine: Any = _engine(model, size)
            rows = random_ids(size, SOURCE, model.config.vocab_size)
            draws = [[None]] * size
            # warm-up: compiles kernels and captures graphs
            engine.generate(rows, draws, Decoding(WRITTEN))
            start = time.perf_counter()
            texts = engine.generate(rows, draws, Decoding(WRITTEN))
            seconds = time.perf_counter() - start
            tokens = sum(len(text) for (text,) in texts)
            targets = [[row[n : n + 4] for n in range(4)] for row in rows]
            engine.score(rows, targets)
            start = time.perf_counter()
            engine.score(rows, targets)
            settle()
            scored = size * (SOURCE + 16) / (time.perf_counter() - start)
            result[f"scicot, {size} at a time"] = {
                "engine": type(engine).__name__,
                "tokens_per_second": round(tokens / seconds),
                "scored_tokens_per_second": round(scored),
                "share_of_peak": round(2 * weights * tokens / seconds / bf16, 4),
            }
            figures.add(**{name: result})
            del engine
        del model
    return True


def _engine(model: Any, size: int) -> Any:
    """Make the engine that `predict` chooses for the model, in bf16 on a GPU."""
    import copy

    import torch

    from scicot.decoding.engine_spec import EngineRequest, candidate_engines

    (spec, *_) = candidate_engines(model.config.to_dict(), 10**9, EngineRequest(samples=True))
    dtype = torch.bfloat16 if device().type == "cuda" else torch.float32
    if spec.engine == "torch":
        from scicot.decoding.native_engine import NativeEngine

        return NativeEngine(model, dtype, batch_size=size)
    from scicot.decoding.transformers_engine import TransformersEngine
    from scicot.models.mixed_precision import to_mixed_bf16

    converted = to_mixed_bf16(copy.deepcopy(model)) if dtype is torch.bfloat16 else model
    return TransformersEngine(converted, batch_size=size, batch_tokens=2**20)


def _reference(model: Any) -> dict[str, Any]:
    """Measure transformers' own `generate`, all in bf16."""
    import copy

    import torch

    bf16_model = copy.deepcopy(model).to(torch.bfloat16) if device().type == "cuda" else model
    rows = torch.tensor(random_ids(REFERENCE, SOURCE, model.config.vocab_size), device=device())
    options: dict[str, Any] = {
        "max_new_tokens": WRITTEN, "min_new_tokens": WRITTEN, "do_sample": False,
        "disable_compile": True, "pad_token_id": 0,
    }  # fmt: skip
    with torch.inference_mode():
        bf16_model.generate(rows, attention_mask=torch.ones_like(rows), **options)
        settle()
        start = time.perf_counter()
        bf16_model.generate(rows, attention_mask=torch.ones_like(rows), **options)
        settle()
    rate = REFERENCE * WRITTEN / (time.perf_counter() - start)
    return {"at_a_time": REFERENCE, "tokens_per_second": round(rate)}
