"""Continuous batching in slots of a fixed shape, for CUDA.

On a GPU a few finished rows cost little; launching kernels and waiting for the host to read tokens
cost more. So every step has the same shape and is replayed as a CUDA graph.
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

_LOOK = 4  # steps between two checks for finished texts
# minimum sizes of a captured step: its text slots, and its source positions
_SLOTS, _PLACES = 16, 32
_SHARE = 8  # slots are refilled once this fraction of them (1/8) is free
_FREE = 0.3  # share of free memory to use for slots, since other students may be loaded later

Drawn = tuple[float, float]  # temperature and top_p of the sampled texts


class ContinuousBatching:
    def __init__(self, model: NativeModel, room: BatchLimits, workers: Workers) -> None:
        self._model, self._room, self._workers = model, room, workers
        self.forget()

    def forget(self) -> None:
        """Free the memory of the slots."""
        self._slots: Slots | None = None
        self._tokens = 0  # tokens for which there is memory
        self._steps: dict[tuple[object, ...], Callable[[], None]] = {}
        self._graphs = Graphs(self._model.device)

    def write(
        self, texts: Sequence[Completion], prompts: Sequence[Prompt], decoding: Decoding
    ) -> None:
        """Generate all texts, which are sorted by prefix length, longest first. After a
        torch.OutOfMemoryError some of them are not `done`."""
        waiting, most = deque(texts), decoding.max_new_tokens
        draws = any(text.numbers is not None for text in texts)
        drawn = (decoding.temperature, decoding.top_p) if draws else None
        slots, rows = self._with_room(len(prompts[texts[0].place].prefix), len(texts), most)
        held: list[Completion | None] = [None] * rows  # the text in each slot
        while waiting or any(held):
            self._workers.check()
            self._fill(slots, held, waiting, prompts)
            held = _together(slots, held)
            live = [text for text in held if text]
            width = max(len(prompts[text.place].prefix) for text in live)
            oldest = max(text.age for text in live) + _LOOK
            width, oldest = _size(width, _PLACES), _size(oldest, _PLACES)
            shape = len(held), min(width, slots.width), min(oldest, slots.most)
            step = self._step(slots, drawn, shape)
            for _ in range(_LOOK):
                step()
            for text in live:
                text.age += _LOOK
            self._take_down(slots, held, most)

    def _with_room(self, width: int, texts: int, most: int) -> tuple[Slots, int]:
        """Return slots for sources of up to `width` tokens, and how many of them to use for this
        many texts. The slots of the last call are reused if they are large enough."""
        known, most = self._slots, most + _LOOK
        if known is not None:
            # Never shrink, so that the slots need not be allocated again for later batches.
            width, most = max(width, known.width), max(most, known.most)
        width, most = _size(width, _PLACES), _size(most, _PLACES)
        tokens = min(self._room.tokens, self._tokens or self._room.tokens)
        count = max(1, min(_size(texts, _SLOTS), self._room.rows, tokens // (width + most)))
        if known is None or (known.width, known.most) != (width, most) or known.count < count:
            del known
            self.forget()  # free the old slots before new ones are allocated
            like, self._tokens = self._measured()
            count = max(1, min(count, self._tokens // (width + most)))
            self._slots = Slots(like, count, width, most, joint=self._model.joint)
        assert self._slots is not None
        return self._slots, count

    def _measured(self) -> tuple[Tensor, int]:
        """Return (the KV cache of one token, the number of tokens for which there is memory)."""
        device = self._model.device
        ids = torch.zeros((1, 1), dtype=torch.long, device=device)
        like = self._model.encoder(ids, torch.ones_like(ids[0])).states
        if device.type != "cuda":
            return like, self._room.tokens
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(device)
        return like, min(self._room.tokens, int(free * _FREE) // like.nbytes)

    def _fill(
        self,
        slots: Slots,
        held: list[Completion | None],
        waiting: deque[Completion],
        prompts: Sequence[Prompt],
    ) -> None:
        """Start waiting texts once enough slots are free."""
        free = [slot for slot, text in enumerate(held) if text is None]
        if len(free) < min(-(-len(held) // _SHARE), len(waiting)):
            return
        device = self._model.device
        while waiting and free:
            width = max(1, len(prompts[waiting[0].place].prefix))
            count = min(len(free), len(waiting), max(1, self._room.read // width))
            begun = [waiting.popleft() for _ in range(count)]
            used, free = free[:count], free[count:]
            places = list(dict.fromkeys(text.place for text in begun))
            prefixes = [prompts[place].prefix for place in places]
            read = self._model.encoder(*pad_right(prefixes, device))
            if len(places) < count:
                where = {place: number for number, place in enumerate(places)}
                read = read.of([where[text.place] for text in begun])
            numbers = np.full((count, slots.most), -1.0)
            for row, text in zip(numbers, begun, strict=True):
                text.age = 0
                if text.numbers is not None:
                    row[: len(text.numbers)] = text.numbers
            starts = [prompts[text.place].start for text in begun]
            slots.fill(used, read, starts, torch.from_numpy(numbers).to(device))
            for slot, text in zip(used, begun, strict=True):
                held[slot] = text

    def _step(
        self, slots: Slots, drawn: Drawn | None, shape: tuple[int, int, int]
    ) -> Callable[[], None]:
        key = drawn, shape
        if key not in self._steps:
            decoder = self._model.decoder
            step = Step(
                slots, decoder, make_sampler(decoder.output, drawn), self._model.ends, shape
            )
            self._steps[key] = self._graphs.of(step)
        return self._steps[key]

    def _take_down(self, slots: Slots, held: list[Completion | None], most: int) -> None:
        """Remove finished texts from their slots."""
        # copies to the host, and so waits for the steps to finish
        ended = slots.ended[: len(held)].tolist()
        done = {
            slot: text
            for slot, text in enumerate(held)
            if text is not None and (ended[slot] or text.age >= most)
        }
        if not done:
            return
        written = slots.written[torch.tensor(list(done), device=self._model.device)].tolist()
        for (slot, text), tokens in zip(done.items(), written, strict=True):
            text.written = until_end(tokens[: min(most, text.age)], self._model.ends)
            text.done = True
            held[slot] = None


def _together(slots: Slots, held: list[Completion | None]) -> list[Completion | None]:
    """Move the live texts to fewer slots (half, a quarter, ...) where they fit; return the texts
    by slot, None for an empty one."""
    live = {slot: text for slot, text in enumerate(held) if text is not None}
    fewer = _size(len(live), _SLOTS)
    if 2 * fewer > len(held):
        return held
    slots.move(list(live))
    return [*live.values(), *[None] * (fewer - len(live))]


def make_sampler(output: LMHead, drawn: Drawn | None) -> Sampler:
    """Make the sampler of a step; without `drawn` (temperature, top_p) it is greedy."""

    def likeliest(states: Tensor, numbers: Tensor) -> Tensor:  # noqa: ARG001
        return output.likeliest(states)

    if drawn is None:
        return likeliest
    temperature, top_p = drawn

    def drawn_or_likeliest(states: Tensor, numbers: Tensor) -> Tensor:
        sampled = sample_tokens(output.logits(states), numbers.clamp(min=0), temperature, top_p)
        return torch.where(numbers < 0, output.likeliest(states), sampled)

    return drawn_or_likeliest


def _size(count: int, least: int) -> int:
    """Round up to 2**n or 1.5 * 2**n, which limits the number of step shapes to capture."""
    size = 1 << (count - 1).bit_length()
    return max(least, size // 4 * 3 if count <= size // 4 * 3 else size)
