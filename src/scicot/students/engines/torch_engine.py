"""T5 students by our own loop: the tokens of transformers' `generate`, several times faster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from scicot.students.base import Decoding, Ids
from scicot.students.batches import batches
from scicot.students.drawing import chosen, uniforms
from scicot.students.engines.memory import keep_freed, with_less_each_time
from scicot.students.engines.t5.drafts import Drafts
from scicot.students.engines.t5.groups import Group, Groups
from scicot.students.engines.t5.model import Decoder, Encoder
from scicot.students.engines.t5.output import logsumexp
from scicot.students.engines.t5.tries import Tries
from scicot.students.engines.workers import Workers

# Tokens, padded: that are in memory together, and that a worker reads at a time.
_TOKENS = {"cpu": 65_536, "cuda": 262_144}
_READ = {"cpu": 2048, "cuda": 65_536}
_LOGITS = {"cpu": 2**24, "cuda": 2**28}  # numbers that are scored together
_FEW = 8  # texts, that no further worker begins for
_GROUP = {"cpu": 64, "cuda": 1024}  # texts that begin together

Item = TypeVar("Item")


@dataclass(slots=True)
class _Text:
    """A text that is asked for, and what is written of it."""

    place: int  # of its source
    numbers: Any  # that decide its tokens, one each; None for the likeliest text
    written: Ids = field(default_factory=list)
    done: bool = False


class TorchEngine:
    """An `Engine` (see base.py) with the weights of a T5, on their device; matrices are multiplied
    in `kind` (torch.float32, bfloat16 or, on a CPU, int8: see `feeding` and `finer`); what decides
    among tokens is in fp32. Texts that end make room for others.
    """

    def __init__(
        self, model: Any, kind: torch.dtype, *, batch_size: int, batch_tokens: int | None = None
    ) -> None:
        place, config = model.device.type, model.config
        if place == "cpu":
            keep_freed()
        self._device = model.device
        self._start, self._end = config.decoder_start_token_id, config.eos_token_id
        self._encoder, self._decoder = Encoder(model, kind), Decoder(model, kind)
        # What is read or scored together does not depend on the number of workers, or last digits
        # would. Each has several groups, or none could begin before all texts of its only one end.
        tokens = batch_tokens or _TOKENS.get(place, _TOKENS["cpu"])
        self._read_tokens = min(tokens, _READ.get(place, _READ["cpu"]))
        self._scored_rows = batch_size
        self._group = max(1, min(_GROUP.get(place, _GROUP["cpu"]), batch_size // 8))
        self._workers = Workers(model.device, batch_size // (2 * self._group))
        self._size = max(1, batch_size // self._workers.count)
        self._tokens = max(1, tokens // self._workers.count)
        self._nodes = max(1, _LOGITS.get(place, _LOGITS["cpu"]) // config.vocab_size)

    @torch.inference_mode()
    def generate(
        self, sources: Sequence[Ids], draws: Sequence[Sequence[int | None]], decoding: Decoding
    ) -> list[list[Ids]]:
        if decoding.beams > 1:
            raise ValueError("this engine does not search with beams")
        most = decoding.max_new_tokens
        texts = [
            [_Text(place, None if seed is None else uniforms(seed, most)) for seed in own]
            for place, own in enumerate(draws)
        ]
        flat = [text for own in texts for text in own]
        flat.sort(key=lambda text: -len(sources[text.place]))

        def write() -> None:
            if len(flat) == 1 and flat[0].numbers is None:
                self._write_alone(flat[0], sources[flat[0].place], decoding.max_new_tokens)
                return
            waiting = [text for text in flat if not text.done]
            shares = self._shares(waiting)
            self._workers.each(lambda share: self._write(share, sources, decoding), shares)

        with_less_each_time(write, self._halve)
        return [[text.written for text in own] for own in texts]

    def _write(self, texts: Sequence[_Text], sources: Sequence[Ids], decoding: Decoding) -> None:
        """What one worker does."""
        most = decoding.max_new_tokens
        waiting = deque(texts)
        groups: list[Group] = []
        while waiting or groups:
            self._workers.check()
            for own in self._next(groups, waiting, sources, most):
                groups.append(self._begun(own, sources))
            states = Groups(groups).step(self._decoder)
            tokens = self._chosen(states, groups, decoding)
            parts = torch.split(tokens, [len(group) for group in groups])
            for group, written in zip(groups, parts, strict=True):
                self._note(group, written, most)
            groups = [group for group in groups if group.live]

    def _write_alone(self, text: _Text, source: Ids, most: int) -> None:
        """The likeliest text where no other is asked for: several tokens in a step, where words of
        the source come again."""
        drafts, group = Drafts(source), self._begun([text], [source])
        while not text.done:
            draft = drafts.next(text.written, most - len(text.written) - 1)
            states = group.ahead(self._decoder, draft)
            tokens = drafts.judge(draft, self._decoder.output.likeliest(states).tolist())
            if self._end in tokens:
                tokens = tokens[: tokens.index(self._end) + 1]
            text.written += tokens
            text.done = tokens[-1] == self._end or len(text.written) == most
            group.keep_ahead(1 + len(draft), len(tokens), tokens[-1])

    def _shares(self, items: Sequence[Item]) -> list[list[Item]]:
        """What each worker does: blocks of them in turn, so that each has some of all lengths."""
        count = min(self._workers.count, max(1, len(items) // _FEW))
        size = max(1, min(self._group, -(-len(items) // count)))
        blocks = [items[start : start + size] for start in range(0, len(items), size)]
        return [[item for block in blocks[n::count] for item in block] for n in range(count)]

    def _halve(self) -> bool:
        """Work on half as much at a time from now on; False where it is one sequence already."""
        if self._size == self._nodes == self._scored_rows == 1:
            return False
        self._scored_rows = self._scored_rows // 2 or 1
        self._nodes = self._nodes // 2 or 1
        self._size = min(self._size, self._group) // 2 or 1
        self._tokens, self._read_tokens = self._tokens // 2, self._read_tokens // 2
        return True

    def _next(
        self, groups: Sequence[Group], waiting: deque[_Text], sources: Sequence[Ids], most: int
    ) -> Iterator[list[_Text]]:
        """The texts that there is room for, group by group, taken from those that wait."""
        rows = sum(map(len, groups))
        tokens = sum(len(group) * (group.width + most) for group in groups)
        while waiting:
            width = len(sources[waiting[0].place])
            count = max(1, min(self._group, self._size, self._read_tokens // width, len(waiting)))
            count = max(1, min(count, self._tokens // (width + most)))
            rows, tokens = rows + count, tokens + count * (width + most)
            if rows > count and (rows > self._size or tokens > self._tokens):
                return
            yield [waiting.popleft() for _ in range(count)]

    def _begun(self, texts: list[_Text], sources: Sequence[Ids]) -> Group:
        for text in texts:
            text.written.clear()  # where memory was lacking, it has begun before
        places = list(dict.fromkeys(text.place for text in texts))
        read = self._encoder(*self._padded([sources[place] for place in places]))
        if len(places) < len(texts):
            at = [places.index(text.place) for text in texts]
            read = read.of(at)
        return Group(read, texts, self._start)

    def _chosen(self, states: Tensor, groups: Sequence[Group], decoding: Decoding) -> Tensor:
        """The next token of each row."""
        texts = [text for group in groups for text in group.texts]
        drawn = [row for row, text in enumerate(texts) if text and text.numbers is not None]
        if not drawn:
            return self._decoder.output.likeliest(states)
        numbers = [texts[row].numbers[len(texts[row].written)] for row in drawn]
        place = torch.device("cpu") if self._device.type == "mps" else self._device  # has no fp64
        uniform = torch.tensor(np.array(numbers), device=place)
        logits = self._decoder.output.logits(states[drawn]).to(place)
        own = chosen(logits, uniform, decoding.temperature, decoding.top_p).to(self._device)
        if len(drawn) == len(texts):
            return own
        tokens = self._decoder.output.likeliest(states)
        tokens[drawn] = own
        return tokens

    def _note(self, group: Group, tokens: Tensor, most: int) -> None:
        """Write the tokens of a group down; rows of texts that have ended go, some at a time."""
        group.end_step(tokens)
        for row, token in enumerate(tokens.tolist()):
            text = group.texts[row]
            if text is not None:
                text.written.append(token)
                text.done = token == self._end or len(text.written) == most
                if text.done:
                    group.texts[row] = None
        live = group.live
        if 0 < len(live) <= 3 * len(group) // 4:
            group.keep(live)

    @torch.inference_mode()
    def score(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        return with_less_each_time(lambda: self._scored(sources, targets), self._halve)

    def _scored(
        self, sources: Sequence[Ids], targets: Sequence[Sequence[Ids]]
    ) -> list[list[list[float]]]:
        def fits(rows: int, read: int, scored: int) -> bool:
            return rows <= self._scored_rows and rows * (read + scored) <= self._read_tokens

        both = list(zip(sources, targets, strict=True))
        lengths = [(len(source), sum(map(len, own))) for source, own in both]
        parts = list(batches(lengths, fits))
        count = min(self._workers.count, len(parts)) or 1
        found = self._workers.each(
            lambda share: self._share_scored(share, sources, targets),
            [parts[n::count] for n in range(count)],
        )
        known = dict(pair for own in found for pair in own)
        return [known[place] for place in range(len(both))]

    def _share_scored(
        self,
        parts: Sequence[Sequence[int]],
        sources: Sequence[Ids],
        targets: Sequence[Sequence[Ids]],
    ) -> list[tuple[int, list[list[float]]]]:
        order: list[int] = []
        scores: list[float] = []
        for part in parts:
            self._workers.check()
            tries = Tries.of([targets[place] for place in part], self._start, self._device)
            read = self._encoder(*self._padded([sources[place] for place in part]))
            found = self._decoder(tries.ids, tries.memory(read))
            order += part
            scores += self._log_p(found[tries.rows, tries.places], tries.behind, tries.tokens)
        each = iter(scores)
        return [
            (place, [[next(each) for _ in target] for target in targets[place]]) for place in order
        ]

    def _log_p(self, states: Tensor, behind: Tensor, tokens: Tensor) -> list[float]:
        """log p of each token, behind one of the states."""
        found = torch.empty(len(tokens), device=states.device)
        for start in range(0, len(states), self._nodes):
            logits = self._decoder.output.logits(states[start : start + self._nodes])
            (own,) = ((behind >= start) & (behind < start + self._nodes)).nonzero(as_tuple=True)
            rows = behind[own] - start
            found[own] = logits[rows, tokens[own]] - logsumexp(logits)[rows]
        scores: list[float] = found.tolist()
        return scores

    def _padded(self, rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
        """Token ids, and how many of each row they are."""
        lengths = torch.tensor([len(row) for row in rows])
        ids = np.zeros((len(rows), int(lengths.max())), np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        return torch.from_numpy(ids).to(self._device), lengths.to(self._device)
