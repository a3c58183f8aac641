"""Continuous batching in slots of a fixed shape, for CUDA: when a text is finished, a waiting text
takes its slot.

Steps use only a few tensor shapes. For each of these shapes, a step is captured once as a CUDA
graph, and then replayed. To keep its shape, a step also computes finished texts and empty slots.
Removing finished texts after every step would be slower on a GPU: the shape would change, so
kernels would have to be launched one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scicot.decoding.batch_limits import BatchLimits, Completion, pad_right
from scicot.decoding.engine import Decoding, until_end
from scicot.decoding.sampling import sample_tokens
from scicot.decoding.slots import Graphs, Sampler, Slots, Step
from scicot.decoding.workers import Workers
from scicot.models.native.interface import NativeModel, Prompt
from scicot.models.native.lm_head import LMHead

_CHECK_STEPS = 4  # steps between two checks for finished texts
# minimum sizes of a captured step: its slots, and its source positions
_SLOTS, _POSITIONS = 16, 32
_SHARE = 8  # slots are refilled once 1/8 of them are free
_FREE = 0.3  # share of free memory to use for slots, since other students may be loaded later

Sampling = tuple[float, float]  # temperature and top_p of the sampled texts


class ContinuousBatching:
    """Generates texts with one model by continuous batching in slots (see the module)."""

    def __init__(self, model: NativeModel, limits: BatchLimits, workers: Workers) -> None:
        self._model, self._limits, self._workers = model, limits, workers
        self.forget()

    def forget(self) -> None:
        """Free the memory of the slots and the captured steps. The next `write` allocates new
        ones."""
        self._slots: Slots | None = None
        self._tokens = 0  # tokens for which there is memory
        self._steps: dict[tuple[object, ...], Callable[[], None]] = {}
        self._graphs = Graphs(self._model.device)

    def write(
        self, texts: Sequence[Completion], prompts: Sequence[Prompt], decoding: Decoding
    ) -> None:
        """Generate all texts, and store the tokens in `Completion.tokens`. `texts` must be sorted
        by prefix length, longest first. `prompts` is indexed by `Completion.source`. After a
        torch.OutOfMemoryError, the texts that are not `done` can be passed again."""
        waiting, max_tokens = deque(texts), decoding.max_new_tokens
        any_sampled = any(text.uniforms is not None for text in texts)
        sampling = (decoding.temperature, decoding.top_p) if any_sampled else None
        slots, rows = self._slots_for(len(prompts[texts[0].source].prefix), len(texts), max_tokens)
        slot_texts: list[Completion | None] = [None] * rows  # the text in each slot
        while waiting or any(slot_texts):
            self._workers.check()
            self._fill(slots, slot_texts, waiting, prompts)
            slot_texts = _compacted(slots, slot_texts)
            live = [text for text in slot_texts if text]
            width = max(len(prompts[text.source].prefix) for text in live)
            oldest = max(text.age for text in live) + _CHECK_STEPS
            width, oldest = _size(width, _POSITIONS), _size(oldest, _POSITIONS)
            shape = len(slot_texts), min(width, slots.width), min(oldest, slots.max_tokens)
            step = self._step(slots, sampling, shape)
            for _ in range(_CHECK_STEPS):
                step()
            for text in live:
                text.age += _CHECK_STEPS
            self._remove_finished(slots, slot_texts, max_tokens)

    def _slots_for(self, width: int, texts: int, max_tokens: int) -> tuple[Slots, int]:
        """Return (slots, count). Each slot has room for a prefix of `width` tokens and a text of
        `max_tokens` tokens. `count` is how many slots to use if `texts` texts are to be written."""
        current, max_tokens = self._slots, max_tokens + _CHECK_STEPS
        if current is not None:
            # Never shrink, so that the slots need not be allocated again for later batches.
            width, max_tokens = max(width, current.width), max(max_tokens, current.max_tokens)
        width, max_tokens = _size(width, _POSITIONS), _size(max_tokens, _POSITIONS)
        tokens = min(self._limits.tokens, self._tokens or self._limits.tokens)
        count = max(1, min(_size(texts, _SLOTS), self._limits.rows, tokens // (width + max_tokens)))
        # Reuse the slots of the last call if they are large enough.
        if (
            current is None
            or (current.width, current.max_tokens) != (width, max_tokens)
            or current.count < count
        ):
            del current
            self.forget()  # free the old slots before new ones are allocated
            template, self._tokens = self._measure_memory()
            count = max(1, min(count, self._tokens // (width + max_tokens)))
            self._slots = Slots(template, count, width, max_tokens, joint=self._model.joint)
        assert self._slots is not None
        return self._slots, count

    def _measure_memory(self) -> tuple[Tensor, int]:
        """Return (template, tokens). `template` is the KV cache of one token, from which slots take
        their shape. `tokens` is the number of tokens for which there is memory."""
        device = self._model.device
        ids = torch.zeros((1, 1), dtype=torch.long, device=device)
        template = self._model.encoder(ids, torch.ones_like(ids[0])).states
        if device.type != "cuda":
            return template, self._limits.tokens
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(device)
        return template, min(self._limits.tokens, int(free * _FREE) // template.nbytes)

    def _fill(
        self,
        slots: Slots,
        slot_texts: list[Completion | None],
        waiting: deque[Completion],
        prompts: Sequence[Prompt],
    ) -> None:
        """Encode waiting texts and put them into free slots, if at least 1/_SHARE of the slots are
        free or all waiting texts fit into the free slots."""
        free = [slot for slot, text in enumerate(slot_texts) if text is None]
        if len(free) < min(-(-len(slot_texts) // _SHARE), len(waiting)):
            return
        device = self._model.device
        while waiting and free:
            width = max(1, len(prompts[waiting[0].source].prefix))
            count = min(len(free), len(waiting), max(1, self._limits.encoded // width))
            started = [waiting.popleft() for _ in range(count)]
            used, free = free[:count], free[count:]
            sources = list(dict.fromkeys(text.source for text in started))
            prefixes = [prompts[source].prefix for source in sources]
            cache = self._model.encoder(*pad_right(prefixes, device))
            if len(sources) < count:
                row_of_source = {source: row for row, source in enumerate(sources)}
                cache = cache.of([row_of_source[text.source] for text in started])
            uniforms = np.full((count, slots.max_tokens), -1.0)
            for row, text in zip(uniforms, started, strict=True):
                text.age = 0
                if text.uniforms is not None:
                    row[: len(text.uniforms)] = text.uniforms
            starts = [prompts[text.source].start for text in started]
            slots.fill(used, cache, starts, torch.from_numpy(uniforms).to(device))
            for slot, text in zip(used, started, strict=True):
                slot_texts[slot] = text

    def _step(
        self, slots: Slots, sampling: Sampling | None, shape: tuple[int, int, int]
    ) -> Callable[[], None]:
        key = sampling, shape
        if key not in self._steps:
            decoder = self._model.decoder
            step = Step(
                slots, decoder, make_sampler(decoder.output, sampling), self._model.ends, shape
            )
            self._steps[key] = self._graphs.of(step)
        return self._steps[key]

    def _remove_finished(
        self, slots: Slots, slot_texts: list[Completion | None], max_tokens: int
    ) -> None:
        """Store the tokens of each finished text in its `Completion`, and free its slot."""
        # copies to the host, and so waits for the steps to finish
        ended = slots.ended[: len(slot_texts)].tolist()
        done = {
            slot: text
            for slot, text in enumerate(slot_texts)
            if text is not None and (ended[slot] or text.age >= max_tokens)
        }
        if not done:
            return
        generated = slots.generated[torch.tensor(list(done), device=self._model.device)].tolist()
        for (slot, text), tokens in zip(done.items(), generated, strict=True):
            text.tokens = until_end(tokens[: min(max_tokens, text.age)], self._model.ends)
            text.done = True
            slot_texts[slot] = None


def _compacted(slots: Slots, slot_texts: list[Completion | None]) -> list[Completion | None]:
    """If half of the slots are enough for the unfinished texts, move these texts to the first slots
    and stop using the other slots. Return the new `slot_texts`: the text in each remaining slot,
    or None if the slot is empty. Otherwise return `slot_texts` unchanged."""
    live = {slot: text for slot, text in enumerate(slot_texts) if text is not None}
    fewer = _size(len(live), _SLOTS)
    if 2 * fewer > len(slot_texts):
        return slot_texts
    slots.move(list(live))
    return [*live.values(), *[None] * (fewer - len(live))]


def make_sampler(output: LMHead, sampling: Sampling | None) -> Sampler:
    """Make a sampler, which chooses the next token of each row in a step.

    `sampling` is (temperature, top_p), or None to decode all rows greedily. The sampler has two
    arguments: hidden states of shape (rows, size), and `uniforms` of shape (rows,). `uniforms` has
    a uniform random number in [0, 1) for each row to sample, and -1 for each row to decode
    greedily. The sampler returns token ids of shape (rows,).
    """

    def likeliest(states: Tensor, uniforms: Tensor) -> Tensor:  # noqa: ARG001
        return output.likeliest(states)

    if sampling is None:
        return likeliest
    temperature, top_p = sampling

    def drawn_or_likeliest(states: Tensor, uniforms: Tensor) -> Tensor:
        tokens = sample_tokens(output.logits(states), uniforms.clamp(min=0), temperature, top_p)
        return torch.where(uniforms < 0, output.likeliest(states), tokens)

    return drawn_or_likeliest


def _size(count: int, minimum: int) -> int:
    """Round a count up to 2**n or 1.5 * 2**n, and to at least `minimum`."""
    # Few different sizes mean that few steps have to be captured as CUDA graphs.
    size = 1 << (count - 1).bit_length()
    return max(minimum, size // 4 * 3 if count <= size // 4 * 3 else size)
