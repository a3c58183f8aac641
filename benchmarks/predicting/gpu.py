"""Compare the native engine with transformers' `generate` on a GPU, both in bf16, and with the
limit set by memory bandwidth.

The model has flan-t5-small's shape, the questions are EntailmentBank's, and each text has 64
tokens. Each printed line is for one engine and one batch size, with inputs sorted by length. Its
ratio is to `generate` with a batch size of 64. The limit is the time that a GPU takes to read the
decoder's weights and the whole KV cache once per step, at the speed at which it copies.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.predicting.material import Inputs, encoded, endless, questions
from scicot.decoding.engine import Decoding

WRITTEN, ROUNDS = 64, 3
REFERENCE = ("transformers", 64)
SIZES = {"transformers": (64, 256), "torch": (64, 256, 1024, 2048)}
GOAL = "10 x the reference"

Way = tuple[str, int]


def measure() -> None:
    """Print a line of JSON for each engine and batch size, and one that describes the device."""
    import torch

    from scicot.decoding.native_engine import NativeEngine

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # several times the sequences for our engine, since one batch takes too little time
    times = 8 if device.type == "cuda" else 1
    inputs = sorted(encoded(questions()), key=len)
    model, bf16_model = endless().to(device), endless().to(device, torch.bfloat16)
    speed, mean_length = bandwidth(device), sum(map(len, inputs)) / len(inputs)
    _print_figures(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        torch=torch.__version__,
        gigabytes_per_second=round(speed / 1e9),
        questions=len(inputs),
        source_tokens=round(mean_length, 1),
        goal=GOAL,
    )

    def scicot_work(size: int) -> Callable[[], int]:
        engine = NativeEngine(model, torch.bfloat16, batch_size=size)
        many = inputs * times

        def write() -> int:
            engine.generate(many, [[None]] * len(many), Decoding(WRITTEN))
            return len(many) * WRITTEN

        return write

    engines: dict[Way, Callable[[], int]] = {
        ("transformers", size): partial(reference, bf16_model, inputs, size)
        for size in SIZES["transformers"]
    }
    engines |= {("torch", size): scicot_work(size) for size in SIZES["torch"]}
    for work in engines.values():
        work()  # warm-up: compiles kernels and captures graphs
    rates: dict[Way, list[float]] = {engine_and_size: [] for engine_and_size in engines}
    for _ in range(ROUNDS):
        for engine_and_size, work in engines.items():
            start = time.perf_counter()
            tokens = work()
            rates[engine_and_size].append(tokens / (time.perf_counter() - start))
    base = statistics.median(rates[REFERENCE])
    for (name, size), speeds in rates.items():
        median = statistics.median(speeds)
        _print_figures(
            way=f"{name}, {size} at a time",
            tokens_per_second=round(median),
            each=[round(rate) for rate in speeds],
            ratio=round(median / base, 2),
            share_of_bandwidth=round(
                median / size * step_bytes(model, size, mean_length) / speed, 4
            ),
        )


def reference(model: Any, rows: Inputs, size: int) -> int:
    """Generate with transformers' `generate`; return the number of tokens generated."""
    import torch

    with torch.inference_mode():
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            ids = torch.zeros(len(part), max(map(len, part)), dtype=torch.long)
            for index, row in enumerate(part):
                ids[index, : len(row)] = torch.tensor(row)
            ids = ids.to(model.device)
            mask = (ids != 0).long()
            output = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=WRITTEN, do_sample=False
            )
            output.tolist()
    return len(rows) * WRITTEN


def bandwidth(device: Any) -> float:
    """Measure the bytes per second read and written when a gigabyte is copied."""
    import torch

    size = 2**28 if device.type == "cuda" else 2**24
    source = torch.zeros(size, device=device)
    target = torch.empty_like(source)
    speeds = []
    for _ in range(5):
        start = time.perf_counter()
        target.copy_(source)
        target[:1].tolist()
        speeds.append(2 * source.nbytes / (time.perf_counter() - start))
    return max(speeds)


def step_bytes(model: Any, rows: int, source_tokens: float) -> float:
    """Return the bytes that a decoding step of `rows` rows reads in bf16, with sources of
    `source_tokens` tokens."""
    config = model.config
    layers = model.get_decoder().block.named_parameters()
    # cross-attention weights are read once per source, not at every step
    read_once = ("EncDecAttention.k.weight", "EncDecAttention.v.weight")
    read_each_step = [parameter for name, parameter in layers if not name.endswith(read_once)]
    weights = (
        sum(parameter.numel() for parameter in read_each_step)
        + model.get_output_embeddings().weight.numel()
    )
    cache_per_token = config.num_decoder_layers * 2 * config.num_heads * config.d_kv
    total: float = 2 * (weights + rows * cache_per_token * (source_tokens + WRITTEN / 2))
    return total


def _print_figures(**figures: Any) -> None:
    print(json.dumps(figures), flush=True)
