"""Our loop beside transformers' `generate` on a GPU, both in bf16, and what its memory allows.

flan-t5-small's shape, EntailmentBank, 64 tokens written. `generate` takes 64 questions at a time,
sorted by length; ours as many as each line says. The limit is the time in which a GPU reads, for
every step, the decoder's weights and all keys and values so far once, as fast as it copies.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.predicting.material import Inputs, asked, endless, questions
from scicot.students.base import Decoding

WRITTEN, BATCH, ROUNDS = 64, 64, 3
SIZES = (64, 256, 1024, 2048)
GOAL = "10 x the reference"


def measure() -> None:
    """Print a line of JSON for each way, and one for what the device is."""
    import torch

    from scicot.students.engines.torch_engine import TorchEngine

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    times = 8 if device.type == "cuda" else 1  # that ours is asked: or it is done at once
    first = sorted(asked(questions()), key=len)
    model, half = endless().to(device), endless().to(device, torch.bfloat16)
    speed, read = bandwidth(device), sum(map(len, first)) / len(first)
    _tell(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        torch=torch.__version__,
        gigabytes_per_second=round(speed / 1e9),
        questions=len(first),
        source_tokens=round(read, 1),
        goal=GOAL,
    )

    def ours(size: int) -> Callable[[], int]:
        engine = TorchEngine(model, torch.bfloat16, batch_size=size)
        asked = first * times

        def write() -> int:
            engine.generate(asked, [[None]] * len(asked), Decoding(WRITTEN))
            return len(asked) * WRITTEN

        return write

    ways: dict[tuple[str, int], Callable[[], int]] = {
        ("transformers", BATCH): lambda: reference(half, first)
    }
    ways |= {("torch", size): ours(size) for size in SIZES}
    for work in ways.values():
        work()  # compiles, captures
    rates: dict[tuple[str, int], list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            start = time.perf_counter()
            tokens = work()
            rates[way].append(tokens / (time.perf_counter() - start))
    base = statistics.median(rates["transformers", BATCH])
    for (name, size), own in rates.items():
        median = statistics.median(own)
        _tell(
            way=f"{name}, {size} at a time",
            tokens_per_second=round(median),
            each=[round(one) for one in own],
            ratio=round(median / base, 2),
            share_of_bandwidth=round(median / size * step_bytes(model, size, read) / speed, 4),
        )


def reference(model: Any, rows: Inputs) -> int:
    """transformers' `generate`; the tokens it wrote."""
    import torch

    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            ids = torch.zeros(len(part), max(map(len, part)), dtype=torch.long)
            for place, row in enumerate(part):
                ids[place, : len(row)] = torch.tensor(row)
            ids = ids.to(model.device)
            mask = (ids != 0).long()
            made = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=WRITTEN, do_sample=False
            )
            made.tolist()
    return len(rows) * WRITTEN


def bandwidth(device: Any) -> float:
    """Bytes a second that are read and written when a gigabyte is copied."""
    import torch

    size = 2**28 if device.type == "cuda" else 2**24
    source = torch.zeros(size, device=device)
    target = torch.empty_like(source)
    found = []
    for _ in range(5):
        start = time.perf_counter()
        target.copy_(source)
        target[:1].tolist()
        found.append(2 * source.nbytes / (time.perf_counter() - start))
    return max(found)


def step_bytes(model: Any, rows: int, read: float) -> float:
    """That a step of so many rows reads in bf16, behind sources of `read` tokens."""
    config = model.config
    layers = model.get_decoder().block.parameters()
    weights = sum(own.numel() for own in layers) + model.get_output_embeddings().weight.numel()
    each = config.num_decoder_layers * 2 * config.num_heads * config.d_kv
    made: float = 2 * (weights + rows * each * (read + WRITTEN / 2))
    return made


def _tell(**told: Any) -> None:
    print(json.dumps(told), flush=True)
