"""Texts in slots that are filled again, each step as large as the last one: for CUDA.

A GPU hardly notices some texts that have ended; what it should not do is wait to be told of
operations, or for the host to have read its tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from scicot.students.base import Decoding, Ids
from scicot.students.drawing import chosen
from scicot.students.engines.t5.model import T5
from scicot.students.engines.t5.output import Output
from scicot.students.engines.t5.slots import Graphs, Rule, Slots, Step
from scicot.students.engines.writing.texts import Room, Text, padded

_LOOK = 4  # steps between two looks at which texts have ended
_SLOTS, _PLACES = 16, 32  # that a step is made for, at least: of a text, and of a source
_SHARE = 8  # of the slots, one part of which is filled at a time

Drawn = tuple[float, float]  # the temperature and top_p of what is drawn


class InSlots:
    def __init__(self, model: T5, room: Room) -> None:
        self._model, self._room = model, room
        self._slots: Slots | None = None
        self._graphs = Graphs(model.device)
        self._steps: dict[tuple[object, ...], Callable[[], None]] = {}
        self._texts: list[Text | None] = []
        self._ages: list[int] = []  # steps since the text of each slot began

    def write(self, texts: Sequence[Text], sources: Sequence[Ids], decoding: Decoding) -> None:
        """Write all of them, which are in the order of their sources' lengths, the longest first;
        torch.OutOfMemoryError leaves some undone."""
        try:
            self._write(deque(texts), sources, decoding)
        except torch.OutOfMemoryError:
            self._slots = None
            self._steps.clear()
            raise

    def _write(self, waiting: deque[Text], sources: Sequence[Ids], decoding: Decoding) -> None:
        most = decoding.max_new_tokens
        draws = any(text.numbers is not None for text in waiting)
        drawn = (decoding.temperature, decoding.top_p) if draws else None
        width = len(sources[waiting[0].place])
        slots, rows = self._with_room(width, len(waiting), most)
        self._texts, self._ages = [None] * rows, [0] * rows
        while waiting or any(self._texts):
            self._fill(slots, waiting, sources, most)
            rows = self._fewer(slots, rows)
            live = [(text, age) for text, age in zip(self._texts, self._ages, strict=True) if text]
            width = max(len(sources[text.place]) for text, _ in live)
            oldest = max(age for _, age in live) + _LOOK
            shape = (
                rows,
                min(slots.width, _size(width, _PLACES)),
                min(slots.most, _size(oldest, _PLACES)),
            )
            step = self._step(slots, drawn, shape)
            for _ in range(_LOOK):
                step()
            self._ages = [age + _LOOK for age in self._ages]
            self._note(slots, most)

    def _with_room(self, width: int, texts: int, most: int) -> tuple[Slots, int]:
        """Slots for sources of `width` at most, those of the last time where they are enough, and
        how many of them so many texts need."""
        known, most = self._slots, most + _LOOK
        if known is not None:
            # As large as ever, so that the next ones find them large enough.
            width, most = max(width, known.width), max(most, known.most)
        width, most = _size(width, _PLACES), _size(most, _PLACES)
        count = max(
            1, min(_size(texts, _SLOTS), self._room.rows, self._room.tokens // (width + most))
        )
        if known is None or (known.width, known.most) != (width, most) or known.count < count:
            self._slots = known = None  # before there are others
            self._steps.clear()
            known = self._slots = Slots(self._like(), count, width, most)
        return known, count

    def _like(self) -> Tensor:
        ids = torch.full((1, 1), self._model.end, device=self._model.device)
        return self._model.encoder(ids, torch.ones_like(ids[0])).states

    def _fill(self, slots: Slots, waiting: deque[Text], sources: Sequence[Ids], most: int) -> None:
        """Begin texts that wait, where enough slots are free for them."""
        free = [slot for slot, text in enumerate(self._texts) if text is None]
        if len(free) < min(-(-len(self._texts) // _SHARE), len(waiting)):
            return
        while waiting and free:
            width = len(sources[waiting[0].place])
            count = min(len(free), len(waiting), max(1, self._room.read // width))
            begun = [waiting.popleft() for _ in range(count)]
            own, free = free[:count], free[count:]
            places = list(dict.fromkeys(text.place for text in begun))
            ids = padded([sources[place] for place in places], self._model.device)
            read = self._model.encoder(*ids)
            if len(places) < len(begun):
                where = {place: number for number, place in enumerate(places)}
                read = read.of([where[text.place] for text in begun])
            numbers = np.full((count, slots.most), -1.0)
            for number, text in enumerate(begun):
                if text.numbers is not None:
                    numbers[number, :most] = text.numbers
            on_device = torch.from_numpy(numbers).to(self._model.device)
            slots.fill(own, read, self._model.start, on_device)
            for slot, text in zip(own, begun, strict=True):
                self._texts[slot], self._ages[slot] = text, 0

    def _fewer(self, slots: Slots, rows: int) -> int:
        """Use half of the slots, as often as that is enough for the texts there are."""
        live = [slot for slot, text in enumerate(self._texts) if text is not None]
        fewer = min(rows, _size(len(live), _SLOTS))
        if fewer < rows and 2 * fewer <= rows:
            slots.move(live)
            lacking = fewer - len(live)
            self._ages = [self._ages[slot] for slot in live] + [0] * lacking
            self._texts = [self._texts[slot] for slot in live] + [None] * lacking
            return fewer
        return rows

    def _step(
        self, slots: Slots, drawn: Drawn | None, shape: tuple[int, int, int]
    ) -> Callable[[], None]:
        key = drawn, shape
        if key not in self._steps:
            decoder = self._model.decoder
            step = Step(slots, decoder, rule(decoder.output, drawn), self._model.end, shape)
            self._steps[key] = self._graphs.of(step)
        return self._steps[key]

    def _note(self, slots: Slots, most: int) -> None:
        """Take down what has ended."""
        ended = slots.ended[: len(self._texts)].tolist()
        done = [
            slot
            for slot, text in enumerate(self._texts)
            if text is not None and (ended[slot] or self._ages[slot] >= most)
        ]
        if not done:
            return
        written = slots.written[torch.tensor(done, device=self._model.device)].tolist()
        for slot, tokens in zip(done, written, strict=True):
            text = self._texts[slot]
            assert text is not None
            tokens = tokens[: min(most, self._ages[slot])]
            if self._model.end in tokens:
                tokens = tokens[: tokens.index(self._model.end) + 1]
            text.written, text.done = tokens, True
            self._texts[slot] = None


def rule(output: Output, drawn: Drawn | None) -> Rule:
    """How the next tokens are chosen; without `drawn`, all are the likeliest."""

    def likeliest(states: Tensor, numbers: Tensor) -> Tensor:  # noqa: ARG001
        return output.likeliest(states)

    if drawn is None:
        return likeliest
    temperature, top_p = drawn

    def drawn_or_likeliest(states: Tensor, numbers: Tensor) -> Tensor:
        own = chosen(output.logits(states), numbers.clamp(min=0), temperature, top_p)
        return torch.where(numbers < 0, output.likeliest(states), own)

    return drawn_or_likeliest


def _size(count: int, least: int) -> int:
    """The next power of two, or one and a half times one: so many shapes, and no more, of steps."""
    size = 1 << (count - 1).bit_length()
    return max(least, size // 4 * 3 if count <= size // 4 * 3 else size)
