"""Profile a decoding step by section with CUDA events, and time whole steps and the prefill.

The profiled step runs without a CUDA graph. Before it, a kernel keeps the GPU busy until the host
has launched the whole step. So the events measure the GPU's work and not the launching. Without a
GPU the host's clock is used, which only tests the script.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from benchmarks.device.figures import MODELS, SMOKE, Figures, device, random_ids, settle
from benchmarks.device.predict import SOURCE, WRITTEN

ROWS = 4 if SMOKE else 2048  # batch size in sequences
STEPS = 2 if SMOKE else 10
_WAIT = 100_000_000  # cycles for which the GPU is kept busy: about 50 ms

Mark = Any  # a torch.cuda.Event, or seconds


class Sections:
    """Milliseconds of wrapped calls, by section."""

    def __init__(self) -> None:
        self._pairs: dict[str, list[tuple[Mark, Mark]]] = {}

    def wrap(self, owner: Any, name: str, section: str) -> None:
        """Replace the method `name` of `owner` by one whose calls are timed as part of
        `section`."""
        method = getattr(owner, name)

        def timed(*arguments: Any) -> Any:
            return self.timed(section, lambda: method(*arguments))

        setattr(owner, name, timed)

    def timed(self, section: str, work: Callable[[], Any]) -> Any:
        start = _mark()
        result = work()
        self._pairs.setdefault(section, []).append((start, _mark()))
        return result

    def milliseconds(self, count: int) -> dict[str, float]:
        """Return the total milliseconds of each section divided by `count`, and reset them."""
        settle()
        sums = {
            name: sum(_between(*pair) for pair in pairs) / count
            for name, pairs in self._pairs.items()
        }
        self._pairs.clear()
        return {name: round(total, 3) for name, total in sums.items()}


def measure(figures: Figures) -> bool:
    """Profile the step that writes the last token of every sequence, for both families, in bf16 on
    a GPU."""
    import torch

    figures.add(sequences=ROWS, source_tokens=SOURCE, tokens=WRITTEN)
    for name, build in MODELS.items():
        torch.manual_seed(0)
        model = build().eval().to(device())
        figures.add(**{name: _profile(model)})
        del model
    return True


def _profile(model: Any) -> dict[str, Any]:
    import torch

    from scicot.decoding import native_engine
    from scicot.decoding.engine import Decoding

    dtype = torch.bfloat16 if device().type == "cuda" else torch.float32
    rows = random_ids(ROWS, SOURCE, model.config.vocab_size)
    in_slots = native_engine._IN_SLOTS
    native_engine._IN_SLOTS = ("cuda", "cpu")  # type: ignore[assignment]
    try:
        engine = native_engine.NativeEngine(model, dtype, batch_size=ROWS)
    finally:
        native_engine._IN_SLOTS = in_slots
    greedy: list[list[int | None]] = [[None]] * ROWS
    engine.generate(rows, greedy, Decoding(WRITTEN))  # warm-up: captures the graphs
    start = time.perf_counter()
    engine.generate(rows, greedy, Decoding(WRITTEN))
    seconds = time.perf_counter() - start
    with torch.inference_mode():
        sections = _sections(engine, rows)
    return {**sections, "generate_ms_per_step": round(1000 * seconds / WRITTEN, 3)}


def _sections(engine: Any, rows: list[list[int]]) -> dict[str, Any]:
    from scicot.decoding.batch_limits import Completion
    from scicot.decoding.continuous_batching import make_sampler
    from scicot.decoding.slots import Graphs, Step

    model, writer, sections = engine._model, engine._writer, Sections()
    prompts = [model.prompt(row) for row in rows]
    waiting = deque(Completion(index, None) for index in range(len(rows)))
    slots, count = writer._slots_for(len(prompts[0].prefix), len(rows), WRITTEN)
    slot_texts: list[Completion | None] = [None] * count
    sections.timed("prefill", lambda: writer._fill(slots, slot_texts, waiting, prompts))
    prefill = sections.milliseconds(1)["prefill"]
    sampler = make_sampler(model.decoder.output, None)
    step = Step(slots, model.decoder, sampler, model.ends, (count, slots.width, slots.max_tokens))

    slots.steps.fill_(WRITTEN - 1)
    graph = Graphs(device()).of(step)
    for _ in range(5):
        graph()
    for _ in range(STEPS):
        slots.steps.fill_(WRITTEN - 1)
        sections.timed("step as a graph", graph)
    graph_ms = sections.milliseconds(STEPS)["step as a graph"]

    sections.wrap(step, "self_attention", "attention to the text")
    sections.wrap(step, "cross_attention", "attention to the source")
    sections.wrap(step, "joint_attention", "attention")
    sections.wrap(model.decoder.output, "likeliest", "output layer and choice of tokens")
    for layer in model.decoder._layers:
        sections.wrap(layer, "_feed", "feed-forward")
    for _ in range(STEPS):
        slots.steps.fill_(WRITTEN - 1)
        _keep_waiting()
        sections.timed("all", step)
    parts = sections.milliseconds(STEPS)
    step_ms = parts.pop("all")
    parts["projections, norms and the rest"] = round(step_ms - sum(parts.values()), 3)
    return {
        "prefill_ms": prefill,
        "step_ms": step_ms,
        "step_as_a_graph_ms": graph_ms,
        "sections_ms": parts,
    }


def _mark() -> Mark:
    import torch

    if device().type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def _between(start: Mark, end: Mark) -> float:
    """Return the milliseconds between two marks."""
    if isinstance(start, float):
        return 1000 * (float(end) - start)
    return float(start.elapsed_time(end))


def _keep_waiting() -> None:
    import torch

    if device().type == "cuda":
        torch.cuda._sleep(_WAIT)  # type: ignore[no-untyped-call]
