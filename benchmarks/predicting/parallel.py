"""Tokens per second by the number of texts generated at once, as llama-batched-bench measures them.

    python -m benchmarks.predicting parallel MODEL

MODEL is the directory of a causal model. Each text has 64 random prompt tokens and 48 generated
ones; no token ends a text. Compare with llama.cpp's
`llama-batched-bench -m FILE.gguf -c 16384 -npp 64 -ntg 48 -npl 1,16,64`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

PROMPT, NEW, SIZES = 64, 48, (1, 16, 64)


def measure(folder: Path) -> None:
    """Print the generated tokens per second, prompts included in the time, in bf16 and fp32."""
    import torch
    from transformers import AutoModelForCausalLM

    from scicot.decoding.engine import Decoding
    from scicot.decoding.native_engine import NativeEngine

    for dtype in (torch.bfloat16, torch.float32):
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        model.generation_config.eos_token_id = model.config.eos_token_id = None
        engine = NativeEngine(model, dtype, batch_size=max(SIZES))
        generator = torch.Generator().manual_seed(0)
        shape = (max(SIZES), PROMPT)
        highest = model.get_input_embeddings().num_embeddings
        prompts = torch.randint(10, highest, shape, generator=generator).tolist()
        engine.generate(prompts[:1], [[None]], Decoding(4))  # warm-up
        for size in SIZES:
            start = time.perf_counter()
            engine.generate(prompts[:size], [[None]] * size, Decoding(NEW))
            seconds = time.perf_counter() - start
            print(f"{dtype}, {size} at once: {size * NEW / seconds:.1f} tokens/s")
